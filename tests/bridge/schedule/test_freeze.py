"""Freeze calendars: what a calendar program exports is read, what would mislead or never end is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.planning.planned import Closure
from bridge.schedule.closures import freezes, frozen, thaw
from bridge.schedule.freeze import MAX_OCCURRENCES, read_closures

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)


def at(month, day, hour=0):
    """A time in 2026, UTC."""
    return datetime(2026, month, day, hour, tzinfo=UTC)


def event(*lines):
    """One event named Freeze."""
    return "\r\n".join(("BEGIN:VEVENT", "UID:1@example.com", "SUMMARY:Freeze", *lines, "END:VEVENT"))


def calendar(*parts):
    """An iCalendar file."""
    return "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//EN", *parts, "END:VCALENDAR", ""))


@pytest.fixture
def read(tmp_path):
    """Writes a calendar and reads its closures in 2026."""

    def read_text(text, start=START, end=END):
        path = tmp_path / "freeze.ics"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_closures(path, start, end)

    return read_text


SPANS = [
    ("in UTC", ["DTSTART:20261224T120000Z", "DTEND:20261226T120000Z"], at(12, 24, 12), at(12, 26, 12)),
    ("all day", ["DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227"], at(12, 24), at(12, 27)),
    ("one whole day", ["DTSTART;VALUE=DATE:20261224"], at(12, 24), at(12, 25)),
    ("with a duration", ["DTSTART:20261224T120000Z", "DURATION:P1DT2H"], at(12, 24, 12), at(12, 25, 14)),
    ("floating", ["DTSTART:20261224T120000", "DTEND:20261224T130000"], at(12, 24, 12), at(12, 24, 13)),
    (
        "in a zone",
        ["DTSTART;TZID=Europe/Berlin:20260724T120000", 'DTEND;TZID="Europe/Berlin":20260724T140000'],
        at(7, 24, 10),
        at(7, 24, 12),
    ),
    (
        "in a zone of Windows",
        ["DTSTART;TZID=W. Europe Standard Time:20260124T120000", "DURATION:PT1H"],
        at(1, 24, 11),
        at(1, 24, 12),
    ),
    ("folded", ["DTSTART:202612\r\n 24T120000Z", "DTEND:20261224T1300\r\n\t00Z"], at(12, 24, 12), at(12, 24, 13)),
]


@pytest.mark.parametrize(("lines", "start", "end"), [row[1:] for row in SPANS], ids=[row[0] for row in SPANS])
def test_an_event_is_a_closure(read, lines, start, end):
    """In UTC, whatever way its times are written."""
    assert read(calendar(event(*lines))) == (Closure(start, end, "Freeze"),)


def test_days_of_a_calendar_with_its_own_zone_begin_there(read):
    """X-WR-TIMEZONE, as Google's and Apple's calendars write it."""
    text = calendar("X-WR-TIMEZONE:Europe/Berlin", event("DTSTART;VALUE=DATE:20260724"))

    assert read(text) == (Closure(at(7, 23, 22), at(7, 24, 22), "Freeze"),)


def test_a_repeated_event_is_every_occurrence(read):
    """With its exception, its extra date and its cancelled one; each Friday evening in local time."""
    moved = event("RECURRENCE-ID;TZID=Europe/Berlin:20260410T180000", "STATUS:CANCELLED",
                  "DTSTART;TZID=Europe/Berlin:20260410T180000", "DURATION:PT2H")  # fmt: skip
    text = calendar(
        event(
            "DTSTART;TZID=Europe/Berlin:20260320T180000",
            "DURATION:PT2H",
            "RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=5",
            "EXDATE;TZID=Europe/Berlin:20260403T180000",
            "RDATE;TZID=Europe/Berlin:20260501T180000",
        ),
        moved,
    )

    assert [closure.start for closure in read(text)] == [at(3, 20, 17), at(3, 27, 17), at(4, 17, 16), at(5, 1, 16)]


def test_a_rule_without_end_is_read_as_far_as_asked(read):
    """Christmas comes every year; one that began before the time asked for is there as a whole."""
    text = calendar(event("DTSTART;VALUE=DATE:20001224", "DTEND;VALUE=DATE:20010103", "RRULE:FREQ=YEARLY"))

    found = read(text, at(1, 2), at(12, 25))

    assert [(each.start.year, each.start.day, each.end.year) for each in found] == [(2025, 24, 2026), (2026, 24, 2027)]


@pytest.mark.parametrize("line", ["STATUS:CANCELLED", "TRANSP:TRANSPARENT", "DTEND:20261224T120000Z"])
def test_what_shuts_nothing_is_left_out(read, line):
    """A cancelled event, one that is marked as free time, and one of no length."""
    assert read(calendar(event("DTSTART:20261224T120000Z", line))) == ()


def test_zones_defined_in_the_file_are_not_believed(read):
    """A definition of a known name changes nothing, in this file or the next."""
    zone = ("BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:STANDARD", "DTSTART:19700101T000000",
            "TZOFFSETFROM:+0000", "TZOFFSETTO:-1200", "RRULE:FREQ=SECONDLY", "END:STANDARD",
            "END:VTIMEZONE")  # fmt: skip
    text = calendar(*zone, event("DTSTART;TZID=Europe/Berlin:20260724T120000", "DURATION:PT1H"))

    assert read(text) == (Closure(at(7, 24, 10), at(7, 24, 11), "Freeze"),)


def test_a_summary_is_fit_for_a_terminal(read):
    """No control codes, no length without end."""
    text = calendar(event("DTSTART:20261224").replace("Freeze", "\x1b[31mFreeze\\n" + "x" * 500))

    (closure,) = read(text)

    assert closure.summary.startswith("[31mFreeze x")
    assert len(closure.summary) == 200


WRONG = [
    (b"", "it is no iCalendar file"),
    (b"hello", "freeze.ics: "),
    (b"\xff\xfe", "codec can't decode"),
    (b"X" * 1_100_000, "it has more than 1048576 bytes; leave out past events"),
    (event("DTSTART:20261224"), "it is no iCalendar file: BEGIN:VCALENDAR is missing"),
    (calendar(event()), "event 'Freeze' has no DTSTART: it must say when it begins"),
    (calendar(event("DTSTART:20261224", "DTSTART:20261225")), "event 'Freeze': DTSTART is no date or time|cannot be"),
    (calendar(event("DTSTART:Christmas")), "event 'Freeze': DTSTART is wrong"),
    (calendar(event("DTSTART:20261224", "DTEND:20261324")), "event 'Freeze': DTEND is wrong"),
    (calendar(event("DTSTART:20261224", "RRULE:FREQ=NEVER")), "event 'Freeze': RRULE is wrong"),
    (calendar(event("DTSTART;TZID=Our Zone:20260724T120000")), "time zone 'Our Zone' is not known; export"),
    (calendar(event("DTSTART:20260724", "RDATE;VALUE=DATE;TZID=Ours:20260724")), "time zone 'Ours' is not known"),
    (calendar("X-WR-TIMEZONE:Ours", event("DTSTART:20261224")), "X-WR-TIMEZONE 'Ours' is not known"),
    (calendar(event("DTSTART:20261224"), "BEGIN:VEVENT"), "freeze.ics: "),
    (calendar(*[event("DTSTART:20261224")] * 5001), "it has 5001 events, 0 of them repeated; the limits are 5000 and"),
    (calendar(*[event("DTSTART:20261224", "RRULE:FREQ=DAILY")] * 201), "201 of them repeated; the limits are"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), WRONG, ids=range(len(WRONG)))
def test_a_calendar_that_would_mislead_is_refused(read, text, says):
    """The message names the file, the event and the field."""
    with pytest.raises(UsageError, match=says) as refusal:
        read(text)
    assert str(refusal.value).startswith("freeze calendar /")


RULES = [
    ("FREQ=SECONDLY", "a freeze repeats daily, weekly, monthly or yearly, chosen by dates and not by hours"),
    ("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30", "chosen by dates and not by hours"),
    ("FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=1,2", "chosen by dates and not by hours"),
    ("FREQ=DAILY;INTERVAL=0", "INTERVAL must be 1 or more"),
    ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "names a day that never comes"),
    ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;UNTIL=20270101T000000Z", "names a day that never comes"),
    ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", "names a day that never comes"),
    ("FREQ=WEEKLY;BYDAY=XX", "RRULE is wrong"),
]


@pytest.mark.parametrize(("rule", "says"), RULES, ids=[rule for rule, _ in RULES])
def test_a_rule_that_would_take_for_ever_is_refused(read, rule, says):
    """Before anything is counted."""
    with pytest.raises(UsageError, match=says):
        read(calendar(event("DTSTART:20260101T000000Z", f"RRULE:{rule}")))


def test_a_rule_from_long_ago_is_refused(read):
    """Each day since the beginning of the calendar would be counted."""
    with pytest.raises(UsageError, match="must begin in 1970 or later, this one in 1601"):
        read(calendar(event("DTSTART:16010101T000000Z", "RRULE:FREQ=DAILY")))


def test_too_many_occurrences_are_refused(read):
    """Many days of many events."""
    daily = [event(f"DTSTART:20260101T{hour:02}0000Z", "DURATION:PT1M", "RRULE:FREQ=DAILY").replace("1@", f"{hour}@")
             for hour in range(20)]  # fmt: skip
    with pytest.raises(UsageError, match=f"its events happen more than {MAX_OCCURRENCES} times until 2028-01-01"):
        read(calendar(*daily), START, datetime(2028, 1, 1, tzinfo=UTC))


def test_a_missing_file_is_told_by_name(tmp_path):
    """As for every other file."""
    with pytest.raises(UsageError, match=r"freeze calendar .*gone\.ics cannot be read: No such file"):
        read_closures(tmp_path / "gone.ics", START, END)


SOUND = calendar(
    event("DTSTART;TZID=Europe/Berlin:20260320T180000", "DURATION:PT2H", "RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=5",
          "EXDATE;TZID=Europe/Berlin:20260403T180000"),
    event("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227", "STATUS:CONFIRMED"),
).encode()  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(SOUND) - 1), st.integers(0, 255))
@example(SOUND.index(b"/Berlin"), ord(":"))
def test_a_damaged_calendar_is_read_or_refused(tmp_path_factory, place, byte):
    """Never a traceback, whatever byte is wrong."""
    path = tmp_path_factory.getbasetemp() / "damaged.ics"
    path.write_bytes(SOUND[:place] + bytes([byte]) + SOUND[place + 1 :])
    try:
        found = read_closures(path, START, END)
    except UsageError as refusal:
        found = ()
        text = str(refusal)
    else:
        text = f"freeze calendar {path}: "
    assert text.startswith(f"freeze calendar {path}: ")
    assert all(each.start < each.end for each in found)


CLOSURES = (
    Closure(at(12, 24), at(12, 27), "Christmas"),
    Closure(at(12, 26), at(12, 30), "Stock-taking"),
    Closure(at(12, 30), at(12, 31), "Audit"),
    Closure(at(2, 1), at(2, 1), "Nothing"),
)


@pytest.mark.parametrize(
    ("now", "name", "thawed"),
    [
        (at(12, 23, 23), None, None),
        (at(12, 24), "Christmas", at(12, 31)),
        (at(12, 26, 12), "Stock-taking", at(12, 31)),
        (at(12, 30), "Audit", at(12, 31)),
        (at(12, 31), None, None),
        (at(2, 1), None, None),
    ],
)
def test_a_freeze_lasts_through_events_that_touch(now, name, thawed):
    """Named after the event that lasts longest; an event's end is outside."""
    closure = frozen(CLOSURES, now)

    assert name == (closure and closure.summary)
    assert thaw(CLOSURES, now) == thawed


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=8), st.integers(0, 80))
def test_thaw_is_the_first_moment_that_is_not_frozen(spans, hour):
    """Found by counting hours."""
    closures = [Closure(START + timedelta(hours=a), START + timedelta(hours=a + b), "x") for a, b in spans]
    now = START + timedelta(hours=hour)
    later = (now + timedelta(hours=more) for more in range(100))

    free = next(moment for moment in later if frozen(closures, moment) is None)

    assert (thaw(closures, now) or now) == free
    assert all(one[1] < two[0] for one, two in zip(freezes(closures), freezes(closures)[1:], strict=False))
