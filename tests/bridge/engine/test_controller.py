"""Rollouts from the first stage to their end: good ones and bad ones."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.engine.decide import Wait
from bridge.engine.progress import State
from bridge.errors import PlanDrifted, UsageError
from bridge.fleet import LimitError
from bridge.ledger import verify
from bridge.planning.cohort import ranked
from bridge.planning.plan import make_plan
from bridge.planning.planned import Facts, Place
from bridge.release.errors import AlteredRelease
from bridge.release.report import Outcome
from tests.bridge.fakes import PREVIOUS, SILENT
from tests.bridge.worlds import ARTIFACT, ROOTS, WAY_BACK, ids, new_request

HOUR = timedelta(hours=1)
ALL_BAD = dict.fromkeys((*ids("factory", 20), *ids("depot", 20)), Outcome.FELL_BACK)


def in_order(fleet: str) -> list[str]:
    """The fleet's devices as the rollout takes them."""
    return ranked("gates", ids(fleet, 20))


def test_a_good_release_reaches_every_device_in_stages(world):
    """10, 50, 100 per cent of 20 devices in two fleets: 2, 8 and 10 in each, in this order."""
    done = world.apply()

    assert done.record.state is State.COMPLETED
    assert done.is_settled
    for name, fleet in world.fleets.items():
        sizes = {key[-2:]: len(order.order.devices) for key, order in fleet.orders.items()}
        assert sizes == {"s1": 2, "s2": 8, "s3": 10}
        assert fleet.offered == in_order(name)
        assert fleet.puts == [ARTIFACT.sha256]
        assert not any(order.borrowed for order in fleet.orders.values())


def test_each_order_carries_what_a_device_needs(world):
    """Release, roots, a time limit, and a comment for people who look into the cloud."""
    world.apply(new_request(timeout_minutes=90))

    orders = [order.order for order in world.factory.orders.values()]
    assert {(order.release, order.roots, order.timeout_minutes) for order in orders} == {(b"release.json", ROOTS, 90)}
    assert orders[0].comment == "gates 2.0.0, stage 1 of 3, stage"
    assert orders[0].key == world.record().plan.key(Place(0, "factory"))


def test_a_fleet_that_finds_devices_by_bucket_is_told_buckets(world):
    """No list of devices is sent, and the same devices are updated as in a list."""
    world.factory.ids = ids("factory", 2000)
    world.factory.told = Facts("fake", by_bucket=True)

    done = world.apply(new_request(stages=[{"percent": 10}, {"percent": 100}]))

    orders = [order.order for order in world.factory.orders.values()]
    assert done.record.state is State.COMPLETED
    assert [(bool(order.buckets), order.devices) for order in orders] == [(True, ())] * 2
    assert sorted(world.factory.offered) == sorted(world.factory.ids)
    first = len(world.factory.orders[orders[0].key].ended)
    assert set(world.factory.offered[:first]) == set(ranked("gates", world.factory.ids)[:first])


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
    world.depot.outcomes = {in_order("depot")[-1]: Outcome.FELL_BACK}

    done = world.apply(new_request(budget={"failures": 2}))

    assert done.record.state is State.COMPLETED
    assert "19 of 20 devices installed, 1 bad of 2" in done.record.reason


def test_silence_past_the_deadline_spends_its_own_budget(world):
    """Neither cloud calls it a failure; otabridge counts it, and stops."""
    world.depot.outcomes = dict.fromkeys(in_order("depot")[2:4], SILENT)

    done = world.apply(new_request(budget={"silent": 1}))

    assert done.record.state is State.STOPPED
    assert done.record.progress.breach.gate == "silence"
    assert len(world.depot.offered) == 10


def test_a_rollout_that_has_proven_bad_rolls_its_devices_back(world):
    """Every device that was offered it runs the previous release in the end; the others never left theirs."""
    world.factory.outcomes = dict.fromkeys(in_order("factory")[5:10], Outcome.FELL_BACK)

    done = world.apply(new_request(on_breach="roll-back", budget={"failures": 1}, **WAY_BACK))

    assert (done.record.state, done.is_settled) == (State.ROLLED_BACK, True)
    assert done.record.reason == "20 of 20 devices run 1.9.0 again, 0 failed to go back"
    assert world.history() == ["planned", "published", "advanced", "rolling-back", "rolled-back"]
    for name, fleet in world.fleets.items():
        good = [device for device in in_order(name)[:10] if device not in fleet.outcomes]
        assert fleet.runs == dict.fromkeys(good, PREVIOUS)
        assert len(fleet.offered) == 10 + len(good)
        assert not any(order.borrowed for order in fleet.orders.values())


def test_a_failure_is_tried_again_after_its_delay(world):
    """The device alone, in an order of its own; when it succeeds, nothing was spent."""
    flaky = in_order("depot")[0]
    world.depot.outcomes = {flaky: (Outcome.FAILED, Outcome.INSTALLED)}

    done = world.apply(new_request(retries={"download": 1, "delay": "1m"}))

    retry = world.depot.orders[world.record().plan.key(Place(0, "depot"), 1)]
    assert done.record.state is State.COMPLETED
    assert retry.order.devices == (flaky,)
    assert world.depot.offered.count(flaky) == 2
    assert world.depot.runs.keys() == set(world.depot.ids)


