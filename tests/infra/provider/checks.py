"""What a real provider's validators would refuse and a schema cannot say. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tests.infra.provider.document import Attribute, Block, Rule
from tests.infra.provider.values import Path, rebuilt


@dataclass(frozen=True, slots=True)
class Problem:
    """An argument with a value that its rule does not take; `path` are names of blocks, then of the argument."""

    path: Path
    detail: str


def problems(block: Block, config: Any, rules: dict[str, Rule]) -> list[Problem]:
    """Arguments that break their rules, and attributes that only the cloud sets; rules do not judge what is unknown."""
    found: list[Problem] = []

    def judge(path: Path, attribute: Attribute, value: Any) -> Any:
        rule = rules.get(".".join(path))
        if value is not None and attribute.computed and not attribute.optional:
            found.append(Problem(path, "its value is decided by the cloud and cannot be configured"))
        if rule is not None and isinstance(value, str | int | float) and not _fits(rule, str(value)):
            found.append(Problem(path, f"{value!r} is not {_wanted(rule)}"))
        return value

    rebuilt(block, config, judge)
    return found


def _fits(rule: Rule, text: str) -> bool:
    return text in rule.enum if rule.enum else re.fullmatch(rule.pattern, text) is not None


def _wanted(rule: Rule) -> str:
    return f"one of {', '.join(rule.enum)}" if rule.enum else f"matched by {rule.pattern}"
