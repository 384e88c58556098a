"""What fleets are told so that they agree with the progress, and when they are told again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.engine.acting import Acted, Actor, Superseded, is_over, needs_start
from bridge.engine.orders import reopen, withdraw
from bridge.engine.progress import Order, OrderKind, Progress
from bridge.engine.record import Material, Parcel, Record
from bridge.planning.planned import Plan
from bridge.tally import Tally
from tests.bridge.fakes import FakeFleet, Refuse
from tests.bridge.plans import D1, DEPOT, F1, FACTORY, NOW, changed, ids, new_plan, report, running

PLAN = new_plan((4, 2))
MATERIAL = Material(Parcel(b"new", Path()), ())


def new_fleets() -> dict[str, FakeFleet]:
    """With the devices of the plan."""
    return {FACTORY: FakeFleet(FACTORY, ids("factory-s1", 4)), DEPOT: FakeFleet(DEPOT, ids("depot-s1", 2))}


def act(progress: Progress, fleets: dict[str, FakeFleet], *blind, require=lambda: None, plan: Plan = PLAN) -> Acted:
    """One round of acts."""
    record = Record(plan, MATERIAL, NOW, NOW, progress, "a reason")
    return Actor(fleets.__getitem__, require).act(record, frozenset(blind))


def new_order(**changes) -> Order:
    """For four devices."""
    return Order(**{"kind": OrderKind.STAGE, "size": 4, "since": NOW, "admitted": 4, **changes})


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (new_order(), True),
        (new_order(told=4), True),
        (new_order(told=4, tally=Tally(waiting=4)), False),
        (new_order(told=2, tally=Tally(waiting=4)), True),
        (new_order(closing=True), False),
        (new_order(key="job-7", told=4), False),
    ],
    ids=["new", "told, and not known", "told and known", "more are admitted", "withdrawn", "adopted"],
)
def test_a_fleet_is_told_of_an_order_until_it_knows_it(order, expected):
    """And again when more devices are admitted."""
    assert needs_start(order) is expected


@pytest.mark.parametrize(
    ("tally", "expected"),
    [
        (None, True),
        (Tally(installed=4, open=False), True),
        (Tally(installed=4, open=True), True),
        (Tally(withdrawn=4, open=False), True),
        (Tally(waiting=4, open=True), False),
        (Tally(installed=3, running=1, open=False), False),
    ],
    ids=["never known", "ended", "ended and open", "withdrawn", "one may have begun since", "one in the middle"],
)
def test_one_withdrawal_is_enough_when_nobody_can_be_in_the_middle(tally, expected):
    """By counts that were taken before it."""
    assert is_over(new_order(closing=True, tally=tally)) is expected


def test_orders_are_started_and_noted():
    """With how many devices the fleet was told to admit."""
    fleets = new_fleets()

    acted = act(running(PLAN, {}), fleets)

    assert {place: order.told for (place, _), order in acted.changes.items()} == {F1: 4, D1: 2}
    assert [list(fleet.orders) for fleet in fleets.values()] == [["gates-abababab-s1"]] * 2


def test_acts_are_repeated_without_harm():
    """Whoever died before noting them does them again."""
    fleets = new_fleets()

    for _ in range(3):
        act(running(PLAN, {}), fleets)
        fleets[FACTORY].tick()

    assert fleets[FACTORY].offered == list(ids("factory-s1", 4))


def test_withdrawals_come_before_offers():
    """No device is offered two things at once."""
    fleets, calls = new_fleets(), []
    act(running(PLAN, {}), fleets)
    for fleet in fleets.values():
        fleet.hook = calls.append

    act(reopen(PLAN, withdraw(running(PLAN, {})), NOW), fleets)

    assert [call for call in calls if call.endswith("begins")] == ["stop begins"] * 2 + ["start begins"] * 2
    assert [order.stopped for order in fleets[FACTORY].orders.values()] == [True, False]


def test_an_order_that_nobody_knows_to_be_started_is_stopped_all_the_same():
    """The process may have died right after starting it."""
    fleets = new_fleets()
    act(running(PLAN, {}), fleets)

    acted = act(withdraw(running(PLAN, {})), fleets)

    assert fleets[FACTORY].orders["gates-abababab-s1"].stopped
    assert acted.changes[F1, 0].closed


def test_an_order_is_told_to_stop_until_its_last_device_has_ended():
    """Then what it took is given back, and it is left alone."""
    fleets = new_fleets()
    act(running(PLAN, {}), fleets)
    fleets[FACTORY].tick()
    busy = withdraw(report(running(PLAN, {}), F1, Tally(running=4)))

    first = act(busy, fleets)
    fleets[FACTORY].tick()
    second = act(report(busy, F1, Tally(installed=4, open=False)), fleets)
    third = act(changed(changed(busy, F1, closed=True), D1, closed=True), fleets)

    assert [acted.changes[F1, 0].closed for acted in (first, second)] == [False, True]
    assert not fleets[FACTORY].orders["gates-abababab-s1"].borrowed
    assert third.changes == {}


def test_a_place_that_could_not_be_asked_is_offered_nothing_and_never_closed():
    """It is told to stop; whether that was the end is seen when it answers."""
    fleets = new_fleets()

    started = act(running(PLAN, {}), fleets, F1)
    stopped = act(withdraw(running(PLAN, {})), fleets, F1)

    assert list(started.changes) == [(D1, 0)]
    assert {place: order.closed for (place, _), order in stopped.changes.items()} == {F1: False, D1: True}


def test_a_fleet_that_refuses_is_told_again_and_the_others_at_once():
    """What it refused is not noted as done."""
    fleets = new_fleets()
    fleets[FACTORY].hook = Refuse(("start", "stop"))

    started = act(running(PLAN, {}), fleets)
    stopped = act(withdraw(running(PLAN, {})), fleets)

    assert [list(acted.changes) for acted in (started, stopped)] == [[(D1, 0)]] * 2
    assert [str(trouble) for trouble in started.troubles] == ["fleet factory: throttled"]


def test_before_each_act_it_is_asked_whether_it_is_still_wanted():
    """Whoever overtakes it stops it before the next act."""
    fleets, asked = new_fleets(), []

    def require() -> None:
        asked.append("asked")
        if len(asked) == 2:
            raise Superseded

    with pytest.raises(Superseded):
        act(running(PLAN, {}), fleets, require=require)

    assert [len(fleet.orders) for fleet in fleets.values()] == [1, 0]
