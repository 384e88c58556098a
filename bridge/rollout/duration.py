"""Spans of time as people write them: `90s`, `30m`, `24h`, `7d`, `1d12h`. Pure."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from msgspec import Meta

_PARTS = r"([0-9]{1,4}w)?([0-9]{1,5}d)?([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,8}s)?\Z"
_WORDS = "a span of time such as 30m, 24h, 7d or 1d12h"
_EXAMPLES = ["30m", "24h", "7d", "1d12h"]

Duration = Annotated[str, Meta(pattern=rf"^(?=[0-9]){_PARTS}", examples=_EXAMPLES, extra={"words": _WORDS})]
"""Weeks, days, hours, minutes, seconds, in this order, each at most once: `1d12h`. `0s` is none."""
PositiveDuration = Annotated[
    str, Meta(pattern=rf"^(?=.*[1-9]){_PARTS}", examples=_EXAMPLES, extra={"words": f"{_WORDS}, above zero"})
]
"""A `Duration` of a second or more."""

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_PART = re.compile(r"([0-9]+)([wdhms])")


def span(duration: str) -> timedelta:
    """The span that a `Duration` names: from nothing to about 700 years."""
    return timedelta(**{_UNITS[unit]: int(number) for number, unit in _PART.findall(duration)})


def in_words(length: timedelta) -> str:
    """A span for people, in its two largest units: `1 d 12 h`, `45 s`."""
    seconds = max(0, round(length.total_seconds()))
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"
