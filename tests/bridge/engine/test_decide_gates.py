"""The decision about failures: which are tried again, and what breaks which gate."""

from __future__ import annotations

import pytest

from bridge.engine.decide import Wait, decide
from bridge.engine.progress import Breach, OrderKind
from bridge.engine.sight import FailedDevice, Sight
from bridge.fleet import HealthCount
from bridge.ledger import Act
from bridge.release.errors import FailureCode
from bridge.tally import Tally
from tests.bridge.plans import (
    F1,
    FACTORY,
    GOOD1,
    MINUTE,
    NOW,
    failed,
    kinds,
    new_plan,
    outcome,
    report,
    running,
)

RETRIES = {"retries": {"download": 1, "trial": 2, "delay": "10m"}}


def test_a_failure_that_may_be_tried_again_waits_for_its_turn():
    """After the delay an order for just that device; meanwhile it spends no budget, and the stage does not end."""
    plan = new_plan((4, 0), **RETRIES)
    progress = running(plan, {FACTORY: Tally(installed=3, failed=1, open=False)})
    sight = failed(FailureCode.DOWNLOAD)

    waits = decide(plan, progress, sight, NOW)
    tried = decide(plan, waits.progress, sight, NOW + 10 * MINUTE)
    again = report(tried.progress, F1, Tally(waiting=1))
    done = decide(plan, report(again, F1, GOOD1), sight, NOW + 11 * MINUTE)

    assert (outcome(waits), waits.evidence.retrying, waits.evidence.bad) == (Wait.PENDING, 1, 0)
    assert kinds(waits.progress, F1) == [OrderKind.STAGE]
    assert kinds(tried.progress, F1) == [OrderKind.STAGE, OrderKind.RETRY]
    assert tried.progress.at(F1)[1].devices == ("factory-s1-000",)
    assert outcome(decide(plan, again, sight, NOW + 11 * MINUTE)) is Wait.PENDING
    assert (outcome(done), done.evidence.bad) == (Act.COMPLETED, 0)


def test_the_attempts_of_each_class_are_counted():
    """One retry for a download: the second failure spends budget."""
    plan = new_plan((4, 0), **RETRIES)
    progress = running(plan, {FACTORY: Tally(installed=3, failed=1, open=False)})
    sight = failed(FailureCode.DOWNLOAD)
    tried = decide(plan, decide(plan, progress, sight, NOW).progress, sight, NOW + 10 * MINUTE)
    worse = report(tried.progress, F1, Tally(failed=1, open=False))
    both = Sight(failed={F1: (*sight.failed[F1], FailedDevice("factory-s1-000", 1, FailureCode.DOWNLOAD))})

    decision = decide(plan, worse, both, NOW + 20 * MINUTE)

    assert (outcome(decision), decision.evidence.bad) == (Act.STOPPED, 1)


@pytest.mark.parametrize("code", [FailureCode.UNSIGNED, FailureCode.SLOT_WRITE, FailureCode.WITHDRAWN, None], ids=str)
def test_other_failures_spend_budget_at_once(code):
    """Refusals are never tried again; boards and silence are not in this file."""
    plan = new_plan((4, 0), **RETRIES)
    progress = running(plan, {FACTORY: Tally(installed=3, failed=1, open=False)})

    assert outcome(decide(plan, progress, failed(code), NOW)) is Act.STOPPED


def test_a_stage_that_has_enough_does_not_wait_for_a_retry():
    """The retry follows while the next stage runs."""
    plan = new_plan((10, 0), (5, 0), stages=[{"percent": 50, "enough": 90}, {"percent": 100}], **RETRIES)
    progress = running(plan, {FACTORY: Tally(installed=9, failed=1, open=False)})

    on = decide(plan, progress, failed(FailureCode.DOWNLOAD), NOW)
    later = decide(plan, on.progress, failed(FailureCode.DOWNLOAD), NOW)
    tried = decide(plan, later.progress, failed(FailureCode.DOWNLOAD), NOW + 10 * MINUTE)

    assert outcome(on) is Act.ADVANCED
    assert kinds(tried.progress, F1) == [OrderKind.STAGE, OrderKind.RETRY]


def test_failures_whose_reports_cannot_be_read_stop_nothing_yet():
    """They may be of the kind that is tried again; without retries in the file they stop it at once."""
    unread = Sight(unseen={F1: "fleet factory: throttled"})
    tallies = {FACTORY: Tally(installed=3, failed=1, open=False)}
    trying, not_trying = new_plan((4, 0), **RETRIES), new_plan((4, 0))

    assert outcome(decide(trying, running(trying, tallies), unread, NOW)) is Wait.UNKNOWN
    assert outcome(decide(not_trying, running(not_trying, tallies), unread, NOW)) is Act.STOPPED


def test_silence_has_a_budget_of_its_own():
    """Two silent devices do not spend the failures; a third breaks the gate of silence."""
    plan = new_plan((10, 0), (1, 0), budget={"failures": 0, "silent": 2})

    within = decide(plan, running(plan, {FACTORY: Tally(installed=8, timed_out=2)}), Sight(), NOW)
    beyond = decide(plan, running(plan, {FACTORY: Tally(installed=7, timed_out=3)}), Sight(), NOW)

    assert (outcome(within), within.evidence.bad, within.evidence.silent) == (Act.ADVANCED, 0, 2)
    assert outcome(beyond) is Act.STOPPED
    assert beyond.progress.breach == Breach("silence", beyond.reason)
    assert (
        "3 devices took the offer and were silent past their deadline; the budget of silence allows 2" in beyond.reason
    )


