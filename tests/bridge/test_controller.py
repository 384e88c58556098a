"""Rollouts from the first stage to their end: good ones, bad ones, and through every crash."""

from __future__ import annotations

import pytest

from bridge.cohort import bucket
from bridge.decide import Hold, Inconclusive, Unknown
from bridge.errors import RolloutBusy, UsageError
from bridge.fleet import FleetError, LimitError
from bridge.ledger import Act, verify
from bridge.plan import make_plan
from bridge.release.errors import AlteredRelease
from bridge.release.report import Outcome
from bridge.rollout import State
from tests.bridge.fakes import Crash, CrashAt, Refuse
from tests.bridge.worlds import ARTIFACT, ROOTS, World, new_request

ALL_BAD = dict.fromkeys(
    [f"{fleet}-{number:03}" for fleet in ("factory", "depot") for number in range(20)], Outcome.FELL_BACK
)


def test_a_good_release_reaches_every_device_in_stages(world):
    """10, 50, 100 per cent of 20 devices in two fleets: 2, 8 and 10 in each, in this order."""
    done = world.apply()

    assert done.record.state is State.COMPLETED
    assert done.is_settled
    for fleet in world.fleets.values():
        sizes = {key[-2:]: len(order.order.devices) for key, order in fleet.orders.items()}
        assert sizes == {"s1": 2, "s2": 8, "s3": 10}
        assert sorted(fleet.offered) == sorted(fleet.ids)
        assert fleet.puts == [ARTIFACT.sha256]


def test_each_order_carries_what_a_device_needs(world):
    """Release, roots, a time limit, and a comment for people who look into the cloud."""
    world.apply(new_request(timeout_minutes=90))

    orders = [order.order for order in world.factory.orders.values()]
    assert {(order.release, order.roots, order.timeout_minutes) for order in orders} == {(b"release.json", ROOTS, 90)}
    assert orders[0].comment == "gates 2.0.0, stage 1 of 3"
    assert orders[0].key == world.record().plan.key(0)


def test_the_ledger_tells_the_story(world):
    """Who applied what, each stage with its counts, the end; as one unbroken chain."""
    world.apply()
    links = world.store.ledger()

    assert [link.entry.what.value for link in links] == [
        "planned", "published", "held", "advanced", "held", "advanced", "held", "completed",
    ]  # fmt: skip
    assert [links[0].entry.actor, links[-1].entry.actor] == ["ada@desk", "controller"]
    assert {fact.name: fact.value for fact in links[0].entry.evidence}["plan"] == world.record().plan.digest
    assert links[-1].entry.reason == "stage 3 ended: 20 of 20 devices installed, 0 bad of 0 that the budget allows"
    assert verify(links) == links[-1].digest


def test_a_bad_release_stops_in_the_first_stage(world):
    """The devices of later stages are never offered it."""
    world.factory.outcomes = world.depot.outcomes = ALL_BAD

    done = world.apply(new_request(budget={"failures": 1}))

    assert done.record.state is State.STOPPED
    assert done.record.reason == "4 devices failed, were rejected or timed out; the budget allows 1 up to stage 1"
    assert [len(world.factory.offered), len(world.depot.offered)] == [2, 2]
    assert world.history()[-1] == "stopped"


def test_failures_in_one_fleet_stop_the_other(world):
    """One budget over all fleets: the depot's devices that have not begun are spared."""
    world.factory.outcomes = ALL_BAD
    world.depot.silent = frozenset(world.depot.ids)

    done = world.apply()

    assert done.record.state is State.STOPPED
    assert world.depot.offered == []
    assert [len(order.withdrawn) for order in world.depot.orders.values()] == [2]


def test_a_failure_within_the_budget_does_not_stop_it(world):
    """One device of the last stage fell back; two may."""
    plan = _plan_of(world, budget={"failures": 2})
    world.depot.outcomes = {plan.stages[2].cohorts[1].devices[0]: Outcome.FELL_BACK}

    done = world.apply(new_request(budget={"failures": 2}))

    assert done.record.state is State.COMPLETED
    assert "19 of 20 devices installed, 1 bad of 2" in done.record.reason


def test_applying_again_goes_on_or_does_nothing(world):
    """After a wait that was too short, and after the end."""
    first = world.apply(passes=3)
    second = world.apply()
    third = world.apply()

    assert [first.record.state, second.record.state, third.record.state] == [
        State.RUNNING, State.COMPLETED, State.COMPLETED,
    ]  # fmt: skip
    assert world.history().count("planned") == 1
    assert sorted(world.factory.offered) == sorted(world.factory.ids)


