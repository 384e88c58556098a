"""Whether devices may be offered a release now, by maintenance windows and freeze calendars, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec

from bridge.planning.planned import Closure
from bridge.rollout.rules import MaintenanceWindow
from bridge.schedule.closures import freezes, frozen, thaw
from bridge.schedule.windows import Opening, each_opening, first_to_open, is_open, next_opening

MAX_OPENINGS = 400
"""Openings looked at for one answer: more than a year of nightly windows."""


class ShutBy(StrEnum):
    """What keeps devices from being offered the release. `freeze` where both do: it is the stronger word."""

    WINDOW = "window"
    FREEZE = "freeze"


class Open(msgspec.Struct, frozen=True):
    """Devices may be offered the release."""


class Shut(msgspec.Struct, frozen=True):
    """They may not. `until` (UTC) is when they next may, by windows and freezes together; None: not in sight."""

    kind: ShutBy
    reason: str
    until: datetime | None


def may_offer(windows: Sequence[MaintenanceWindow], closures: Sequence[Closure], now: datetime) -> Open | Shut:
    """Whether devices may be offered a release at `now` (aware). `windows` must be sound (`windows.require`)."""
    closure = frozen(closures, now)
    if closure is None and is_open(windows, now):
        return Open()
    until = _resumes(windows, closures, now)
    if closure is None:
        return Shut(ShutBy.WINDOW, _outside(windows, now, until), until)
    return Shut(ShutBy.FREEZE, _frozen(closure, windows, until), until)


def open_time(
    windows: Sequence[MaintenanceWindow], closures: Sequence[Closure], start: datetime, length: timedelta
) -> datetime | None:
    """When `length` of open time from `start` (aware) on will have passed, as UTC; None: not in sight.

    After MAX_OPENINGS the rest is estimated: as much of the time open as so far.
    """
    left, last = length, start.astimezone(UTC)
    for begin, end in _open_spans(windows, closures, start):
        if end is None or end - begin >= left:
            return _later(begin, left)
        left, last = left - (end - begin), end
    passed = last - start
    return _later(start.astimezone(UTC), passed * (length / (length - left))) if left < length else None


def _later(moment: datetime, span: timedelta) -> datetime | None:
    """None beyond the calendar."""
    try:
        return moment + span
    except OverflowError:
        return None


def _open_spans(
    windows: Sequence[MaintenanceWindow], closures: Sequence[Closure], start: datetime
) -> Iterator[Opening]:
    shut = freezes(closures)
    for opening in islice(each_opening(windows, start), MAX_OPENINGS):
        yield from _cut(opening, shut)


def _cut(opening: Opening, shut: Sequence[tuple[datetime, datetime]]) -> Iterator[Opening]:
    """What is left of `opening` outside of the times `shut`, which are in order and apart."""
    start, end = opening
    for begin, until in shut:
        if until <= start:
            continue
        if end is not None and begin >= end:
            break
        if begin > start:
            yield Opening(start, begin)
        start = until
    if end is None or start < end:
        yield Opening(start, end)


def _resumes(windows: Sequence[MaintenanceWindow], closures: Sequence[Closure], now: datetime) -> datetime | None:
    moment: datetime | None = now
    for _ in range(MAX_OPENINGS):
        moment = next_opening(windows, thaw(closures, moment) or moment) if moment else None
        if moment is None or not frozen(closures, moment):
            return moment
    return None


def _outside(windows: Sequence[MaintenanceWindow], now: datetime, until: datetime | None) -> str:
    opens = first_to_open(windows, now)
    if opens is None:
        return "outside the maintenance windows, and none of them opens again"
    moment, window = opens
    words = f"outside the maintenance windows; the next opens {_in_zone(moment, window.zone)}"
    if moment == until:
        return words
    return f"{words}, in a freeze{_and_then(windows, until)}"


def _frozen(closure: Closure, windows: Sequence[MaintenanceWindow], until: datetime | None) -> str:
    words = f"frozen by {closure.summary!r} until {closure.end.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return words if until == closure.end else f"{words}{_and_then(windows, until)}"


def _and_then(windows: Sequence[MaintenanceWindow], until: datetime | None) -> str:
    if until is None:
        return "; no time to offer the release is in sight"
    return f"; devices may be offered the release from {_in_zone_of(windows, until)}"


def _in_zone_of(windows: Sequence[MaintenanceWindow], moment: datetime) -> str:
    zones = {window.zone for window in windows}
    return _in_zone(moment, zones.pop() if len(zones) == 1 else "UTC")


def _in_zone(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"
