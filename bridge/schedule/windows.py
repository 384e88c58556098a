"""Maintenance windows: whether one is open, when the next opens, when they close. Pure; every answer is UTC.

A window opens when its cron fires and stays open for its duration in real hours, whatever the clocks do meanwhile.
Openings that overlap or touch are one. No windows: always open.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from bridge.rollout.duration import span
from bridge.rollout.rules import MaintenanceWindow
from bridge.schedule.cron import firings, require_cron, require_zone

LONGEST = timedelta(days=366)
"""A window is open so long at most; a longer one is no window."""
LOOKAHEAD = 10_000
"""Firings looked at before windows count as never closing: a week of a cron that fires every minute."""
FAR = timedelta(days=3660)
"""The same for rare firings."""
_PERIOD = timedelta(seconds=59)
"""Less than lies between two firings."""


class Opening(NamedTuple):
    """From `start` until before `end`, UTC; `end` is None where no end is in sight (LOOKAHEAD, FAR)."""

    start: datetime
    end: datetime | None


def require(window: MaintenanceWindow) -> None:
    """Whether `window` ever opens.

    Raises:
        ValueError: its zone, cron or duration is wrong; says which, and what would be right.
    """
    require_zone(window.zone)
    require_cron(window.cron)
    if not timedelta() < span(window.duration) <= LONGEST:
        raise ValueError(
            f"duration {window.duration}: a window stays open for at least 1s and at most {LONGEST.days}d; "
            "leave `windows` out to offer the release at any time"
        )


def is_open(windows: Sequence[MaintenanceWindow], now: datetime) -> bool:
    """Whether devices may be offered the release at `now` (aware)."""
    return not windows or any(_is_open(window, now.astimezone(UTC)) for window in windows)


def next_opening(windows: Sequence[MaintenanceWindow], now: datetime) -> datetime | None:
    """When they are next open: `now` where they are, None where no window opens in the next 50 years."""
    if is_open(windows, now):
        return now.astimezone(UTC)
    opens = first_to_open(windows, now)
    return opens and opens[0]


def first_to_open(windows: Sequence[MaintenanceWindow], now: datetime) -> tuple[datetime, MaintenanceWindow] | None:
    """The next moment after `now` at which a window opens, and that window; None as in `next_opening`."""
    nexts = [(_next(window, now.astimezone(UTC)), window) for window in windows]
    found = [(moment, window) for moment, window in nexts if moment is not None]
    return min(found, key=lambda each: each[0], default=None)


def closes_at(windows: Sequence[MaintenanceWindow], now: datetime) -> datetime | None:
    """When they are next closed: None where they are closed at `now`, and where no end is in sight."""
    now = now.astimezone(UTC)
    ends = [_newest(window, now) + span(window.duration) for window in windows if _is_open(window, now)]
    return _sweep(windows, now, max(ends)) if ends else None


def openings(windows: Sequence[MaintenanceWindow], now: datetime, count: int) -> tuple[Opening, ...]:
    """The next `count` openings, fewer where one has no end; the first begins at `now` where they are open then."""
    found: list[Opening] = []
    for opening in each_opening(windows, now):
        found.append(opening)
        if len(found) >= count:
            break
    return tuple(found[:count])


def each_opening(windows: Sequence[MaintenanceWindow], now: datetime) -> Iterator[Opening]:
    """All openings from `now` on, without end where the windows have none."""
    start = next_opening(windows, now)
    while start is not None:
        end = closes_at(windows, start)
        yield Opening(start, end)
        start = end and next_opening(windows, end)


def _is_open(window: MaintenanceWindow, now: datetime) -> bool:
    opened = _next(window, now - span(window.duration))
    return opened is not None and opened <= now


def _next(window: MaintenanceWindow, after: datetime) -> datetime | None:
    return next(firings(window.cron, window.zone, after), None)


def _newest(window: MaintenanceWindow, now: datetime) -> datetime:
    """The last firing up to `now`, by halves: a window that is open then may fire every minute of a year."""
    newest, late = _next(window, now - span(window.duration)) or now, now
    while late - newest > _PERIOD:
        middle = newest + (late - newest) / 2
        fired = _next(window, middle)
        if fired is not None and fired <= now:
            newest = fired
        else:
            late = middle
    return newest


def _sweep(windows: Sequence[MaintenanceWindow], now: datetime, end: datetime) -> datetime | None:
    """`end`, put off by every opening that begins until then."""
    fired = heapq.merge(*(_lasting(window, now) for window in windows), key=lambda opening: opening[0])
    for number, (start, until) in enumerate(fired):
        if start > end:
            return end
        end = max(end, until)
        if number >= LOOKAHEAD or end - now > FAR:
            return None
    return end


def _lasting(window: MaintenanceWindow, after: datetime) -> Iterator[tuple[datetime, datetime]]:
    length = span(window.duration)
    return ((moment, moment + length) for moment in firings(window.cron, window.zone, after))
