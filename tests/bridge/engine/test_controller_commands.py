"""What a person tells a running rollout: pause, resume, promote, roll back, abort."""

from __future__ import annotations

import pytest

from bridge.engine import controls
from bridge.engine.decide import Wait
from bridge.engine.progress import State
from bridge.errors import RolloutBusy, UsageError
from bridge.fleet import FleetError
from bridge.ledger import Act
from bridge.planning.cohort import ranked
from bridge.planning.planned import Place
from bridge.release.report import Outcome
from tests.bridge.fakes import PREVIOUS
from tests.bridge.worlds import WAY_BACK, World, ids, new_request

AT_ONCE = {"stages": [{"percent": 100}]}


def others(world: World) -> World:
    """The same store, seen by another machine with fleets of its own."""
    return World(world.folder, now=world.now)


def test_a_pause_withdraws_what_was_not_begun_and_a_resume_offers_it_again(world):
    """Devices in the middle finish; those that have the release are not given it twice."""
    world.depot.silent = frozenset(world.depot.ids)
    world.apply(new_request(**AT_ONCE), passes=2)

    paused = world.pause()
    asleep = world.go_on(passes=5)
    world.depot.silent = frozenset()
    world.resume()
    done = world.go_on()

    assert paused.record.state is asleep.record.state is State.PAUSED
    assert asleep.needs_person
    assert asleep.record.progress.waiting == Wait.RESUME
    assert done.record.state is State.COMPLETED
    assert sorted(world.factory.offered) == sorted(world.factory.ids)
    assert sorted(world.depot.offered) == sorted(world.depot.ids)
    assert list(world.depot.orders) == [world.record().plan.key(Place(0, "depot"), number) for number in (0, 1)]
    assert world.history() == ["planned", "published", "paused", "resumed", "completed"]


def test_a_command_that_is_given_twice_is_obeyed_once(world):
    """Also by two people; the ledger holds it once."""
    world.depot.silent = frozenset(world.depot.ids)
    world.apply(new_request(**AT_ONCE), passes=2)

    for command in (world.pause, world.pause, world.resume, world.resume):
        command()

    assert world.history() == ["planned", "published", "paused", "resumed"]
    world.depot.silent = frozenset()
    assert world.go_on().record.state is State.COMPLETED


def test_a_breach_that_a_person_looked_at_is_forgiven(world):
    """One device failed, none may: it pauses; resumed, it goes on until another one fails."""
    first, *_, last = ranked("gates", world.depot.ids)
    world.depot.outcomes = {first: Outcome.FELL_BACK}

    paused = world.apply(new_request(on_breach="pause"))
    world.resume()
    world.depot.outcomes |= {last: Outcome.FELL_BACK}
    again = world.go_on()

    assert (paused.record.state, paused.record.progress.breach.gate) == (State.PAUSED, "budget")
    assert (again.record.state, again.record.progress.stage) == (State.PAUSED, 2)
    assert "1 devices failed, were rejected or timed out; the budget allows 0" in again.record.reason
    assert len(world.depot.offered) == 20


def test_a_promoted_stage_does_not_wait_for_devices_that_are_away(world):
    """They keep their offer, and what becomes of them still counts."""
    away = ranked("gates", world.depot.ids)[0]
    world.depot.silent = frozenset({away})
    stuck = world.apply()

    world.promote()
    done = world.go_on()

    assert (stuck.record.state, stuck.record.progress.waiting) == (State.RUNNING, Wait.PENDING)
    assert done.record.progress.stage == 2
    assert world.history() == ["planned", "published", "promoted", "advanced", "advanced", "completed"]
    reason = next(link.entry.reason for link in world.store.ledger() if link.entry.what is Act.ADVANCED)
    assert reason.startswith("promoted by a person; stage 1 has enough, 1 devices have not ended")


