"""A mistake in a file that a person wrote: where it is, and what would be right. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from operator import itemgetter
from typing import NamedTuple

Step = str | int
"""A key of a mapping, or an index of a sequence."""
Trail = tuple[Step, ...]
"""The steps from the document to a value in it."""
Lines = Mapping[Trail, int]
"""The line (from 1) of each value."""

MAX_TOLD = 10
"""Mistakes that are told at once; who has more mends these first."""
_SHOWN = 60
"""Characters of a wrong value that a message repeats."""


class Mistake(NamedTuple):
    """`what` is wrong, and would be right, with the value at the end of `trail`."""

    trail: Trail
    what: str


def told(mistakes: Iterable[Mistake], lines: Lines, where: str) -> str:
    """One line of text for each of the first mistakes in order of lines: `file:line: field: what`; empty for none."""
    placed = sorted(((_line(mistake.trail, lines), mistake) for mistake in mistakes), key=itemgetter(0))
    more = [f"{where}: and {len(placed) - MAX_TOLD} more"] if len(placed) > MAX_TOLD else []
    return "\n".join([*(_told(mistake, line, where) for line, mistake in placed[:MAX_TOLD]), *more])


def _line(trail: Trail, lines: Lines) -> int:
    """What is absent is placed at the mapping that lacks it."""
    return next((lines[trail[:end]] for end in range(len(trail), -1, -1) if trail[:end] in lines), 1)


def _told(mistake: Mistake, line: int, where: str) -> str:
    return f"{where}:{line}: {in_place(mistake)}"


def in_place(mistake: Mistake) -> str:
    """`field: what`, for a document whose lines are not known."""
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in mistake.trail).lstrip(".")
    return f"{name + ': ' if name else ''}{mistake.what}"


def shown(value: object) -> str:
    """A value as a message repeats it: text in quotes, what is long cut short, what has parts by its kind."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def nearest(word: str, known: Collection[str]) -> str:
    """`did you mean X? ` where one of the `known` words is near, otherwise nothing."""
    near = get_close_matches(word[:_SHOWN].replace("-", "_").lower(), known, n=1)
    return f"did you mean {near[0]}? " if near else ""
