"""Rollouts while fleets are away, throttle, refuse for good, or lose what they were told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.engine import controls
from bridge.engine.decide import Wait
from bridge.engine.progress import State
from bridge.fleet import FleetError
from bridge.ledger import Act
from bridge.planning.cohort import ranked
from bridge.planning.planned import Place
from bridge.release.report import Outcome
from tests.bridge.fakes import PREVIOUS, Refuse
from tests.bridge.worlds import ROOTS, WAY_BACK, new_request

HOUR = timedelta(hours=1)
ONE_STAGE = {"stages": [{"percent": 100}]}


def test_an_unreachable_fleet_holds_the_rollout(world):
    """Neither good nor bad: it waits, counts, and goes on when the fleet is back."""
    world.apply(passes=2)
    away = Refuse(("tally",))

    held = world.apply(hook=away, passes=4)
    offered = len(world.factory.offered)
    away.on = False
    done = world.apply(hook=away)

    assert held.record.progress.waiting == Wait.UNKNOWN
    assert held.record.progress.unknown_passes == 4
    assert "could not ask every fleet: fleet factory: throttled" in held.record.reason
    assert offered == 2
    assert done.record.state is State.COMPLETED
    assert done.record.progress.unknown_passes == 0
    reasons = [link.entry.reason for link in world.store.ledger()]
    assert sum(reason.startswith("unknown: could not ask") for reason in reasons) == 1


def test_a_fleet_that_stays_away_pauses_the_rollout(world):
    """After a day it is a person's turn; what can be reached is withdrawn, and a resume goes on."""
    world.depot.silent = frozenset(world.depot.ids)
    world.apply(passes=2)
    away = Refuse(("tally",))
    controller = world.process()
    world.factory.hook = away

    paused = controller.run("gates", world.waits(40, HOUR), lambda _: None)
    away.on = False
    open_then = [order.open for order in world.depot.orders.values()]
    world.depot.silent = frozenset()
    world.resume()
    done = world.go_on()

    assert (paused.record.state, paused.record.progress.breach.gate) == (State.PAUSED, "unknown")
    assert "that has lasted for more than 1 d" in paused.record.reason
    assert open_then == [False]
    assert done.record.state is State.COMPLETED


def test_failures_stop_the_rollout_while_another_fleet_is_away(world):
    """What is known suffices; the fleet that is away is told to stop as soon as it answers."""
    world.depot.silent = frozenset(world.depot.ids)
    world.apply(passes=1)
    world.factory.outcomes = dict.fromkeys(world.factory.ids, Outcome.FELL_BACK)
    controller = world.process()
    away = world.depot.hook = Refuse(("tally", "stop"))

    stuck = controller.run("gates", world.waits(6), lambda _: None)
    open_then = [order.open for order in world.depot.orders.values()]
    away.on = False
    done = controller.run("gates", world.waits(6), lambda _: None)

    assert stuck.record.state is State.STOPPED
    assert not stuck.is_settled
    assert open_then == [True]
    assert done.is_settled
    assert [order.open for order in world.depot.orders.values()] == [False]


def test_reports_that_cannot_be_read_are_read_later(world):
    """The failure may be one that is tried again, so nothing stops; then it is."""
    flaky = ranked("gates", world.depot.ids)[0]
    world.depot.outcomes = {flaky: (Outcome.FAILED, Outcome.INSTALLED)}
    request = new_request(retries={"download": 1, "delay": "0s"})
    controller = world.process()
    controller.admit(request, ROOTS)
    away = world.depot.hook = Refuse(("reports",))

    held = controller.run("gates", world.waits(6), lambda _: None)
    away.on = False
    done = controller.run("gates", world.waits(20), lambda _: None)

    assert held.record.progress.waiting == Wait.UNKNOWN
    assert done.record.state is State.COMPLETED
    assert world.depot.offered.count(flaky) == 2


