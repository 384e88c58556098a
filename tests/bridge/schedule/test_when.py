"""One answer from windows and freezes, in words a person understands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count, islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.planning.planned import Closure
from bridge.rollout.rules import MaintenanceWindow
from bridge.schedule.closures import frozen
from bridge.schedule.when import Open, Shut, ShutBy, may_offer, open_time
from bridge.schedule.windows import is_open

NIGHT = MaintenanceWindow(cron="0 2 * * *", duration="4h", zone="Europe/Berlin")
LATE = MaintenanceWindow(cron="0 23 * * SAT", duration="1h")


def at(month, day, hour=0, minute=0):
    """A time in 2026, UTC."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


CHRISTMAS = Closure(at(12, 24), at(12, 27), "Christmas")
EVE = Closure(at(3, 1, 12), at(3, 2, 12), "Audit")

ANSWERS = [
    ("nothing forbids it", [], [], at(3, 1), Open()),
    ("in a window", [NIGHT], [CHRISTMAS], at(3, 1, 2), Open()),
    (
        "outside",
        [NIGHT],
        [CHRISTMAS],
        at(3, 1, 12),
        Shut(
            ShutBy.WINDOW,
            "outside the maintenance windows; the next opens 2026-03-02 02:00 Europe/Berlin",
            at(3, 2, 1),
        ),
    ),
    (
        "outside, the next of two",
        [NIGHT, LATE],
        [],
        at(3, 7, 12),
        Shut(ShutBy.WINDOW, "outside the maintenance windows; the next opens 2026-03-07 23:00 UTC", at(3, 7, 23)),
    ),
    (
        "outside, and the next is in a freeze",
        [NIGHT],
        [EVE],
        at(3, 1, 11),
        Shut(
            ShutBy.WINDOW,
            "outside the maintenance windows; the next opens 2026-03-02 02:00 Europe/Berlin, in a freeze; "
            "devices may be offered the release from 2026-03-03 02:00 Europe/Berlin",
            at(3, 3, 1),
        ),
    ),
    (
        "frozen",
        [],
        [CHRISTMAS],
        at(12, 25),
        Shut(ShutBy.FREEZE, "frozen by 'Christmas' until 2026-12-27 00:00 UTC", at(12, 27)),
    ),
    (
        "frozen, and the window opens later",
        [NIGHT],
        [CHRISTMAS],
        at(12, 25, 2),
        Shut(
            ShutBy.FREEZE,
            "frozen by 'Christmas' until 2026-12-27 00:00 UTC; "
            "devices may be offered the release from 2026-12-27 02:00 Europe/Berlin",
            at(12, 27, 1),
        ),
    ),
    (
        "frozen through two events",
        [],
        [CHRISTMAS, Closure(at(12, 27), at(12, 28), "Audit")],
        at(12, 25),
        Shut(
            ShutBy.FREEZE,
            "frozen by 'Christmas' until 2026-12-27 00:00 UTC; "
            "devices may be offered the release from 2026-12-28 00:00 UTC",
            at(12, 28),
        ),
    ),
    (
        "each night of a year is frozen",
        [NIGHT],
        [Closure(at(1, 1) + timedelta(days=day), at(1, 1, 12) + timedelta(days=day), "Nights") for day in range(800)],
        at(1, 1, 12),
        Shut(
            ShutBy.WINDOW,
            "outside the maintenance windows; the next opens 2026-01-02 02:00 Europe/Berlin, in a freeze; "
            "no time to offer the release is in sight",
            None,
        ),
    ),
]


@pytest.mark.parametrize(
    ("windows", "closures", "now", "answer"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS]
)
def test_the_answer_says_why_and_until_when(windows, closures, now, answer):
    """A freeze is the stronger word; the time told is the one at which both let devices through."""
    assert may_offer(windows, closures, now) == answer


