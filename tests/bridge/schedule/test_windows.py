"""Maintenance windows: open when people expect it, on the days when the clocks change, too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.rollout.duration import span
from bridge.rollout.rules import MaintenanceWindow
from bridge.schedule.cron import firings, require_cron
from bridge.schedule.windows import Opening, closes_at, is_open, next_opening, openings, require

BERLIN = "Europe/Berlin"
NIGHT = MaintenanceWindow(cron="0 2 * * *", duration="4h", zone=BERLIN)


def utc(text):
    """`2026-03-29 02:30` in UTC; a zone may follow, and `+` for the second of two such times."""
    day, clock, *zone = text.rstrip("+").split()
    local = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone[0] if zone else "UTC"))
    return local.replace(fold=int(text.endswith("+"))).astimezone(UTC)


def window(cron, duration="1h", zone="UTC"):
    """A sound window."""
    made = MaintenanceWindow(cron=cron, duration=duration, zone=zone)
    require(made)
    return made


REFUSED = [
    (("0 2 * *", "1h", "UTC"), r"cron '0 2 \* \*' has 4 fields, not five: minute, hour, day of month, month, day of"),
    (("0 0 2 * * *", "1h", "UTC"), "has 6 fields, not five"),
    (("@weekly at 2", "1h", "UTC"), "has 3 fields, not five"),
    (("60 2 * * *", "1h", "UTC"), "minute '60' is wrong; it goes from 0 to 59"),
    (("0 24 * * *", "1h", "UTC"), "hour '24' is wrong; it goes from 0 to 23"),
    (("0 2 32 * *", "1h", "UTC"), "day of month '32' is wrong; it goes from 1 to 31"),
    (("0 2 * 13 *", "1h", "UTC"), "month '13' is wrong; it goes from 1 to 12 or JAN to DEC"),
    (("0 2 * * MO", "1h", "UTC"), "day of week 'MO' is wrong; it goes from 0 to 7"),
    (("*/0 2 * * *", "1h", "UTC"), r"minute '\*/0' is wrong"),
    (("0 0 30 2 *", "1h", "UTC"), "day of month '30' is wrong; .* in a month that has so many days"),
    (("0 0 */30 2 MON#5", "1h", "UTC"), "names a day that never comes: change its day of month, month or day of week"),
    (("0 2 * * *", "1h", "Europe/Berln"), "zone 'Europe/Berln' is no IANA time zone; did you mean Europe/Berlin"),
    (("0 2 * * *", "1h", "../../etc/passwd"), "is no IANA time zone; write one such as Europe/Berlin or UTC"),
    (("0 2 * * *", "1h", "localtime"), "zone 'localtime' is no IANA time zone"),
    (("0 2 * * *", "1h", "Europe"), "zone 'Europe' is no IANA time zone"),
    (("0 2 * * *", "0s", "UTC"), "duration 0s: a window stays open for at least 1s and at most 366d; leave `windows`"),
    (("0 2 * * *", "9999w", "UTC"), "duration 9999w: a window stays open for at least 1s and at most 366d"),
]


@pytest.mark.parametrize(("fields", "says"), REFUSED, ids=[" ".join(fields) for fields, _ in REFUSED])
def test_a_window_that_never_opens_is_refused(fields, says):
    """The message names the field, what it holds and what would be right."""
    cron, duration, zone = fields
    with pytest.raises(ValueError, match=says):
        require(MaintenanceWindow(cron=cron, duration=duration, zone=zone))


@given(st.text("0123456789*/,-#LW SUNMODEC\t\u00b2\u0131", max_size=30))
@example("0 0 L/2 * *")
@example("0 0 * * 1L/2")
def test_any_line_is_a_cron_or_a_sentence(line):
    """Nothing else comes out of the library, and what is accepted fires."""
    if accepts(line):
        assert next(firings(line, BERLIN, utc("2026-03-01 00:00"))) > utc("2026-03-01 00:00")


def accepts(line):
    """Whether `line` passes; a refusal begins with what it is about."""
    try:
        require_cron(line)
    except ValueError as refusal:
        if not str(refusal).startswith("cron "):
            raise
        return False
    return True


MOMENTS = [
    (NIGHT, "2026-03-02 01:59:59 Europe/Berlin", False),
    (NIGHT, "2026-03-02 02:00:00 Europe/Berlin", True),
    (NIGHT, "2026-03-02 05:59:59 Europe/Berlin", True),
    (NIGHT, "2026-03-02 06:00:00 Europe/Berlin", False),
    (window("0 22 * * FRI", "8h"), "2026-03-07 05:59:59", True),
    (window("0 22 * * FRI", "8h"), "2026-03-07 06:00:00", False),
    (window("0 0 1 * *", "40d"), "2026-02-28 12:00:00", True),
    (window("* * * * *", "1m"), "2026-02-28 12:00:59", True),
    (window("0 * * * *", "1h", BERLIN), "2026-10-25 02:30:00 Europe/Berlin+", True),
    (window("30 2 * * *", "1h", BERLIN), "2026-03-29 03:00:00 Europe/Berlin", True),
    (window("30 2 * * *", "1h", BERLIN), "2026-03-29 04:00:00 Europe/Berlin", False),
    (window("30 2 * * *", "1h", BERLIN), "2026-10-25 02:29:59 Europe/Berlin", False),
    (window("30 2 * * *", "1h", BERLIN), "2026-10-25 02:29:59 Europe/Berlin+", True),
    (window("30 2 * * *", "1h", BERLIN), "2026-10-25 02:30:00 Europe/Berlin+", False),
    (window("0 1 * * *", "3h", BERLIN), "2026-03-29 04:59:59 Europe/Berlin", True),
    (window("0 1 * * *", "3h", BERLIN), "2026-10-25 02:59:59 Europe/Berlin+", True),
    (window("0 1 * * *", "3h", BERLIN), "2026-10-25 03:00:00 Europe/Berlin", False),
]


@pytest.mark.parametrize(("one", "moment", "expected"), MOMENTS, ids=lambda each: getattr(each, "cron", None))
def test_a_window_is_open_for_its_duration(one, moment, expected):
    """Across midnight, longer than its period, in an hour that is missing, and in one that comes twice."""
    assert is_open([one], utc(moment)) is expected


def test_no_windows_are_always_open():
    """Whoever says nothing about hours means all of them."""
    now = utc("2026-03-02 12:00")

    assert is_open([], now)
    assert (now, None) == (next_opening([], now), closes_at([], now))
    assert openings([], now, 5) == (Opening(now, None),)


def test_openings_are_listed_for_people():
    """The one that is open begins now; each is four real hours, also in the short and the long night."""
    now = utc("2026-03-28 03:00 Europe/Berlin")

    assert openings([NIGHT], now, 3) == (
        Opening(now, utc("2026-03-28 06:00 Europe/Berlin")),
        Opening(utc("2026-03-29 03:00 Europe/Berlin"), utc("2026-03-29 07:00 Europe/Berlin")),
        Opening(utc("2026-03-30 02:00 Europe/Berlin"), utc("2026-03-30 06:00 Europe/Berlin")),
    )


def test_windows_that_overlap_or_touch_are_one_opening():
    """Two zones, three windows, one night; the next night begins anew."""
    windows = [window("0 1 * * *", "2h"), window("0 3 * * *", "1h", BERLIN), window("0 3 * * *", "30m")]

    first, second = openings(windows, utc("2026-02-01 00:00"), 2)

    assert first == Opening(utc("2026-02-01 01:00"), utc("2026-02-01 03:30"))
    assert second == Opening(utc("2026-02-02 01:00"), utc("2026-02-02 03:30"))


@pytest.mark.parametrize(
    "one",
    [
        window("0 0 * * *", "24h"),
        window("0 0 * * *", "25h", BERLIN),
        window("* * * * *", "1m", BERLIN),
        window("0 * * * *", "1h", BERLIN),
        window("0 0 * * MON", "8d"),
        window("0 0 1 1 *", "366d"),
    ],
    ids=lambda one: f"{one.cron} {one.duration}",
)
def test_a_window_longer_than_its_period_never_closes(one):
    """No end is in sight, and none is invented; finding that out is bounded work."""
    now = utc("2026-02-01 00:10")

    assert closes_at([one], now) is None
    assert openings([one], now, 3) == (Opening(now, None),)


def test_a_day_of_25_hours_is_longer_than_24():
    """The clocks go back: one hour of that day is outside."""
    daily = window("0 0 * * *", "24h", BERLIN)

    assert closes_at([daily], utc("2026-10-24 12:00 Europe/Berlin")) == utc("2026-10-25 23:00 Europe/Berlin")
    assert not is_open([daily], utc("2026-10-25 23:30 Europe/Berlin"))


def test_a_window_that_fires_every_minute_of_a_long_time_still_ends():
    """The newest firing is found by halves, not by counting half a million."""
    spring = window("* * * 1-6 *", "30d")

    assert closes_at([spring], utc("2026-07-15 00:00")) == utc("2026-07-30 23:59")
    assert next_opening([spring], utc("2026-08-01 00:00")) == utc("2027-01-01 00:00")


def test_a_closed_window_closes_at_no_time():
    """Only what is open closes."""
    assert closes_at([NIGHT], utc("2026-03-02 12:00")) is None


@pytest.mark.parametrize("zone", ["UTC", BERLIN, "America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize("cron", ["30 2 * * *", "0 22 * * FRI", "15 4 1,15 * *", "*/20 * * * *", "0 3 * * MON#2"])
def test_firings_are_those_of_the_library_where_it_answers_for_zones(cron, zone):
    """cronsim has rules of its own for the change of the clocks; ours agree in both directions of it."""
    for start in ("2026-03-07 00:00", "2026-03-28 00:00", "2026-10-24 00:00", "2026-10-31 12:00"):
        theirs = CronSim(cron, utc(start).astimezone(ZoneInfo(zone)))

        ours = list(islice(firings(cron, zone, utc(start)), 200))

        assert ours == [moment.astimezone(UTC) for moment in islice(theirs, 200)]


ZONES = ["UTC", BERLIN, "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Asia/Kathmandu", "Antarctica/Troll"]
CRONS = [
    "* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *", "0,30 1-3 * * *", "0 */2 * * *", "*/30 0 * * *",
    "15 0 * * SUN", "0 0 * * *", "45 23 * * *", "0 3 L * *", "0 0 29 2 *",
]  # fmt: skip
MADE = st.builds(
    MaintenanceWindow,
    cron=st.sampled_from(CRONS),
    duration=st.sampled_from(["1s", "1m", "20m", "1h", "90m", "24h", "8d"]),
    zone=st.sampled_from(ZONES),
)
CHANGES = st.sampled_from(
    [
        "2026-03-29 01:00",
        "2026-10-25 01:00",
        "2026-04-04 15:00",
        "2026-10-03 15:30",
        "2026-04-23 22:00",
        "2026-04-05 03:00",
    ]
)
NEAR = st.builds(
    lambda change, minutes: utc(change) + timedelta(minutes=minutes), CHANGES, st.integers(-3000, 3000)
) | st.datetimes(datetime(2025, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds it


@settings(max_examples=100, deadline=None)
@given(st.lists(MADE, min_size=1, max_size=3), NEAR)
def test_every_answer_agrees_with_every_other(windows, now):
    """Open exactly within the openings; the next opening is not before now, and nothing is open before it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bridge.schedule.windows.LOOKAHEAD", 100)
        _all_agree(windows, now)


