"""The maintenance window of a device: when it may restart for an update, in its own time zone. Pure.

A window opens at `start` on each of its weekdays, and stays open for as long as lies between `start` and `end` on a
clock that is never changed, whatever the clocks do in that night. `end` before `start` lies on the next day. A start in
the hour that daylight saving time skips opens as much later; one in the hour that comes twice opens the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from agent.permit.permission import ALLOWED, Answer, Facts, Later, Moment

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WindowState = Literal["none", "open", "shut", "unknown"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
"""A clock that shows less was never set: this program is younger."""
DAY = timedelta(days=1)
AHEAD = 9
"""Days: within them every weekday opens once more, in any time zone."""


class WindowSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`start` and `end` as HH:MM in the time zone `zone` (IANA). `download`: the download waits for it as well.
    `clock_minutes`: how long a clock that was never set may keep the window shut."""

    start: TimeOfDay
    end: TimeOfDay
    weekdays: Annotated[tuple[Weekday, ...], msgspec.Meta(min_length=1, max_length=7)] = WEEKDAYS
    zone: str = "UTC"
    download: bool = False
    clock_minutes: Annotated[int, msgspec.Meta(ge=0, le=10080)] = 60

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError(f"start and end are both {self.start}; leave the table out for a window that never shuts")
        zone_of(self)


def zone_of(window: WindowSettings) -> ZoneInfo:
    """The time zone of `window`. Raises: ValueError where this device does not know it."""
    try:
        return ZoneInfo(window.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"zone {window.zone!r} is no time zone that this device knows, such as Europe/Berlin; is tzdata installed?"
        ) from error


def is_open(window: WindowSettings, now: datetime) -> bool:
    """Whether `window` is open at `now` (aware)."""
    return any(start <= now < end for start, end in _openings(window, now))


def next_opening(window: WindowSettings, now: datetime) -> datetime:
    """When `window` opens next, UTC; `now` itself where it is open."""
    if is_open(window, now):
        return now.astimezone(UTC)
    return min(start for start, _ in _openings(window, now) if start > now)


def window_at(window: WindowSettings | None, now: datetime) -> tuple[WindowState, datetime | None]:
    """How the window stands at `now`, and when it opens where it is shut."""
    if window is None:
        return "none", None
    if now < EARLIEST:
        return "unknown", None
    opens = next_opening(window, now)
    return ("open", None) if opens == now else ("shut", opens)


def _openings(window: WindowSettings, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """From `start` until before `end`, UTC: those of the days around `now`."""
    zone, length = zone_of(window), _length(window)
    today = now.astimezone(zone).date()
    for ahead in range(-2, AHEAD):
        day = today + ahead * DAY
        if WEEKDAYS[day.weekday()] in window.weekdays:
            start = _moment(day, window.start, zone)
            yield start, start + length


def _length(window: WindowSettings) -> timedelta:
    length = _since_midnight(window.end) - _since_midnight(window.start)
    return length if length > timedelta() else length + DAY


def _since_midnight(text: str) -> timedelta:
    return timedelta(hours=int(text[:2]), minutes=int(text[3:]))


def _moment(day: date, text: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.fromisoformat(text), zone).astimezone(UTC)


class WindowGate:
    """Lets an update go on while the window is open. What a person orders at the device does not wait for it."""

    def __init__(
        self,
        window: WindowSettings,
        moments: frozenset[Moment],
        clock: Callable[[], datetime],
        ticks: Callable[[], float],
    ) -> None:
        """`clock` gives the time of day, UTC, aware; `ticks` seconds that never go back."""
        self._window = window
        self._moments = moments
        self._clock = clock
        self._ticks = ticks
        self._began = ticks()

    def ask(self, moment: Moment, facts: Facts) -> Answer:
        """See Permission."""
        if moment not in self._moments or facts.ordered:
            return ALLOWED
        now = self._clock()
        if now < EARLIEST:
            return self._without_clock()
        if is_open(self._window, now):
            return ALLOWED
        opens = next_opening(self._window, now)
        local = opens.astimezone(zone_of(self._window))
        return Later("window", f"opens {local:%a %Y-%m-%d %H:%M} {self._window.zone}", (opens - now).total_seconds())

    def _without_clock(self) -> Answer:
        left = self._window.clock_minutes * 60 - (self._ticks() - self._began)
        if left <= 0:
            return ALLOWED
        return Later("window", "the clock was never set, so nobody knows whether the window is open", left)
