"""Devices that fail again after a pause."""

from __future__ import annotations

from bridge.engine.orders import add, reopen, some, withdraw
from bridge.engine.progress import OrderKind, Progress
from bridge.engine.repeats import repeated
from bridge.engine.sight import FailedDevice, Sight
from bridge.tally import Tally
from tests.bridge.plans import F1, FACTORY, NOW, new_plan, report, running

PLAN = new_plan((9, 0))
BAD = Tally(failed=2, waiting=7)


def nights(count: int) -> Progress:
    """The stage under way for so many nights."""
    progress = running(PLAN, {FACTORY: BAD})
    for _ in range(count - 1):
        progress = report(reopen(PLAN, withdraw(progress), NOW), F1, BAD)
    return progress


def seen(*failures: tuple[str, int, int | None]) -> Sight:
    """Devices with the number of the order in which they failed; None is silence."""
    return Sight(failed={F1: tuple(FailedDevice(device, number, code) for device, number, code in failures)})


def told(progress: Progress) -> list[tuple[int, int]]:
    """How many devices of each order failed again, and how many of them had been silent."""
    return [(order.again, order.silent) for order in progress.at(F1)]


def test_the_first_order_repeats_nothing():
    """A device that is reported twice there failed once."""
    assert told(repeated(nights(1), seen(("a", 0, 200), ("b", 0, 200)))) == [(0, 0)]


def test_each_night_says_who_failed_before():
    """Silence before is told apart, whatever came after it."""
    sight = seen(("a", 0, 200), ("b", 0, None), ("a", 1, 200), ("c", 1, 200), ("b", 2, 200), ("c", 2, None))

    assert told(repeated(nights(3), sight)) == [(0, 0), (1, 0), (2, 1)]


def test_a_failure_under_a_retry_of_the_night_is_one_of_the_night():
    """The orders for named devices belong to the one for the whole stage before them; their own figures stay."""
    retry = some(PLAN, F1, OrderKind.RETRY, ("a",), NOW)
    progress = add(nights(2), F1, retry)

    assert told(repeated(progress, seen(("a", 0, 200), ("a", 2, 200)))) == [(0, 0), (1, 0), (0, 0)]


def test_what_was_not_read_now_stays_as_it_was():
    """A fleet that is away changes no figure."""
    known = repeated(nights(2), seen(("a", 0, 200), ("a", 1, 200)))

    assert repeated(known, Sight()) == known


def test_reports_that_are_newer_than_the_tally_take_nothing_back():
    """Three devices failed again, of whom the tally counts two yet."""
    sight = seen(*((device, number, 200) for device in "abc" for number in (0, 1)))

    assert told(repeated(nights(2), sight)) == [(0, 0), (2, 0)]