def _all_agree(windows, now):
    found = openings(windows, now, 3)
    opens = next_opening(windows, now)
    assert found[0].start == opens >= now
    assert (opens == now) is is_open(windows, now)
    assert not is_open(windows, now + (opens - now) / 2) or opens == now
    for opening in found:
        _agrees(windows, opening)


def _agrees(windows, opening):
    """Open at its start, in its midst and just before its end, closed at its end."""
    end = opening.end or opening.start + timedelta(days=1)
    within = (opening.start, opening.start + (end - opening.start) / 3, end - timedelta(microseconds=1))
    assert all(is_open(windows, moment) for moment in within)
    assert is_open(windows, end) is (opening.end is None)
    assert closes_at(windows, opening.start) == opening.end


def test_firings_end_with_the_calendar():
    """29 February until the year 9999, and no error behind it."""
    assert len(list(firings("0 0 29 2 *", "UTC", utc("9990-01-01 00:00")))) == 2


@settings(max_examples=100, deadline=None)
@given(MADE.filter(lambda one: span(one.duration) <= timedelta(hours=24)), NEAR)
def test_an_open_window_fired_within_its_duration(one, now):
    """Judged by every firing of the days before, where the answer is found by one look."""
    before = now - timedelta(hours=25)
    fired = list(takewhile(lambda moment: moment <= now, firings(one.cron, one.zone, before)))

    assert is_open([one], now) is any(now - moment < span(one.duration) for moment in fired)
    assert fired == sorted(set(fired))