def test_a_window_that_never_opens_again_is_told():
    """A file that was not checked: nothing is invented."""
    never = MaintenanceWindow(cron="0 0 */30 2 MON#5", duration="1h")

    answer = may_offer([never], [], at(3, 1))

    assert answer == Shut(ShutBy.WINDOW, "outside the maintenance windows, and none of them opens again", None)
    assert open_time([never], [], at(3, 1), timedelta(hours=1)) is None


TIMES = [
    ("always open", [], [], timedelta(days=3), at(3, 4)),
    ("no time", [], [], timedelta(), at(3, 1)),
    ("no time, closed", [NIGHT], [], timedelta(), at(3, 1, 1)),
    ("within one night", [NIGHT], [], timedelta(hours=4), at(3, 1, 5)),
    ("into the second night", [NIGHT], [], timedelta(hours=5), at(3, 2, 2)),
    ("over a freeze", [NIGHT], [EVE], timedelta(hours=5), at(3, 3, 2)),
    ("a freeze in the night", [NIGHT], [Closure(at(3, 1, 2), at(3, 1, 4), "Short")], timedelta(hours=2), at(3, 1, 5)),
    ("a freeze of an open time", [], [EVE], timedelta(days=3), at(3, 5)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("windows", "closures", "length", "end"), [row[1:] for row in TIMES], ids=[row[0] for row in TIMES]
)
def test_open_time_is_counted(windows, closures, length, end):
    """From 1 March 2026 on; windows and freezes together."""
    assert open_time(windows, closures, at(3, 1), length) == end


def test_much_open_time_is_estimated():
    """Beyond some four hundred nights the share of open time so far goes on: a sixth of the day."""
    end = open_time([NIGHT], [], at(3, 1), timedelta(days=400))

    assert abs(end - at(3, 1) - timedelta(days=2400)) < timedelta(days=6)


def test_time_beyond_the_calendar_is_no_time():
    """Neither an error nor a date that means nothing."""
    assert open_time([], [], at(3, 1), timedelta(days=4_000_000)) is None
    assert open_time([LATE], [], at(3, 1), timedelta(days=400_000)) is None


WINDOWS = st.lists(st.sampled_from([NIGHT, LATE]), max_size=2, unique=True)
CLOSURES = st.lists(
    st.builds(
        lambda start, hours: Closure(at(3, 1) + timedelta(hours=start), at(3, 1) + timedelta(hours=start + hours), "x"),
        st.integers(0, 200),
        st.integers(1, 60),
    ),
    max_size=4,
)


@settings(max_examples=100, deadline=None)
@given(WINDOWS, CLOSURES, st.integers(0, 250 * 60))
def test_until_is_the_first_moment_at_which_it_may(windows, closures, minute):
    """Judged by asking every half hour between."""
    now = at(3, 1) + timedelta(minutes=minute)
    answer = may_offer(windows, closures, now)
    allowed = is_open(windows, now) and frozen(closures, now) is None

    assert isinstance(answer, Open) is allowed
    if isinstance(answer, Shut):
        assert isinstance(may_offer(windows, closures, answer.until), Open)
        between = (
            now + timedelta(minutes=30 * step) for step in range(int((answer.until - now).total_seconds() // 1800))
        )
        assert not any(isinstance(may_offer(windows, closures, moment), Open) for moment in between)


@settings(max_examples=50, deadline=None)
@given(WINDOWS, CLOSURES, st.integers(1, 40))
def test_open_time_counts_each_open_quarter(windows, closures, quarters):
    """Judged by counting quarters of an hour: all of these windows and freezes begin and end with one."""
    every = (at(3, 1) + timedelta(minutes=15 * step) for step in count())
    allowed = (moment for moment in every if frozen(closures, moment) is None and is_open(windows, moment))
    last = next(islice(allowed, quarters - 1, None))

    found = open_time(windows, closures, at(3, 1), timedelta(minutes=15 * quarters))

    assert found == last + timedelta(minutes=15)
