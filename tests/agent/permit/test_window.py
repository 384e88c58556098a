"""The device's maintenance window: a table of times, daylight saving included, and clocks that were never set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.permit.permission import ALLOWED, Facts, Later, Moment
from agent.permit.window import WEEKDAYS, WindowGate, WindowSettings, is_open, next_opening, window_at

FACTS = Facts("job-1", "ab", "gateway", "2.0.0", 2, "a", "b")
NIGHT = WindowSettings("22:00", "04:00", ("fri", "sat"), "Europe/Berlin")
SKIPPED = WindowSettings("02:00", "03:00", ("sun",), "Europe/Berlin")
"""In the night to 2026-03-29 this hour does not exist, in that to 2026-10-25 it comes twice."""
NOON = WindowSettings("12:00", "13:30", zone="America/New_York")
YESTERDAY = WindowSettings("23:30", "00:30", ("mon",), "Pacific/Kiritimati")


def at(text: str) -> datetime:
    """A time of day, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        (NIGHT, "2026-01-09 20:59", "2026-01-09 21:00"),
        (NIGHT, "2026-01-09 21:00", "2026-01-09 21:00"),
        (NIGHT, "2026-01-10 02:59", "2026-01-10 02:59"),
        (NIGHT, "2026-01-10 03:00", "2026-01-10 21:00"),
        (NIGHT, "2026-01-11 03:00", "2026-01-16 21:00"),
        (NIGHT, "2026-07-10 19:59", "2026-07-10 20:00"),
        # The night in which an hour is skipped: six hours from 22:00 are over at 05:00.
        (NIGHT, "2026-03-29 02:59", "2026-03-29 02:59"),
        (NIGHT, "2026-03-29 03:00", "2026-04-03 20:00"),
        # The one in which an hour comes twice: they are over at 03:00.
        (NIGHT, "2026-10-25 01:59", "2026-10-25 01:59"),
        (NIGHT, "2026-10-25 02:00", "2026-10-30 21:00"),
        (SKIPPED, "2026-03-29 00:59", "2026-03-29 01:00"),
        (SKIPPED, "2026-03-29 01:59", "2026-03-29 01:59"),
        (SKIPPED, "2026-03-29 02:00", "2026-04-05 00:00"),
        (SKIPPED, "2026-10-24 23:59", "2026-10-25 00:00"),
        (SKIPPED, "2026-10-25 00:59", "2026-10-25 00:59"),
        (SKIPPED, "2026-10-25 01:00", "2026-11-01 01:00"),
        (NOON, "2026-03-08 15:59", "2026-03-08 16:00"),
        (NOON, "2026-03-07 17:00", "2026-03-07 17:00"),
        (NOON, "2026-03-07 18:30", "2026-03-08 16:00"),
        (YESTERDAY, "2026-01-12 09:29", "2026-01-12 09:30"),
        (YESTERDAY, "2026-01-12 10:29", "2026-01-12 10:29"),
        (YESTERDAY, "2026-01-12 10:30", "2026-01-19 09:30"),
    ],
)
def test_when_it_opens(window, now, opens):
    """Where that is now, it is open."""
    assert next_opening(window, at(now)) == at(opens)
    assert is_open(window, at(now)) is (now == opens)


WINDOWS = st.builds(
    lambda start, length, days, zone: WindowSettings(
        f"{start // 60:02}:{start % 60:02}",
        f"{(start + length) % 1440 // 60:02}:{(start + length) % 60:02}",
        tuple(days),
        zone,
    ),
    st.integers(0, 1439),
    st.integers(1, 1439),
    st.sets(st.sampled_from(WEEKDAYS), min_size=1).map(sorted),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]),
)


@given(WINDOWS, st.datetimes(datetime(2025, 1, 1), datetime(2039, 1, 1)))  # noqa: DTZ001 - made aware below
def test_it_opens_within_nine_days(window, moment):
    """Whatever the clocks do, no window keeps an update waiting for ever; and it is open when it says so."""
    now = moment.replace(tzinfo=UTC)
    opens = next_opening(window, now)

    assert now <= opens < now + timedelta(days=9)
    assert is_open(window, opens)


@pytest.mark.parametrize(
    ("window", "now", "state"),
    [
        (None, "2026-01-09 21:00", ("none", None)),
        (NIGHT, "2026-01-09 21:00", ("open", None)),
        (NIGHT, "2026-01-09 20:00", ("shut", at("2026-01-09 21:00"))),
        (NIGHT, "1970-01-02 00:00", ("unknown", None)),
    ],
)
def test_how_it_stands(window, now, state):
    """For the status."""
    assert window_at(window, at(now)) == state


def gate(now: str, ticks: list[float], moments: frozenset[Moment] = frozenset({Moment.INSTALL})) -> WindowGate:
    """A gate of NIGHT at a time of day; `ticks` are given one by one."""
    return WindowGate(NIGHT, moments, lambda: at(now), lambda: ticks.pop(0))


def test_only_the_restart_waits():
    """A download in the day harms nobody; unless the owner wants that to wait, too. A person does not wait at all."""
    assert gate("2026-01-08 12:00", [0.0]).ask(Moment.DOWNLOAD, FACTS) == ALLOWED
    both = frozenset({Moment.DOWNLOAD, Moment.INSTALL})
    assert isinstance(gate("2026-01-08 12:00", [0.0], both).ask(Moment.DOWNLOAD, FACTS), Later)
    ordered = Facts("folder:1", "ab", "g", "2", 2, "a", "b", ordered=True)
    assert gate("2026-01-08 12:00", [0.0]).ask(Moment.INSTALL, ordered) == ALLOWED


def test_it_says_when_it_opens():
    """In the owner's time zone."""
    assert gate("2026-01-08 12:00", [0.0]).ask(Moment.INSTALL, FACTS) == Later(
        "window", "opens Fri 2026-01-09 22:00 Europe/Berlin", 33 * 3600
    )


def test_a_clock_that_was_never_set_blocks_for_an_hour():
    """Then nobody knows when the window is open, and the update matters more."""
    asked = gate("1970-01-02 12:00", [0.0, 10.0, 3599.0, 3600.0])

    answers = [asked.ask(Moment.INSTALL, FACTS) for _ in range(3)]

    assert answers[0] == Later("window", "the clock was never set, so nobody knows whether the window is open", 3590.0)
    assert isinstance(answers[1], Later)
    assert answers[2] == ALLOWED


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"start": "25:00", "end": "04:00"}', "start"),
        ('{"start": "04:00", "end": "04:00"}', "leave the table out for a window that never shuts"),
        ('{"start": "22:00", "end": "04:00", "zone": "Europe/Nowhere"}', "zone 'Europe/Nowhere' is no time zone"),
        ('{"start": "22:00", "end": "04:00", "zone": "/etc/passwd"}', "zone '/etc/passwd' is no time zone"),
        ('{"start": "22:00", "end": "04:00", "weekdays": []}', "length >= 1"),
    ],
)
def test_a_window_that_cannot_be(text, words):
    """Is refused when the configuration is read, not in the night."""
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.json.decode(text, type=WindowSettings)