def test_devices_that_join_meanwhile_are_not_in_the_plan(world):
    """A plan is settled once; the newcomers are for the next rollout."""
    world.apply(passes=3)
    world.factory.ids = (*world.factory.ids, "factory-new")

    done = world.apply()

    assert done.record.state is State.COMPLETED
    assert "factory-new" not in world.factory.offered


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"stages": [{"percent": 100}]}, "stages"), ({"document": b"another"}, r"release \(its contents\)")],
)
def test_another_rollout_under_the_same_name_is_refused(world, changes, named):
    """Nothing of the running one changes."""
    before = world.apply(passes=3).record

    with pytest.raises(UsageError, match=f"rollout gates is running with another {named}: a rollout cannot be changed"):
        world.apply(new_request(**changes))

    assert world.record() == before


def test_a_refused_release_is_not_even_recorded(world):
    """Nothing is listed, put or written before the release holds."""
    world.publisher.refusal = AlteredRelease("altered")

    with pytest.raises(AlteredRelease):
        world.apply()

    assert world.store.summaries() == ()
    assert world.factory.puts == []


def test_an_abort_withdraws_what_was_not_begun(world):
    """Devices in the middle finish; nobody else is offered the release, also when it is applied again."""
    world.depot.silent = frozenset(world.depot.ids)
    world.apply(passes=3)

    done = world.process().abort("gates", "heat wave")

    assert done.is_settled
    assert world.record().reason == "heat wave"
    assert world.store.ledger()[-1].entry.actor == "ada@desk"
    assert world.apply().record.state is State.ABORTED
    assert not any(order.open for fleet in world.fleets.values() for order in fleet.orders.values())
    assert len(world.depot.offered) == 0


def test_an_order_that_others_cancelled_is_told_of_the_end_too(world):
    """It is no longer open, and may still hold what it borrowed; applied again, every stage begun is told once more."""
    world.apply(passes=3)
    for order in world.depot.orders.values():
        order.stopped = True
    world.apply(passes=2)
    calls: list[str] = []
    begun = sum(len(fleet.orders) for fleet in world.fleets.values())

    world.process(calls.append).abort("gates", "somebody cancelled it")
    assert calls.count("stop begins") == begun > 0
    world.apply(hook=calls.append)

    assert calls.count("stop begins") == 2 * begun


def test_an_abort_is_recorded_while_another_process_acts(world):
    """It does not wait for that process to write it down; whoever holds the rollout withdraws the offers."""
    world.apply(passes=2)
    controller = world.process()
    controller._store.hold = lambda name: type(world.store).hold(world.store, name, wait=0)
    with world.store.hold("gates"), pytest.raises(RolloutBusy, match="is aborted; the otabridge that is acting"):
        controller.abort("gates", "heat wave")

    assert world.record().state is State.ABORTED
    assert world.apply().is_settled


def test_an_abort_in_the_middle_of_a_pass_starts_no_further_order(world):
    """The order that was being started when the abort came is the last, and it is withdrawn in the same pass."""
    aborted = []

    def abort_at_first_start(call: str) -> None:
        if call == "start ends" and not aborted:
            aborted.append(call)
            world_of_another = World(world.folder)
            other = world_of_another.process()
            other._record_abort("gates", "heat wave")

    done = world.apply(hook=abort_at_first_start)

    assert done.record.state is State.ABORTED
    assert world.depot.orders == {}
    assert not any(order.open for order in world.factory.orders.values())
    assert world.factory.offered == []


def test_aborts_and_passes_that_cross_each_other_end_in_one_abort(world):
    """The state changes between the look and the write, in both directions; the first reason stays."""
    world.apply(passes=2)
    crossed = []

    def cross(call: str) -> None:
        if call == "load ends" and len(crossed) < 2:
            crossed.append(call)
            other = World(world.folder).process()
            other.step("gates") if len(crossed) == 1 else other._record_abort("gates", "first")

    world.process(cross)._record_abort("gates", "second")
    world.process().abort("gates", "third")

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
            World(world.folder).process()._record_abort("gates", "heat wave")

    done = world.process(abort_once).step("gates")

    assert done.record.state is State.ABORTED
    assert not any(order.open for fleet in world.fleets.values() for order in fleet.orders.values())


def test_a_completed_rollout_cannot_be_aborted(world):
    """There is nothing to withdraw; its good record stays."""
    world.apply()

    with pytest.raises(UsageError, match="gates is completed: there is nothing to abort"):
        world.process().abort("gates", "too late")

    assert world.record().state is State.COMPLETED


