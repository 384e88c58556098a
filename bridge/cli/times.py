"""Moments as people read them, always with their zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def second(moment: datetime) -> str:
    """`2026-03-01 12:30:59 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def minute(moment: datetime) -> str:
    """`2026-03-01 12:30 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def period(start: datetime, end: datetime | None, zone: str) -> str:
    """`2026-03-01 02:00 to 05:00 Europe/Berlin`, with the day of the end where it is another."""
    there = start.astimezone(ZoneInfo(zone))
    if end is None:
        return f"from {there:%Y-%m-%d %H:%M} {zone} on"
    until = end.astimezone(ZoneInfo(zone))
    shown = f"{until:%H:%M}" if until.date() == there.date() else f"{until:%Y-%m-%d %H:%M}"
    return f"{there:%Y-%m-%d %H:%M} to {shown} {zone}"
