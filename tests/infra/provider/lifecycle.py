"""A resource's life without a cloud: what a plan leaves open, and what an apply makes of it. Pure."""

from __future__ import annotations

import hashlib
import json
import uuid
from string import Formatter
from typing import Any

from tests.infra.provider.document import Attribute, Block, Knowledge
from tests.infra.provider.values import UNKNOWN, Path, is_unknown, placeholder, rebuilt

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"
REPLACING = ("name", "location", "resource_group_name")
"""Arguments whose change replaces nearly every resource of azurerm; the schemas do not tell which do."""
UUIDS = ("principal_id", "tenant_id", "object_id", "client_id")


def planned(block: Block, proposed: Any) -> Any:
    """What a plan says: whatever the provider will tell, and the configuration does not, is unknown."""
    return rebuilt(block, proposed, lambda _, each, value: UNKNOWN if value is None and each.computed else value)


def replacing(block: Block, prior: Any, plan: Any) -> list[str]:
    """The arguments for whose change the resource must be made anew."""
    if prior is None:
        return []
    return [name for name in REPLACING if name in block.attributes and plan.get(name) != prior.get(name)]


def applied(kind: str, block: Block, plan: Any, knowledge: Knowledge) -> Any:
    """What an apply tells: each unknown value invented, the same for the same configuration."""
    known = {name: value for name, value in plan.items() if isinstance(value, str)}
    digest = hashlib.sha256(f"{kind}{json.dumps(known, sort_keys=True)}".encode()).hexdigest()
    formats = {"id": "{root}/providers/Unknown." + kind + "/{name}", **knowledge.computed.get(kind, {})}
    fields = {"root": _root(known), "name": digest[:12], "digest": digest[:32], **known}

    def invent(path: Path, attribute: Attribute, value: Any) -> Any:
        if not is_unknown(value):
            return value
        if len(path) == 1 and path[0] in formats:
            return _filled(formats[path[0]], fields)
        if attribute.type == "string" and path[-1].endswith(UUIDS):
            return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{digest}{path}"))
        return placeholder(attribute.type, f"{fields['name']}.{path[-1]}")

    return rebuilt(block, plan, invent)


def _root(known: dict[str, str]) -> str:
    group = known.get("resource_group_name")
    return f"{SUBSCRIPTION}/resourceGroups/{group}" if group else SUBSCRIPTION


def _filled(text: str, fields: dict[str, str]) -> str:
    """The format, with the empty text for what the configuration does not set."""
    names = [name for _, name, _, _ in Formatter().parse(text) if name]
    return text.format(**{name: fields.get(name, "") for name in names})