def test_a_health_query_that_fails_holds_the_rollout(world):
    """Half a figure judges nobody, and nothing goes on without it."""
    for fleet in world.fleets.values():
        fleet.conditions = {"disk > 95": frozenset()}
    queries = dict.fromkeys(world.fleets, "disk > 95")
    request = new_request(gates={"health": [{"name": "disk-full", "queries": queries, "limit": 5}]})
    controller = world.process()
    controller.admit(request, ROOTS)
    away = world.depot.hook = Refuse(("health",))

    held = controller.run("gates", world.waits(6), lambda _: None)
    away.on = False
    done = controller.run("gates", world.waits(20), lambda _: None)

    assert (held.record.progress.waiting, held.record.progress.stage) == (Wait.UNKNOWN, 0)
    assert held.record.progress.looks == {}
    assert done.record.state is State.COMPLETED


def test_a_throttled_start_is_tried_again(world):
    """The order of the other fleet is started meanwhile, and no order twice."""
    controller = world.process()
    controller.admit(new_request(), ROOTS)
    busy = world.factory.hook = Refuse(("start",))

    first = controller.step("gates")
    busy.on = False
    done = controller.run("gates", world.waits(20), lambda _: None)

    assert [str(trouble) for trouble in first.troubles] == ["fleet factory: throttled"]
    assert done.record.state is State.COMPLETED
    assert sorted(world.factory.offered) == sorted(world.factory.ids)


def test_publishing_that_is_throttled_is_tried_again(world):
    """No device is offered what is not there."""
    controller = world.process()
    controller.admit(new_request(), ROOTS)
    busy = world.depot.hook = Refuse(("put_artifact",))

    first = controller.step("gates")
    recorded = world.history()
    busy.on = False
    done = controller.run("gates", world.waits(20), lambda _: None)

    assert (first.record.state, recorded) == (State.PLANNED, ["planned"])
    assert done.record.state is State.COMPLETED


def test_a_roll_back_goes_on_when_a_fleet_is_back(world):
    """The other fleet's devices go back meanwhile."""
    world.apply(new_request(**ONE_STAGE, **WAY_BACK), passes=2)
    controller = world.process()
    away = world.depot.hook = Refuse(("tally", "start"))

    controller.tell("gates", controls.roll_back, Act.ROLLING_BACK, "it is bad")
    held = controller.run("gates", world.waits(5), lambda _: None)
    gone_back = set(world.factory.runs.values())
    away.on = False
    done = controller.run("gates", world.waits(20), lambda _: None)

    assert (held.record.state, held.record.progress.waiting) == (State.ROLLING_BACK, Wait.UNKNOWN)
    assert gone_back == {PREVIOUS}
    assert done.record.state is State.ROLLED_BACK
    assert set(world.depot.runs.values()) == {PREVIOUS}


def test_a_fleet_that_refuses_for_good_is_an_error(world):
    """A person must mend it; what the pass could do is done, and applying again goes on."""
    controller = world.process()
    controller.admit(new_request(), ROOTS)
    world.factory.hook = Refuse(("start",), retryable=False)

    with pytest.raises(FleetError, match="rollout gates is running; fleet factory: access denied"):
        controller.step("gates")

    assert list(world.depot.orders) == [world.record().plan.key(Place(0, "depot"))]
    assert world.apply().record.state is State.COMPLETED


def test_an_order_that_vanished_is_for_a_person(world):
    """Somebody deleted the job in the cloud: it is not made anew, and what had failed still counts."""
    world.depot.silent = frozenset(world.depot.ids)
    world.apply(passes=3)
    world.depot.orders.clear()

    done = world.apply()

    assert done.needs_person
    assert done.record.progress.waiting == Wait.INCONCLUSIVE
    assert "of stage 1 was cancelled in the cloud with 0 devices installed" in done.record.reason
    assert world.depot.orders == {}


def test_a_job_cancelled_in_the_console_is_for_a_person(world):
    """Somebody pressed Cancel when most had installed: whatever they saw, the next stage does not begin."""
    world.depot.silent = frozenset(ranked("gates", world.depot.ids)[-1:])
    request = new_request(stages=[{"percent": 50}, {"percent": 100}])
    world.apply(request, passes=8)
    world.depot.stop(world.record().plan.key(Place(1, "depot")), "by hand")

    done = world.apply(request)
    world.promote()

    assert done.needs_person
    assert "of stage 2 was cancelled in the cloud with 9 devices installed" in done.record.reason
    assert world.go_on().record.state is State.COMPLETED
