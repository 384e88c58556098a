"""Conditions that a person wrote in IoT Hub's query language: they go into queries of ours, and stay in their place.

What is looked at here is only that a condition cannot end the parentheses it is put into, begin another clause, or be
without end; whether it means anything, the hub says. Pure.
"""

from __future__ import annotations

import re

MOST_CHARACTERS = 400
"""Characters of one condition (docs/reference/rollout-file.md)."""
MOST_DEPTH = 32
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>'[^'\\]*'|"[^"\\]*")
      | (?P<name>\[\[[^\[\]]+\]\])
      | (?P<word>-?[A-Za-z0-9_$]+(?:-[A-Za-z0-9_$]+)*)
      | (?P<open>\()
      | (?P<close>\))
      | (?P<symbol><=|>=|<>|!=|[=<>.,\[\]+])""",
    re.VERBOSE,
)
_CLAUSES = frozenset({"SELECT", "TOP", "FROM", "JOIN", "WHERE", "GROUP", "ORDER", "BY", "AS"})


def fault(condition: str) -> str | None:
    """What is wrong with a condition, in words for the person who wrote it; None when it may be asked."""
    if not condition.strip():
        return "is empty"
    if len(condition) > MOST_CHARACTERS:
        return f"has {len(condition)} characters, at most {MOST_CHARACTERS} are taken"
    return _fault_of_tokens(condition)


def _fault_of_tokens(text: str) -> str | None:
    at = depth = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return (
                f"has {text[at]!r} at character {at + 1}, which is a quote that never ends or no part of the language"
            )
        if match.lastgroup == "word" and match.group().upper() in _CLAUSES:
            return f"has the word {match.group()} at character {at + 1}: it is a condition, not a whole query"
        depth += {"open": 1, "close": -1}.get(str(match.lastgroup), 0)
        if not 0 <= depth <= MOST_DEPTH:
            return f"has a parenthesis at character {at + 1} that closes nothing, or opens more than {MOST_DEPTH} deep"
        at = match.end()
    return "has a parenthesis that is never closed" if depth else None
