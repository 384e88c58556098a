"""Reads freeze calendars (iCalendar, RFC 5545): their events as closures.

The library expands what a rule says, however much that is, so rules are bounded before it sees them: at most one
occurrence a day, and one within the 400 years after which the calendar repeats itself. Definitions of time zones in
the file are passed over, since the library would keep them for every later file: a zone must have a name that is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path

import recurring_ical_events
from dateutil.rrule import rrulestr
from icalendar import Calendar, Component, vDDDTypes, vRecur
from icalendar.timezone import tzp

from bridge.errors import UsageError
from bridge.files import read_bounded
from bridge.planning.planned import Closure

MAX_BYTES = 1024 * 1024
MAX_EVENTS = 5_000
MAX_RULES = 200
MAX_OCCURRENCES = 10_000
MAX_SUMMARY = 200
"""Characters of an event's summary that are kept."""
EARLIEST = 1970
"""The first year in which a repeated event may begin: later days are found by counting from there."""
_LAST_CYCLE = 9599
"""Rules are tried from here on: 400 years before the calendar's end, weekdays fall as they do today."""
_CYCLE = 400
"""Years after which the Gregorian calendar repeats itself, weekdays included."""
_TRIED_FROM = 9999 - 2 * _CYCLE
"""Rules are tried so late in the calendar that one which never holds runs into its end soon."""
_CHUNK = timedelta(days=92)
_DAILY_AT_MOST = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_BY_DATE = frozenset(
    {
        "FREQ",
        "INTERVAL",
        "COUNT",
        "UNTIL",
        "WKST",
        "BYSETPOS",
        "BYDAY",
        "BYMONTHDAY",
        "BYYEARDAY",
        "BYWEEKNO",
        "BYMONTH",
    }
)
_ZONE = re.compile(r'[\w-]+(?:;[\w-]+=(?:"[^"]*"|[^":;,]*))*?;TZID="?([^":;,]+)', re.IGNORECASE)
_FOREIGN = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)
"""What the libraries raise on events that they do not understand."""


def read_closures(path: Path, start: datetime, end: datetime) -> tuple[Closure, ...]:
    """The events of the calendar at `path` that touch the time from `start` until `end` (aware), in order, as UTC.

    All-day events begin at midnight UTC, as do times without a zone, unless the calendar names its own zone
    (X-WR-TIMEZONE). Cancelled events and those marked as free time (TRANSPARENT) are left out.

    Raises:
        UsageError: no iCalendar file, beyond a limit, or an event in it is wrong; says which.
    """
    try:
        calendars = _parse(_without_zones(_text(path)))
        found = {closure for calendar in calendars for closure in _closures(calendar, start, end)}
    except _FOREIGN as error:
        raise UsageError(f"freeze calendar {path}: {_sentence(error)}") from error
    return tuple(sorted(found, key=lambda closure: (closure.start, closure.end, closure.summary)))


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, ValueError) else f"an event in it cannot be read: {type(error).__name__} {text}"


def _text(path: Path) -> str:
    content = read_bounded(path, MAX_BYTES, "freeze calendar")
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes; leave out past events")
    return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "")


def _without_zones(text: str) -> str:
    """`text`, unfolded, without its VTIMEZONE components."""
    kept, inside = [], False
    for line in text.split("\n"):
        name = line.strip().upper()
        inside = inside or name == "BEGIN:VTIMEZONE"
        if not inside:
            _require_known_zone(line)
            kept.append(line)
        inside = inside and name != "END:VTIMEZONE"
    return "\r\n".join(kept)


def _require_known_zone(line: str) -> None:
    named = _ZONE.match(line)
    if named and not _is_zone(named[1]):
        raise ValueError(
            f"{line[:80]!r}: time zone {named[1]!r} is not known; export the calendar with IANA zones or in UTC"
        )


def _is_zone(name: str) -> bool:
    """Whether `name` is a time zone; for zoneinfo a folder of them, such as Europe, is an error of the system."""
    try:
        return tzp.timezone(name) is not None
    except OSError:
        return False


