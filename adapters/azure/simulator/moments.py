"""Times as Azure writes them: UTC, in steps of 100 ns for Device Update, in whole seconds for storage. Pure."""

from __future__ import annotations

import datetime as dt
import re
from email.utils import format_datetime

_TICKS = 10_000_000
_STORAGE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,7})?)?Z)?")


def ticks(seconds: float) -> int:
    """Steps of 100 ns since the epoch."""
    return round(seconds * _TICKS)


def from_ticks(count: int) -> str:
    """As in `2026-11-22T10:00:00.0000000Z`."""
    whole, part = divmod(count, _TICKS)
    return f"{_utc(whole):%Y-%m-%dT%H:%M:%S}.{part:07d}Z"


def moment(seconds: float) -> str:
    """`seconds` since the epoch as in `2026-11-22T10:00:00.0000000Z`."""
    return from_ticks(ticks(seconds))


def http_date(seconds: float) -> str:
    """As in the header `Last-Modified`."""
    return format_datetime(_utc(int(seconds)), usegmt=True)


def storage_time(seconds: float) -> str:
    """As in `2026-11-22T10:00:00Z`."""
    return f"{_utc(int(seconds)):%Y-%m-%dT%H:%M:%SZ}"


def parse_time(text: str) -> float | None:
    """Seconds since the epoch of a time in any ISO 8601 form with a zone; None for anything else."""
    try:
        parsed = dt.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        return None
    return parsed.timestamp() if parsed.tzinfo else None


def parse_storage_time(text: str) -> float | None:
    """Seconds since the epoch of a time in a shared access signature; UTC dates alone are such times too."""
    if not _STORAGE.fullmatch(text):
        return None
    return parse_time(text if text.endswith("Z") else f"{text}T00:00:00Z")


def _utc(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