def test_a_silent_device_that_is_tried_again_hides_no_failure():
    """Its silence is taken back once, not twice."""
    plan = new_plan((4, 0), budget={"failures": 0, "silent": 1}, retries={"silent": 1, "delay": "0s"})
    tried = decide(plan, running(plan, {FACTORY: Tally(installed=2, running=1, timed_out=1)}), failed(None), NOW)
    progress = report(tried.progress, F1, GOOD1)

    decision = decide(plan, report(progress, F1, Tally(installed=2, failed=1, timed_out=1), 0), failed(None), NOW)

    assert kinds(tried.progress, F1) == [OrderKind.STAGE, OrderKind.RETRY]
    assert (outcome(decision), decision.evidence.bad, decision.evidence.silent) == (Act.STOPPED, 1, 0)


RATE = {"budget": {"failures": 1000}, "gates": {"failure_rate": {"limit": 5}}}


def test_a_failure_rate_that_is_proven_too_high_breaches_at_once():
    """While other devices still run."""
    plan = new_plan((100, 0), (1, 0), **RATE)

    decision = decide(plan, running(plan, {FACTORY: Tally(installed=15, failed=15, running=70)}), Sight(), NOW)

    assert outcome(decision) is Act.STOPPED
    assert decision.progress.breach == Breach("failure-rate", decision.reason)
    assert decision.reason.startswith("stage 1: 15 of 30 ended devices bad")


@pytest.mark.parametrize(("undecided", "expected"), [("hold", Wait.INCONCLUSIVE), ("advance", Act.ADVANCED)])
def test_a_failure_rate_that_cannot_tell_holds_or_goes_on(undecided, expected):
    """As the file says; only once the stage has ended."""
    gate = {"limit": 5, "undecided": undecided}
    plan = new_plan((20, 0), (1, 0), budget={"failures": 10}, gates={"failure_rate": gate})

    runs = decide(plan, running(plan, {FACTORY: Tally(installed=18, running=2)}), Sight(), NOW)
    ended = decide(plan, running(plan, {FACTORY: Tally(installed=19, failed=1)}), Sight(), NOW)

    assert (outcome(runs), outcome(ended)) == (Wait.PENDING, expected)


def test_a_failure_rate_that_is_proven_low_goes_on():
    """A hundred and more good devices are proof enough for 5 per cent."""
    plan = new_plan((200, 0), (1, 0), **RATE)

    assert outcome(decide(plan, running(plan, {FACTORY: Tally(installed=200)}), Sight(), NOW)) is Act.ADVANCED


def test_devices_that_are_tried_again_are_no_failure_rate():
    """Nine failed downloads of ten are not the release's fault until their retries fail too."""
    plan = new_plan((30, 0), retries={"download": 1}, **RATE)
    progress = running(plan, {FACTORY: Tally(installed=1, failed=15, running=14)})

    assert outcome(decide(plan, progress, failed(*[FailureCode.DOWNLOAD] * 15), NOW)) is Wait.PENDING


def test_fallbacks_have_a_gate_of_their_own():
    """Each device once, however often it fell back; other failures are the budget's."""
    plan = new_plan((10, 0), budget={"failures": 9}, gates={"fallbacks": 1})
    progress = running(plan, {FACTORY: Tally(failed=3, running=7)})
    device = FailedDevice("factory-s1-000", 0, FailureCode.FELL_BACK)

    once = decide(plan, progress, Sight(failed={F1: (device, device)}), NOW)
    twice = decide(plan, progress, failed(FailureCode.FELL_BACK, FailureCode.UNHEALTHY, FailureCode.DOWNLOAD), NOW)

    assert outcome(once) is Wait.PENDING
    assert twice.progress.breach == Breach("fallbacks", "2 devices fell back; the gate allows 1")


def test_watchdog_resets_have_a_gate():
    """The highest reading counts: a device that was reset twice does not become one that was not."""
    plan = new_plan((10, 0), gates={"watchdog_resets": 1})
    progress = running(plan, {FACTORY: Tally(installed=5, running=5)})

    one = decide(plan, progress, Sight(resets=1), NOW)
    two = decide(plan, one.progress, Sight(resets=2), NOW)

    assert outcome(one) is Wait.PENDING
    assert (one.progress.figures["watchdog-resets"], one.progress.looked) == (1, NOW)
    assert two.progress.breach == Breach(
        "watchdog-resets", "2 updated devices were reset by a watchdog; the gate allows 1"
    )


HEALTH = {"gates": {"health": [{"name": "disk-full", "queries": {FACTORY: "disk > 95"}, "limit": 5}]}}


def unhealthy(bad: int, updated: int) -> Sight:
    """A reading of the gate."""
    return Sight(health={"disk-full": {FACTORY: HealthCount(bad, updated, 0, 100)}})


def test_a_health_figure_above_its_limit_breaches():
    """The looks are counted, since each costs certainty."""
    plan = new_plan((40, 0), **HEALTH)
    progress = running(plan, {FACTORY: Tally(installed=30, running=10)})

    well = decide(plan, progress, unhealthy(1, 30), NOW)
    ill = decide(plan, well.progress, unhealthy(20, 30), NOW)

    assert (outcome(well), well.progress.looks) == (Wait.PENDING, {"disk-full": 1})
    assert (outcome(ill), ill.progress.looks) == (Act.STOPPED, {"disk-full": 2})
    assert ill.reason.startswith("disk-full: 20 of 30 updated devices disk-full")
