"""Rollouts whose devices are away, come late, are not there at all, or were told by somebody else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.engine.progress import State
from bridge.ledger import Act
from bridge.planning.cohort import ranked
from bridge.release.report import Outcome
from tests.bridge.worlds import World, ids, new_request

ENOUGH = {"stages": [{"percent": 50, "enough": 80}, {"percent": 100, "enough": 80}]}


def in_order(fleet: str) -> list[str]:
    """The fleet's devices as the rollout takes them."""
    return ranked("gates", ids(fleet, 20))


def test_devices_that_are_switched_off_do_not_hold_a_rollout_that_has_enough(world):
    """One of ten is away in each stage: the rollout completes, and nobody is offered anything unwatched."""
    away = in_order("depot")
    world.depot.silent = frozenset({away[0], away[-1]})

    done = world.apply(new_request(**ENOUGH))

    assert (done.record.state, done.is_settled) == (State.COMPLETED, True)
    assert "has enough, 1 devices have not ended" in done.record.reason
    assert len(set(world.depot.offered)) == 18
    assert [order.withdrawn for order in world.depot.orders.values()] == [[away[0]], [away[-1]]]


def test_late_failures_of_a_stage_that_had_enough_spend_budget(world):
    """A device of stage 1 comes back while stage 2 runs, and falls back: the rollout stops."""
    late, *others = in_order("depot")
    world.depot.silent = frozenset({late, *others[9:]})
    world.depot.outcomes = {late: Outcome.FELL_BACK}
    world.apply(new_request(**ENOUGH), passes=6)
    assert world.record().progress.stage == 1
    world.depot.silent -= {late}

    done = world.go_on(span=timedelta(minutes=20))

    assert done.record.state is State.STOPPED
    assert done.decision.evidence.bad == 1


@pytest.mark.parametrize(("late_joiners", "reached"), [("ignore", False), ("include", True)])
def test_devices_that_join_meanwhile_are_for_the_file_to_decide(world, late_joiners, reached):
    """A plan is settled once; newcomers are for the next rollout, or for the last stage."""
    request = new_request(late_joiners=late_joiners)
    world.apply(request, passes=3)
    world.factory.ids = (*world.factory.ids, "factory-new")

    done = world.apply(request)

    assert done.record.state is State.COMPLETED
    assert ("factory-new" in world.factory.offered) == reached


def test_devices_that_no_stage_was_for_did_not_join(world):
    """Half of the fleet is not wanted, and stays so: only a newcomer of the first half is."""
    request = new_request(stages=[{"percent": 50}], late_joiners="include")
    first, last = (f"factory-{number}" for number in _newcomers())
    world.apply(request, passes=2)
    world.factory.ids = (*world.factory.ids, first, last)

    done = world.apply(request)

    assert done.record.state is State.COMPLETED
    assert set(world.factory.offered) == {*in_order("factory")[:10], first}


def _newcomers() -> tuple[int, int]:
    """Numbers of two new devices, one before the middle of the fleet and one after it."""
    middle = in_order("factory")[9]
    places = {number: ranked("gates", [middle, f"factory-{number}"])[0] != middle for number in range(100, 200)}
    return next(n for n, is_early in places.items() if is_early), next(n for n, early in places.items() if not early)


def test_the_record_says_since_when_a_stage_waits(world):
    """The time of the act that began it, not of the last look."""
    world.depot.silent = frozenset(world.depot.ids)

    world.apply(passes=6)

    record = world.record()
    published = next(link.entry.time for link in world.store.ledger() if link.entry.what is Act.PUBLISHED)
    assert record.progress.begun <= published < record.updated


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


def test_a_job_made_without_otabridge_is_watched_and_stopped(world):
    """Importing it twice is importing it once; nothing is started, and an abort withdraws it."""
    started = World(world.folder / "before")
    started.apply(new_request(stages=[{"percent": 100}]), passes=1)
    (native,) = started.factory.orders.values()
    world.factory.foreign["job-7"] = native
    controller = world.process()

    first = controller.adopt("gates", "factory", "job-7", None)
    again = controller.adopt("gates", "factory", "job-7", None)
    watched = controller.step("gates")
    world.abort()

    assert first == again
    assert (first.state, first.plan.release.version) == (State.RUNNING, "1.2.3")
    assert watched.decision.evidence.devices == 20
    assert world.factory.orders == {}
    assert native.stopped
    assert world.history() == ["adopted", "aborted"]
