"""Retries: which failures may be tried again, how often, and when."""

from __future__ import annotations

import msgspec
import pytest

from bridge.engine.evidence import Spared
from bridge.engine.orders import add, some
from bridge.engine.progress import OrderKind
from bridge.engine.retries import retry, retryable, spared, times
from bridge.engine.sight import FailedDevice, Sight
from bridge.release.errors import FailureCode
from bridge.rollout.rules import Retries
from bridge.tally import Tally
from tests.bridge.plans import F1, FACTORY, MINUTE, NOW, failed, ids, kinds, new_plan, report, running

EACH = Retries(download=1, board=2, trial=3, silent=4)
FAILED = {FACTORY: Tally(installed=2, failed=2, open=False)}


@pytest.mark.parametrize("code", [*FailureCode, None])
def test_each_class_has_its_own_number(code):
    """Refusals and withdrawals have none."""
    expected = {1: 0, 2: 1, 3: 2, 4: 3, 5: 1}[code // 100] if code else 4

    assert times(EACH, code) == (0 if code is FailureCode.WITHDRAWN else expected)


def plan_with(**retries):
    """Four devices in the factory."""
    return new_plan((4, 0), retries=retries)


def test_only_failures_of_the_newest_attempt_are_tried_again():
    """A device that is being tried again, or is offered the release by a later order, failed there or not at all."""
    plan = plan_with(download=5)
    progress = running(plan, FAILED)
    sight = failed(FailureCode.DOWNLOAD, FailureCode.DOWNLOAD)
    one = add(progress, F1, some(plan, F1, OrderKind.RETRY, ("factory-s1-000",), NOW))
    all_again = add(progress, F1, some(plan, F1, OrderKind.LATE, ("factory-new",), NOW))
    whole = add(progress, F1, running(plan, {}).at(F1)[0])

    found = [retryable(plan, each, sight).get(F1, ()) for each in (progress, one, all_again, whole)]

    assert [[each.device[-1] for each in devices] for devices in found] == [["0", "1"], ["1"], ["0", "1"], []]


def test_attempts_are_counted_by_device():
    """Two retries for one class: the third failure is the last."""
    plan = plan_with(download=2)
    progress, outcomes = running(plan, FAILED), []
    for number in range(4):
        sight = failed(FailureCode.DOWNLOAD, number=number)
        outcomes.append(bool(retryable(plan, progress, sight)))
        progress = add(progress, F1, some(plan, F1, OrderKind.RETRY, ("factory-s1-000",), NOW))

    assert outcomes == [True, True, False, False]


def test_an_attempt_that_was_withdrawn_before_its_end_does_not_count():
    """It is made again; one that had ended counts, although it was withdrawn later with all the others."""
    plan = plan_with(download=2)
    tried = add(running(plan, FAILED), F1, some(plan, F1, OrderKind.RETRY, ("factory-s1-000",), NOW))
    ended = report(tried, F1, Tally(failed=1, open=False))
    closed = {
        name: add(
            msgspec.structs.replace(
                each,
                orders=(
                    msgspec.structs.replace(
                        each.orders[0],
                        orders=tuple(msgspec.structs.replace(order, closing=True) for order in each.at(F1)),
                    ),
                ),
            ),
            F1,
            some(plan, F1, OrderKind.RETRY, ("factory-s1-000",), NOW),
        )
        for name, each in {"withdrawn": tried, "ended": ended}.items()
    }
    sight = failed(FailureCode.DOWNLOAD, number=2)

    assert bool(retryable(plan, closed["withdrawn"], sight))
    assert not retryable(plan, closed["ended"], sight)


def test_a_round_of_retries_waits_for_its_delay():
    """From the moment at which the first device was seen to wait; then all go together."""
    plan = plan_with(download=1, silent=1, delay="10m")
    progress = running(plan, FAILED)
    again = {F1: (*failed(FailureCode.DOWNLOAD).failed[F1], FailedDevice("factory-s1-003", 0, None))}

    waits = retry(plan, progress, {F1: again[F1][:1]}, NOW)
    almost = retry(plan, waits, again, NOW + 9 * MINUTE)
    tried = retry(plan, almost, again, NOW + 10 * MINUTE)

    assert waits.retry_since == almost.retry_since == NOW
    assert (tried.retry_since, kinds(tried, F1)) == (None, [OrderKind.STAGE, OrderKind.RETRY])
    order = tried.at(F1)[1]
    assert (order.devices, order.size, order.again, order.silent) == (("factory-s1-000", "factory-s1-003"), 2, 2, 1)


def test_one_round_at_a_time():
    """While a retry is under way no other is begun at that place."""
    plan = plan_with(download=1, delay="0s")
    again = failed(FailureCode.DOWNLOAD).failed
    progress = add(running(plan, FAILED), F1, some(plan, F1, OrderKind.RETRY, ("factory-s1-003",), NOW))

    assert kinds(retry(plan, progress, again, NOW), F1) == [OrderKind.STAGE, OrderKind.RETRY]
    done = report(progress, F1, Tally(installed=1, open=False))
    assert kinds(retry(plan, done, again, NOW), F1) == [OrderKind.STAGE, OrderKind.RETRY, OrderKind.RETRY]


def test_what_cannot_be_read_spends_nothing_yet():
    """Only where the answer could matter, and only while the place is beyond reach."""
    plan, strict = plan_with(download=1), new_plan((4, 0))
    progress = running(plan, {FACTORY: Tally(installed=1, failed=2, timed_out=1)})
    unread, read = Sight(unseen={F1: "throttled"}), failed(FailureCode.DOWNLOAD, None)
    again = retryable(plan, progress, read)

    assert spared(plan, progress, unread, {}) == {F1: Spared(3, 1)}
    assert spared(strict, progress, unread, {}) == {}
    assert spared(plan, progress, read, again) == {F1: Spared(1, 0)}


def test_reports_that_are_newer_than_the_tally_hide_no_other_failure():
    """Three are to be tried again, of whom the tally knows two: a third place's failure still counts."""
    plan = plan_with(download=1)
    progress = running(plan, FAILED)
    sight = failed(FailureCode.DOWNLOAD, FailureCode.DOWNLOAD, FailureCode.DOWNLOAD)

    assert spared(plan, progress, sight, retryable(plan, progress, sight)) == {F1: Spared(2, 0)}


def test_work_grows_with_the_failed_devices_and_not_with_their_square():
    """A bad network fails tens of thousands at once; a pass that takes minutes withdraws nothing."""
    plan, devices = new_plan((40_000, 0), retries={"download": 2}), ids("factory-s1", 40_000)
    progress = add(running(plan, FAILED), F1, some(plan, F1, OrderKind.RETRY, devices, NOW))
    again = tuple(FailedDevice(device, 1, FailureCode.DOWNLOAD) for device in devices)

    assert retryable(plan, progress, Sight(failed={F1: again})) == {F1: again}