def _parse(text: str) -> Sequence[Component]:
    calendars = Calendar.from_ical(text.encode(), multiple=True)
    if not calendars or any(not isinstance(calendar, Calendar) for calendar in calendars):
        raise ValueError("it is no iCalendar file: BEGIN:VCALENDAR is missing")
    events = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    repeated = sum("RRULE" in event for event in events)
    if len(events) > MAX_EVENTS or repeated > MAX_RULES:
        raise ValueError(
            f"it has {len(events)} events, {repeated} of them repeated; "
            f"the limits are {MAX_EVENTS} and {MAX_RULES}: leave out past ones"
        )
    for event in events:
        _require_sound(event)
    return calendars


def _require_sound(event: Component) -> None:
    what = f"event {_summary(event)!r}"
    for name, problem in event.errors:
        raise ValueError(f"{what}: {name or 'a line'} is wrong: {problem}")
    if "DTSTART" not in event:
        raise ValueError(f"{what} has no DTSTART: it must say when it begins")
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        if isinstance(rule, vRecur):
            _require_bounded(rule, _time(event, "DTSTART"), f"{what}: rule {_rule_text(rule)}")


def _require_bounded(rule: vRecur, start: date, what: str) -> None:
    """Whether the rule holds at most once a day, and ever."""
    if rule.get("FREQ", [""])[0] not in _DAILY_AT_MOST or not _BY_DATE.issuperset(rule):
        raise ValueError(f"{what}: a freeze repeats daily, weekly, monthly or yearly, chosen by dates and not by hours")
    if min(rule.get("INTERVAL", [1])) < 1:
        raise ValueError(f"{what}: INTERVAL must be 1 or more")
    if start.year < EARLIEST:
        raise ValueError(f"{what}: a repeated event must begin in {EARLIEST} or later, this one in {start.year}")
    early = vRecur({name: value for name, value in rule.items() if name not in {"UNTIL", "COUNT"}})
    tried = datetime(_TRIED_FROM + (start.year - _TRIED_FROM) % _CYCLE, start.month, start.day, tzinfo=UTC)
    if next(iter(rrulestr(_rule_text(early), dtstart=tried)), None) is None:
        raise ValueError(f"{what} names a day that never comes")


def _rule_text(rule: vRecur) -> str:
    text: bytes = rule.to_ical()  # type: ignore[no-untyped-call] # the library does not say
    return text.decode()


def _closures(calendar: Component, start: datetime, end: datetime) -> set[Closure]:
    """Its events in pieces of time, so that the library never makes many more than are allowed."""
    zone = _own_zone(calendar)
    query = recurring_ical_events.of(calendar)
    found: set[Closure] = set()
    while start < end:
        until = min(start + _CHUNK, end)
        events = [event for event in query.between(start, until) if _shuts(event)]
        found |= {closure for event in events if (closure := _closure(event, zone)).start < closure.end}
        if len(found) > MAX_OCCURRENCES:
            raise ValueError(f"its events happen more than {MAX_OCCURRENCES} times until {end:%Y-%m-%d}")
        start = until
    return found


def _own_zone(calendar: Component) -> tzinfo:
    name = str(calendar.get("X-WR-TIMEZONE", "UTC"))
    zone = tzp.timezone(name)
    if zone is None:
        raise ValueError(f"X-WR-TIMEZONE {name!r} is not known; write an IANA time zone such as Europe/Berlin")
    return zone


def _shuts(event: Component) -> bool:
    return str(event.get("STATUS")).upper() != "CANCELLED" and str(event.get("TRANSP")).upper() != "TRANSPARENT"


def _closure(event: Component, zone: tzinfo) -> Closure:
    return Closure(_utc(_time(event, "DTSTART"), zone), _utc(_time(event, "DTEND"), zone), _summary(event))


def _time(event: Component, name: str) -> date:
    value = event[name]
    if not isinstance(value, vDDDTypes) or not isinstance(value.dt, date):
        raise ValueError(f"event {_summary(event)!r}: {name} is no date or time")  # noqa: TRY004 - the file is wrong
    return value.dt


def _utc(moment: date, zone: tzinfo) -> datetime:
    """`moment` in UTC; a day begins at midnight in `zone`, to which times without a zone belong, too."""
    full = moment if isinstance(moment, datetime) else datetime.combine(moment, time())
    return (full if full.tzinfo else full.replace(tzinfo=zone)).astimezone(UTC)


def _summary(event: Component) -> str:
    """What people call the event, fit for a terminal."""
    text = "".join(char for char in " ".join(str(event.get("SUMMARY", "")).split()) if char.isprintable())
    return text[:MAX_SUMMARY] or "an event without a name"