def test_an_unreachable_fleet_holds_the_rollout(world):
    """Neither good nor bad: it waits, counts, and goes on when the fleet is back."""
    world.apply(passes=2)
    away = Refuse(("tally",))

    held = world.apply(hook=away, passes=4)
    offered = len(world.factory.offered)
    away.on = False
    done = world.apply(hook=away)

    assert isinstance(held.decision, Hold)
    assert isinstance(held.decision.verdict, Unknown)
    assert held.record.unknown_passes == 4
    assert "could not ask every fleet: fleet factory: throttled" in held.record.reason
    assert offered == 2
    assert done.record.state is State.COMPLETED
    assert done.record.unknown_passes == 0
    assert world.history()[2:5] == ["held", "held", "advanced"]
    assert world.store.ledger()[3].entry.reason.startswith("unknown: could not ask")


def test_failures_stop_the_rollout_while_another_fleet_is_away(world):
    """What is known suffices; the silent fleet is told to stop as soon as it answers."""
    world.depot.silent = frozenset(world.depot.ids)
    world.apply(passes=1)
    world.factory.outcomes = ALL_BAD
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
    busy.on = False
    done = controller.run("gates", world.waits(20), lambda _: None)

    assert (first.record.state, world.history()[:2]) == (State.PLANNED, ["planned", "published"])
    assert done.record.state is State.COMPLETED


def test_a_fleet_that_refuses_for_good_is_an_error(world):
    """A person must mend it; what the pass could do is done, and applying again goes on."""
    controller = world.process()
    controller.admit(new_request(), ROOTS)
    world.factory.hook = Refuse(("start",), retryable=False)

    with pytest.raises(FleetError, match="rollout gates is running; fleet factory: access denied"):
        controller.step("gates")

    assert list(world.depot.orders) == [world.record().plan.key(0)]
    assert world.apply().record.state is State.COMPLETED


def test_a_limit_of_the_cloud_is_an_error(world):
    """Nothing was called; the message names field and limit."""
    controller = world.process()
    controller.admit(new_request(), ROOTS)

    def too_large(call: str) -> None:
        if call == "start begins":
            raise LimitError("comment has 2029 characters, AWS allows 2028")

    world.factory.hook = too_large

    with pytest.raises(FleetError, match="comment has 2029 characters"):
        controller.step("gates")


def test_a_fleet_whose_settings_broke_does_not_keep_the_others_from_stopping(world):
    """An abort reaches every fleet that can be reached."""
    world.apply(passes=2)
    controller = world.process()

    def broken(name: str):
        if name == "factory":
            raise UsageError("fleets.factory.region is missing")
        return world.depot

    controller._open = broken

    with pytest.raises(FleetError, match=r"gates is aborted; fleets\.factory\.region is missing"):
        controller.abort("gates", "heat wave")

    assert not any(order.open for order in world.depot.orders.values())


def test_an_order_that_vanished_is_for_a_person(world):
    """Somebody deleted the job in the cloud: it is not made anew, and what had failed still counts."""
    world.depot.silent = frozenset(world.depot.ids)
    world.apply(passes=3)
    world.depot.orders.clear()

    done = world.apply()

    assert done.needs_person
    assert isinstance(done.decision, Hold)
    assert isinstance(done.decision.verdict, Inconclusive)
    assert "fleet depot closed stage 1 with 2 devices unfinished" in done.record.reason
    assert world.depot.orders == {}


def test_a_job_cancelled_in_the_console_is_for_a_person(world):
    """Somebody pressed Cancel when most had installed: whatever they saw, the next stage does not begin."""
    world.depot.silent = frozenset({max(world.depot.ids, key=lambda each: bucket("gates", each))})
    request = new_request(stages=[{"percent": 50}, {"percent": 100}])
    world.apply(request, passes=8)
    world.depot.stop(world.record().plan.key(1), "by hand")

    done = world.apply(request)

    assert done.needs_person
    assert "of stage 2 was cancelled in the cloud with 9 devices installed" in done.record.reason


ENOUGH = {"stages": [{"percent": 50, "enough": 80}, {"percent": 100, "enough": 80}]}


def test_devices_that_are_switched_off_do_not_hold_a_rollout_that_has_enough(world):
    """One of ten is away in each stage: the rollout completes, and nobody is offered anything unwatched."""
    away = sorted(world.depot.ids, key=lambda each: bucket("gates", each))
    world.depot.silent = frozenset({away[0], away[-1]})

    done = world.apply(new_request(**ENOUGH))

    assert (done.record.state, done.is_settled) == (State.COMPLETED, True)
    assert "has enough, 1 devices have not ended" in done.record.reason
    assert len(set(world.depot.offered)) == 18
    assert [order.withdrawn for order in world.depot.orders.values()] == [[away[0]], [away[-1]]]


