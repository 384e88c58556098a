"""The moments at which a cron line fires, as UTC, and what is wrong with one that cannot. Pure.

`cronsim` says which wall times a line names; which moments those are is decided here, since a window is asked for from
both ends (is it open now? when does it open?) and both answers must agree. A wall time that the clock leaps over fires
at the leap. One that the clock shows twice fires the first time; lines whose hour begins with `*` mean every hour that
passes, and fire both times (as Debian's cron does).
"""

from __future__ import annotations

import difflib
import heapq
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_FIELDS = MappingProxyType(
    {
        "minute": "0 to 59",
        "hour": "0 to 23",
        "day-of-month": "1 to 31, in a month that has so many days, or L for the last",
        "month": "1 to 12 or JAN to DEC",
        "day-of-week": "0 to 7 (0 and 7 are Sunday) or SUN to SAT",
    }
)
_EXAMPLE = "minute, hour, day of month, month, day of week, such as 0 2 * * 1-5"
_ANY_YEAR = datetime(2000, 1, 1)  # noqa: DTZ001 - a wall time; 2000 begins a cycle of the calendar
_MINUTE = timedelta(minutes=1)


def require_zone(name: str) -> None:
    """Whether `name` is an IANA time zone. Raises: ValueError, with the nearest names."""
    if name not in _zones():
        near = difflib.get_close_matches(name, _zones(), n=2)
        advice = f"did you mean {' or '.join(near)}?" if near else "write one such as Europe/Berlin or UTC"
        raise ValueError(f"zone {name!r} is no IANA time zone; {advice}")


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(zoneinfo.available_timezones() - {"localtime"}))  # Debian's link to what this machine is set to


def require_cron(line: str) -> None:
    """Whether `line` is five fields that name a time. Raises: ValueError, with the field that is wrong."""
    fields = line.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"cron {line!r} has {len(fields)} fields, not five: {_EXAMPLE}")
    try:
        first = next(CronSim(line, _ANY_YEAR), None)
    except CronSimError as error:
        raise ValueError(_wrong_field(line, fields, str(error).removeprefix("Bad "))) from error
    if first is None:
        raise ValueError(f"cron {line!r} names a day that never comes: change its day of month, month or day of week")


def _wrong_field(line: str, fields: list[str], name: str) -> str:
    given = fields[list(_FIELDS).index(name)]
    return f"cron {line!r}: {name.replace('-', ' ')} {given!r} is wrong; it goes from {_FIELDS[name]}"


def firings(line: str, zone: str, after: datetime) -> Iterator[datetime]:
    """When `line` fires after `after` (aware), in order, as UTC; ends where it does not fire for 50 years.

    Ends with the calendar, too, in the year 9999.
    """
    place = ZoneInfo(zone)
    folds = (0, 1) if line.split()[1].startswith("*") else (0,)
    for moment in heapq.merge(*(_firings(line, place, after, fold) for fold in folds)):
        if moment > after:
            yield moment
            after = moment


def _firings(line: str, zone: tzinfo, after: datetime, fold: int) -> Iterator[datetime]:
    try:
        for wall in CronSim(line, _begin(after.astimezone(zone))):
            yield _moment(wall, zone, fold)
    except OverflowError:
        return


def _begin(local: datetime) -> datetime:
    """A wall time before which nothing fires after `local`, by either reading of an hour that the clock shows twice."""
    first, second = _offsets(local, local.tzinfo)
    return local.replace(tzinfo=None) - max(first - second, timedelta())


def _moment(wall: datetime, zone: tzinfo, fold: int) -> datetime:
    """The moment of `wall`: of the two it may have the first or second by `fold`, and the leap where it has none."""
    first, second = _offsets(wall, zone)
    while first < second:
        wall = wall.replace(second=0) + _MINUTE
        first, second = _offsets(wall, zone)
    return (wall - (second if fold else first)).replace(tzinfo=UTC)


def _offsets(wall: datetime, zone: tzinfo | None) -> tuple[timedelta, timedelta]:
    """Offsets from UTC of both readings of `wall`: the first is smaller where the clock leaps over it (PEP 495)."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return first, second
