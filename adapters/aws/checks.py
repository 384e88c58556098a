"""The words in which `limits` states what a value must be, and ways to find values in a request. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from adapters.violations import Violation

Check = Callable[[object], str | None]
"""The limit in words, when the value breaks it."""
Request = Mapping[str, object]

TIME = "%Y-%m-%dT%H:%M"
MINUTE_LENGTH = 16


def text(least: int, most: int, pattern: str = ".*", shape: str = "") -> Check:
    """Between `least` and `most` characters, all of it matching `pattern`; `shape` says so in words."""

    def check(value: object) -> str | None:
        if not isinstance(value, str):
            return "must be text"
        if not least <= len(value) <= most:
            return f"must have {least} to {most} characters, has {len(value)}"
        return None if re.fullmatch(pattern, value, re.DOTALL) else f"must be {shape}"

    return check


def plain(least: int, most: int) -> Check:
    """Between `least` and `most` characters, none of them a control, format, private or unassigned one."""
    length = text(least, most)

    def check(value: object) -> str | None:
        broken = length(value)
        if broken is not None:
            return broken
        kinds = {unicodedata.category(char)[0] for char in str(value)}
        return "must be free of control and format characters" if "C" in kinds else None

    return check


def number(least: float, most: float, decimals: int = 0) -> Check:
    """From `least` to `most`, with at most so many decimals."""

    def check(value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return "must be a number"
        if not least <= value <= most:
            return f"must lie between {least:g} and {most:g}"
        return None if round(value, decimals) == value else f"may have {decimals} decimals at most"

    return check


def one_of(*words: str) -> Check:
    """One of `words`."""
    return lambda value: None if value in words else f"must be one of {', '.join(words)}"


def many(least: int, most: int) -> Check:
    """A list of so many."""

    def check(value: object) -> str | None:
        if not isinstance(value, (list, tuple)):
            return "must be a list"
        return None if least <= len(value) <= most else f"must hold {least} to {most}, holds {len(value)}"

    return check


def moment(value: object) -> str | None:
    """A minute, as a schedule names it."""
    return None if parse_minute(value) else "must be UTC as YYYY-MM-DDThh:mm, without seconds or zone"


def parse_minute(value: object) -> datetime | None:
    """The minute that a schedule names; None for anything else."""
    try:
        return datetime.strptime(str(value), TIME) if len(str(value)) == MINUTE_LENGTH else None  # noqa: DTZ007 - the service fixes UTC and forbids naming it
    except ValueError:
        return None


def select(value: object, path: list[str], field: str) -> Iterator[tuple[str, object]]:
    """The values at `path` with their full names; `name[]` stands for each element of a list."""
    if not path:
        yield field, value
        return
    name, each, _ = path[0].partition("[]")
    member = value.get(name) if isinstance(value, Mapping) else None
    here = f"{field}.{name}".lstrip(".")
    if member is None:
        return
    if not each:
        yield from select(member, path[1:], here)
        return
    for index, element in enumerate(_elements(member)):
        yield from select(element, path[1:], f"{here}[{index}]")


def _elements(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []


def violation(field: str, value: object, limit: str) -> Violation:
    """That `value` breaks `limit`, with as much of it as helps a person."""
    return Violation(field, repr(value)[:80], limit)