def test_a_person_rolls_back_a_release_that_every_gate_calls_good(world):
    """Every device that has it is offered the previous one; the others are never offered anything."""
    world.apply(new_request(**WAY_BACK), passes=4)

    world.roll_back()
    done = world.go_on()

    assert (done.record.state, done.is_settled) == (State.ROLLED_BACK, True)
    for name, fleet in world.fleets.items():
        assert fleet.runs == dict.fromkeys(ranked("gates", ids(name, 20))[:10], PREVIOUS)
    assert world.history()[-2:] == ["rolling-back", "rolled-back"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (World.resume, "only a paused rollout can be resumed"),
        (World.roll_back, "names no previous release"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(world, command, words):
    """The message says in which state the rollout is, or what its file lacks."""
    world.apply(passes=2)
    world.pause()
    world.abort()

    with pytest.raises(UsageError, match=words):
        command(world)


def test_an_abort_withdraws_what_was_not_begun(world):
    """Devices in the middle finish; nobody else is offered the release, also when it is applied again."""
    world.depot.silent = frozenset(world.depot.ids)
    world.apply(passes=3)

    done = world.abort("heat wave")

    assert done.is_settled
    assert world.record().reason == "heat wave"
    assert world.store.ledger()[-1].entry.actor == "ada@desk"
    assert world.apply().record.state is State.ABORTED
    assert not any(order.open for fleet in world.fleets.values() for order in fleet.orders.values())
    assert len(world.depot.offered) == 0


def test_what_an_order_took_from_the_cloud_is_given_back_after_the_last_device(world):
    """An abort while devices are in the middle: the fleet is told again until they have ended."""
    world.apply(passes=1)

    world.abort()
    borrowed = [order.borrowed for order in world.factory.orders.values()]
    still_open = world.store.unfinished()
    world.tick()
    world.process().step("gates")
    world.process().step("gates")

    assert (borrowed, still_open) == ([True], ("gates",))
    assert [order.borrowed for order in world.factory.orders.values()] == [False]
    assert world.store.unfinished() == ()


def test_a_device_that_begins_just_before_the_withdrawal_is_waited_for(world):
    """The counts are older than the withdrawal: it was waiting, and is in the middle now."""
    world.apply(passes=1)
    moved = []

    def begin_now(call: str) -> None:
        if call == "stop begins" and not moved:
            moved.append(call)
            world.tick()

    for fleet in world.fleets.values():
        fleet.orders.clear()
        fleet.offered.clear()
    world.process().step("gates")
    world.abort("heat wave", begin_now)
    world.tick()
    world.go_on(passes=2)

    assert len(world.factory.offered) == 2
    assert not any(order.borrowed for fleet in world.fleets.values() for order in fleet.orders.values())
    assert world.store.unfinished() == ()


def test_an_order_that_others_cancelled_is_told_of_the_end_too(world):
    """It is no longer open, and may still hold what it borrowed."""
    world.apply(passes=3)
    for order in world.depot.orders.values():
        order.stopped = True
    world.apply(passes=2)
    calls: list[str] = []
    begun = sum(len(fleet.orders) for fleet in world.fleets.values())

    world.abort("somebody cancelled it", calls.append)

    assert calls.count("stop begins") == begun > 0


def test_an_abort_is_recorded_while_another_process_acts(world):
    """It does not wait for that process to write it down; whoever holds the rollout withdraws the offers."""
    world.apply(passes=2)
    controller = world.process()
    controller._store.hold = lambda name: type(world.store).hold(world.store, name, wait=0)
    with (
        world.store.hold("gates"),
        pytest.raises(RolloutBusy, match="is aborted; the otabridge that is acting on it will tell the fleets"),
    ):
        controller.tell("gates", controls.abort, Act.ABORTED, "heat wave")

    assert world.record().state is State.ABORTED
    assert world.apply().is_settled


@pytest.mark.parametrize(
    ("control", "act", "state"),
    [(controls.abort, Act.ABORTED, State.ABORTED), (controls.pause, Act.PAUSED, State.PAUSED)],
)
def test_a_command_in_the_middle_of_a_pass_starts_no_further_order(world, control, act, state):
    """The order that was being started when it came is the last, and it is withdrawn in the same pass."""
    said = []

    def say_at_first_start(call: str) -> None:
        if call == "start ends" and not said:
            said.append(call)
            others(world).process().control("gates", control, act, "heat wave")

    done = world.apply(hook=say_at_first_start)

    assert done.record.state is state
    assert world.depot.orders == {}
    assert not any(order.open for order in world.factory.orders.values())
    assert world.factory.offered == []


def test_commands_and_passes_that_cross_each_other_end_in_one_abort(world):
    """The state changes between the look and the write, in both directions; the first reason stays."""
    world.apply(passes=2)
    crossed = []

    def cross(call: str) -> None:
        if call == "load ends" and len(crossed) < 2:
            crossed.append(call)
            other = others(world).process()
            if len(crossed) == 1:
                other.step("gates")
            else:
                other.control("gates", controls.abort, Act.ABORTED, "first")

    world.process(cross).control("gates", controls.abort, Act.ABORTED, "second")
    world.abort("third")

    assert len(crossed) == 2
    assert world.record().reason == "first"
    assert world.history().count("aborted") == 1


def test_an_abort_between_look_and_decision_wins(world):
    """What the pass decided on old facts is thrown away."""
    world.apply(passes=2)
    aborted = []

    def abort_once(call: str) -> None:
        if call == "save begins" and not aborted:
            aborted.append(call)
            others(world).process().control("gates", controls.abort, Act.ABORTED, "heat wave")

    done = world.process(abort_once).step("gates")

    assert done.record.state is State.ABORTED
    assert not any(order.open for fleet in world.fleets.values() for order in fleet.orders.values())


def test_a_completed_rollout_cannot_be_aborted(world):
    """There is nothing to withdraw; its good record stays."""
    world.apply()

    with pytest.raises(UsageError, match="gates is completed: there is nothing to abort"):
        world.abort("too late")

    assert world.record().state is State.COMPLETED


def test_a_fleet_whose_settings_broke_does_not_keep_the_others_from_stopping(world):
    """An abort reaches every fleet that can be reached."""
    world.apply(passes=2)
    controller = world.process()

    def broken(name: str):
        if name == "factory":
            raise UsageError("fleets.factory.region is missing")
        return world.depot

    controller._fleet = type(controller)(world.store, broken, world.publisher, "ada@desk")._fleet

    with pytest.raises(FleetError, match=r"gates is aborted; fleets\.factory\.region is missing"):
        controller.tell("gates", controls.abort, Act.ABORTED, "heat wave")

    assert not any(order.open for order in world.depot.orders.values())