def test_a_crash_anywhere_leaves_no_offer_open_that_nobody_watches(tmp_path):
    """Also between the decision that the rollout is complete and the withdrawal of what was left over."""
    count = CrashAt()
    _with_one_away(tmp_path / "undisturbed").apply(new_request(**ENOUGH), count)

    for at in range(1, count.count + 1):
        world = _with_one_away(tmp_path / str(at))
        with pytest.raises(Crash):
            world.apply(new_request(**ENOUGH), CrashAt(at))
        done = world.apply(new_request(**ENOUGH))

        assert (done.record.state, done.is_settled) == (State.COMPLETED, True)
        assert not any(order.open for order in world.depot.orders.values())
        assert len(world.depot.offered) == len(set(world.depot.offered)) == 19


def _with_one_away(folder) -> World:
    world = World(folder)
    world.depot.silent = frozenset({max(world.depot.ids, key=lambda each: bucket("gates", each))})
    return world


def test_late_failures_of_a_stage_that_had_enough_spend_budget(world):
    """A device of stage 1 comes back while stage 2 runs, and falls back: the rollout stops."""
    late = min(world.depot.ids, key=lambda each: bucket("gates", each))
    second = sorted(world.depot.ids, key=lambda each: bucket("gates", each))[10:]
    world.depot.silent = frozenset({late, *second})
    world.depot.outcomes = {late: Outcome.FELL_BACK}
    world.apply(new_request(**ENOUGH), passes=6)
    assert world.record().stage == 1
    world.depot.silent -= {late}

    done = world.apply(new_request(**ENOUGH))

    assert done.record.state is State.STOPPED
    assert done.decision.evidence.bad == 1


def test_the_record_says_since_when_a_stage_waits(world):
    """The time of the act that began it, not of the last look."""
    world.depot.silent = frozenset(world.depot.ids)

    world.apply(passes=6)

    record = world.record()
    published = next(link.entry.time for link in world.store.ledger() if link.entry.what is Act.PUBLISHED)
    assert record.begun <= published < record.updated


def test_a_fleet_without_devices_is_left_alone(world):
    """No order, and no artifact for nobody."""
    world.depot.ids = ()

    done = world.apply()

    assert done.record.state is State.COMPLETED
    assert (world.depot.orders, world.depot.puts) == ({}, [])


def test_empty_stages_are_passed_one_by_one(world):
    """One device in all: its stage counts, the others have nothing to prove."""
    world.depot.ids, world.factory.ids = (), ("factory-000",)

    done = world.apply()

    assert done.record.state is State.COMPLETED
    assert world.history().count("advanced") == 2


def _plan_of(world: World, **changes):
    """The plan that `apply` will make."""
    return make_plan(new_request(**changes), world.fleets)


TWO_STAGES = {"stages": [{"percent": 10}, {"percent": 100}]}


def _calls_of(folder, outcomes) -> int:
    """How many calls to fleets and store an undisturbed life makes."""
    world, count = World(folder), CrashAt()
    world.factory.outcomes = outcomes
    world.apply(new_request(**TWO_STAGES), count)
    return count.count


@pytest.mark.parametrize(
    ("outcomes", "state", "acts"),
    [
        ({}, State.COMPLETED, ["planned", "published", "advanced", "completed"]),
        (ALL_BAD, State.STOPPED, ["planned", "published", "stopped"]),
    ],
    ids=["good", "bad"],
)
def test_a_crash_before_or_after_any_call_changes_nothing_in_the_end(tmp_path, outcomes, state, acts):
    """Killed at each call in turn and applied again: the same end, each device offered once, each act told once."""
    calls = _calls_of(tmp_path / "undisturbed", outcomes)
    assert calls > 30

    for at in range(1, calls + 1):
        world = World(tmp_path / str(at))
        world.factory.outcomes = outcomes
        with pytest.raises(Crash):
            world.apply(new_request(**TWO_STAGES), CrashAt(at))
        done = world.apply(new_request(**TWO_STAGES))

        links = world.store.ledger()
        verify(links)
        assert [link.entry.what.value for link in links if link.entry.what is not Act.HELD] == acts
        assert (done.record.state, done.is_settled) == (state, True)
        for fleet in world.fleets.values():
            assert len(fleet.offered) == len(set(fleet.offered)) == (20 if state is State.COMPLETED else 2)
            assert not any(order.open for order in fleet.orders.values())
