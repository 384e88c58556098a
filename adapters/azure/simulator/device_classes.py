"""Which group and device class a twin puts its device into. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from adapters.azure.simulator.updates import Update

DEFAULT_GROUP = "$default"
GROUP_TAG = "ADUGroup"
_GROUP = re.compile(r"[A-Za-z0-9._~-]{1,200}")
_RESERVED = ("Uncategorized",)
_MODEL = re.compile(r"dtmi:azure:iot:deviceUpdate(?:Contract)?Model;([123])")
_MAX_PROPERTIES = 5
_MAX_NAME = 31
_MAX_VALUE = 64


@dataclass(frozen=True, slots=True)
class DeviceClass:
    """Devices of one contract model with the same compatibility properties."""

    contract: int
    properties: tuple[tuple[str, str], ...]

    @property
    def class_id(self) -> str:
        """SHA-1 in hexadecimal, as the service's ids look."""
        text = json.dumps([self.contract_model, self.properties], separators=(",", ":"))
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    @property
    def contract_model(self) -> str:
        """Its id."""
        return f"dtmi:azure:iot:deviceUpdateContractModel;{self.contract}"

    def takes(self, update: Update) -> bool:
        """Whether one of the update's property sets equals that of the class, and the class reads its version."""
        readable = self.contract > 1 or update.manifest.manifest_version == "4.0"
        return readable and dict(self.properties) in update.manifest.compatibility


@dataclass(frozen=True, slots=True)
class Membership:
    """Where a device belongs."""

    group: str
    device_class: DeviceClass


def membership(tags: Mapping[str, object], reported: Mapping[str, object], model_id: str) -> Membership | None:
    """None until the device has announced a model and reported the properties that Device Update reads."""
    agent = member(reported, "deviceUpdate", "agent")
    properties, names = agent.get("deviceProperties"), agent.get("compatPropertyNames")
    if not model_id or not isinstance(properties, Mapping) or not isinstance(names, str):
        return None
    contract = _contract(properties.get("contractModelId"), model_id)
    values = _compatibility(properties, names)
    if contract is None or values is None:
        return None
    return Membership(_group(tags.get(GROUP_TAG)), DeviceClass(contract, values))


def member(document: Mapping[str, object], *path: str) -> Mapping[str, object]:
    """An object inside a document; empty where there is none."""
    for name in path:
        inner = document.get(name)
        if not isinstance(inner, Mapping):
            return {}
        document = inner
    return document


def _contract(reported: object, announced: str) -> int | None:
    """A vendor's own model says its contract only in the reported properties."""
    for text in (reported, announced):
        match = _MODEL.fullmatch(text) if isinstance(text, str) else None
        if match is not None:
            return int(match[1])
    return None


def _compatibility(properties: Mapping[str, object], names: str) -> tuple[tuple[str, str], ...] | None:
    found: dict[str, str] = {}
    for name in names.split(","):
        value = properties.get(name.strip())
        if not 0 < len(name.strip()) <= _MAX_NAME or not isinstance(value, str) or not 0 < len(value) <= _MAX_VALUE:
            return None
        found[name.strip()] = value
    return tuple(sorted(found.items())) if len(found) <= _MAX_PROPERTIES else None


def _group(tag: object) -> str:
    """A tag that names no group is none."""
    if isinstance(tag, str) and _GROUP.fullmatch(tag) and tag not in _RESERVED:
        return tag
    return DEFAULT_GROUP
