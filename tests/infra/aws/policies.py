"""Policies as IAM reads them, as far as the module's go: statements, and whether they allow an action on a resource.

Conditions are not evaluated: an allowance may ask for more than is looked at here, and tests name the conditions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

WILDCARDS = re.compile(r"[*?]")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `principals` are those of trust and key policies, by their kind."""

    sid: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ()
    principals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    condition: Mapping[str, Any] = field(default_factory=dict)

    def covers(self, action: str, resource: str) -> bool:
        """Whether it is about the action on the resource."""
        return _matches(self.actions, action) and _matches(self.resources, resource)


@dataclass(frozen=True, slots=True)
class Policy:
    """A document's statements."""

    statements: tuple[Statement, ...]

    def allows(self, action: str, resource: str) -> bool:
        """Whether a statement allows it, and none denies it."""
        effects = {each.effect for each in self.statements if each.covers(action, resource)}
        return effects == {"Allow"}

    def of(self, sid: str) -> Statement:
        """The one statement with this id."""
        (found,) = [each for each in self.statements if each.sid == sid]
        return found

    def without(self, action: str) -> Policy:
        """The same without an action."""
        kept = ((each, tuple(other for other in each.actions if other != action)) for each in self.statements)
        return Policy(tuple(_with_actions(each, actions) for each, actions in kept if actions))

    @property
    def actions(self) -> frozenset[str]:
        """All that is allowed somewhere."""
        return frozenset(action for each in self.statements if each.effect == "Allow" for action in each.actions)


def read_policy(document: str) -> Policy:
    """The policy in a document."""
    return Policy(tuple(_statement(each) for each in json.loads(document)["Statement"]))


def _statement(raw: Mapping[str, Any]) -> Statement:
    principals = raw.get("Principal", {})
    named = {"AWS": principals} if isinstance(principals, str) else principals
    return Statement(
        raw.get("Sid", ""),
        raw["Effect"],
        _listed(raw["Action"]),
        _listed(raw.get("Resource", ())),
        {kind: _listed(names) for kind, names in named.items()},
        raw.get("Condition", {}),
    )


def _with_actions(statement: Statement, actions: tuple[str, ...]) -> Statement:
    return Statement(statement.sid, statement.effect, actions, statement.resources)


def _listed(value: str | Iterable[str]) -> tuple[str, ...]:
    """One or many; Terraform writes one without a list."""
    return (value,) if isinstance(value, str) else tuple(value)


def _matches(patterns: Iterable[str], text: str) -> bool:
    return any(re.fullmatch(_as_regex(pattern), text) for pattern in patterns)


def _as_regex(pattern: str) -> str:
    """IAM knows two wildcards: any text, and any one character."""
    words = {"*": ".*", "?": "."}
    return "".join(words.get(part, re.escape(part)) for part in re.split(r"([*?])", pattern))