def test_devices_are_offered_the_release_by_the_minute(world):
    """Twelve a minute over two fleets; the fleet is told of more from pass to pass."""
    told: list[tuple[int | None, int]] = []

    def note(call: str) -> None:
        if call == "start ends":
            (order,) = world.factory.orders.values()
            told.append((order.order.admitted, len(world.factory.offered)))

    done = world.apply(new_request(stages=[{"percent": 100}], pace=12), note)

    assert done.record.state is State.COMPLETED
    assert [admitted for admitted, _ in dict.fromkeys(told)] == [6, 12, 18, None]
    assert [offered for _, offered in dict.fromkeys(told)] == [0, 6, 12, 18]


def test_outside_its_window_nothing_is_offered(world):
    """Open from 12 to 12:30 each day; devices that were not reached are offered it the next day."""
    world.depot.silent = frozenset(world.depot.ids)
    request = new_request(stages=[{"percent": 100}], windows=[{"cron": "0 12 * * *", "duration": "30m"}])
    world.apply(request, passes=5)
    world.now += HOUR

    shut = world.go_on(passes=2)
    world.depot.silent = frozenset()
    world.go_on(passes=5)
    offered = list(world.depot.offered)
    world.now += 23 * HOUR
    done = world.go_on()

    assert shut.record.progress.waiting == Wait.WINDOW
    assert offered == []
    assert done.record.state is State.COMPLETED
    assert len(world.depot.offered) == len(set(world.depot.offered)) == 20
    assert len(world.factory.offered) == 20


def test_a_health_figure_stops_a_release_that_every_device_calls_good(world):
    """All installed; the cloud's own query says that their disks are full."""
    world.factory.conditions = {"disk > 95": frozenset(world.factory.ids)}
    gate = {"name": "disk-full", "queries": {"factory": "disk > 95"}, "limit": 5, "minimum": 5}

    done = world.apply(new_request(gates={"health": [gate]}))

    assert done.record.state is State.STOPPED
    assert done.record.progress.breach.gate == "health"
    assert "10 of 10 updated devices disk-full" in done.record.reason
    assert len(world.factory.offered) == 10


def test_watchdog_resets_are_asked_of_every_fleet(world):
    """One device in each was reset; the gate allows one in all."""
    world.factory.resets = frozenset(in_order("factory")[:1])
    world.depot.resets = frozenset(in_order("depot")[:1])

    done = world.apply(new_request(gates={"watchdog_resets": 1}))

    assert done.record.state is State.STOPPED
    assert "2 updated devices were reset by a watchdog; the gate allows 1" in done.record.reason


def test_applying_again_goes_on_or_does_nothing(world):
    """After a wait that was too short, and after the end."""
    states = [world.apply(passes=3).record.state, world.apply().record.state, world.apply().record.state]

    assert states == [State.RUNNING, State.COMPLETED, State.COMPLETED]
    assert world.history().count("planned") == 1
    assert world.factory.offered == in_order("factory")


def test_a_plan_that_was_looked_at_is_what_is_applied(world):
    """One device more in the fleet than when it was shown: nothing is recorded."""
    seen = make_plan(new_request(), world.fleets)
    world.factory.ids = ids("factory", 21)

    with pytest.raises(PlanDrifted, match="gates"):
        world.process().admit(new_request(), ROOTS, seen)

    assert world.store.summaries() == ()
    assert world.process().admit(new_request(), ROOTS, make_plan(new_request(), world.fleets)).state is State.PLANNED


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


def test_a_limit_of_the_cloud_is_known_before_anything_begins(world):
    """The message names field and limit; nothing is recorded."""
    world.depot.limit = "comment has 2029 characters, AWS allows 2028"

    with pytest.raises(LimitError, match="fleet depot: comment has 2029 characters"):
        world.apply()

    assert world.store.summaries() == ()
    assert world.factory.orders == {}


def test_the_pace_begins_once_the_artifacts_are_there(world):
    """The hours of an upload are not minutes in which devices could have been offered the release."""
    publish = world.publisher.publish

    def slowly(folder, fleets):
        world.now += HOUR
        publish(folder, fleets)

    world.publisher.publish = slowly
    world.apply(new_request(stages=[{"percent": 100}], pace=2), passes=1)

    assert [order.order.admitted for order in (*world.factory.orders.values(), *world.depot.orders.values())] == [1, 1]


def test_a_clock_that_was_set_back_is_named_as_what_it_waits_for(world):
    """Soaks and paces stand still then; nobody would guess why."""
    world.apply(new_request(stages=[{"percent": 10, "soak": "1h"}, {"percent": 100}]), passes=6)
    world.now -= timedelta(days=2)
    waits = world.go_on(passes=1)

    assert "behind the last pass, so that all waiting times stand still until 2026-03-01 12:00" in waits.record.reason
