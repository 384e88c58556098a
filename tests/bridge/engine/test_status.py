"""Status: what the store knows beside what fleets say now, for people and programs."""

from __future__ import annotations

import msgspec
import pytest

from bridge.engine.orders import turn_back
from bridge.engine.progress import State
from bridge.engine.status import MOST_FAILURES, BudgetStatus, Counts, RolloutStatus, describe, look, share_of
from bridge.fleet import FleetError
from bridge.release.report import Outcome
from bridge.rollout.model import Stage
from bridge.tally import Tally
from tests.bridge.engine.test_explain import record
from tests.bridge.fakes import Refuse
from tests.bridge.plans import D1, DEPOT, FACTORY, NOW, new_plan, running
from tests.bridge.worlds import WAY_BACK, new_request

PLAN = new_plan((2, 2), (8, 8), budget={"failures": 1, "silent": 2})


def seen(world) -> RolloutStatus:
    """What a person sees now."""
    return look(world.record(), world.fleets.__getitem__)


def test_a_status_counts_what_the_fleets_say_now(world):
    """Newer than what the store holds; and nothing is saved."""
    world.apply(passes=2)
    world.tick()
    before = world.record()

    now = seen(world)

    assert now.stages[0].fleets[0].counts == Counts(2, 0, 0, 2, 0, 0)
    assert describe(before).stages[0].fleets[0].counts.installed == 0
    assert world.record() == before


def test_of_a_stage_that_has_not_begun_the_plan_is_shown(world):
    """No orders, and every device still without an offer."""
    world.apply(passes=2)

    stage = seen(world).stages[2]

    assert (stage.number, stage.begun, stage.devices, stage.share) == (3, False, 20, "up to 100 %")
    assert [fleet.orders for fleet in stage.fleets] == [0, 0]


def test_a_fleet_that_cannot_be_asked_is_shown_with_its_problem(world):
    """Broken settings likewise: the others are shown with their figures."""
    world.apply(passes=2)
    world.depot.hook = Refuse(("tally",))

    shown = seen(world)

    assert shown.stages[0].fleets[1].problem == "fleet depot: throttled"
    assert shown.stages[0].fleets[0].problem == ""


def test_failed_devices_are_listed_with_what_they_said(world):
    """The first few; one that was silent has no code."""
    world.factory.outcomes = dict.fromkeys(world.factory.ids, Outcome.FELL_BACK)
    world.depot.outcomes = dict.fromkeys(world.depot.ids, None)
    world.apply(new_request(stages=[{"percent": 100}]))

    failures = seen(world).failures
    silent = look(world.record(), world.fleets.__getitem__, most=40).failures[-1]

    assert len(failures) == MOST_FAILURES
    assert (failures[0].outcome, failures[0].code, failures[0].stage) == ("fell-back", "400 unhealthy", 1)
    assert failures[0].detail == f"{failures[0].device} says so"
    assert (silent.fleet, silent.outcome, silent.code) == ("depot", "timed-out", "")


def test_reports_that_cannot_be_read_are_one_line(world):
    """The figures are there all the same."""
    world.factory.outcomes = dict.fromkeys(world.factory.ids, Outcome.FAILED)
    world.apply()
    world.factory.hook = Refuse(("reports",))

    (failure,) = seen(world).failures

    assert (failure.device, failure.outcome) == ("?", "unknown")
    assert failure.detail == "reports could not be read: fleet factory: throttled"


def test_the_way_back_has_figures_of_its_own(world):
    """Beside those of the way forward."""
    world.factory.outcomes = dict.fromkeys(world.factory.ids, Outcome.FELL_BACK)
    world.apply(new_request(**WAY_BACK, on_breach="roll-back"))

    shown = seen(world)

    assert shown.state is State.ROLLED_BACK
    assert shown.breach.gate == "budget"
    assert shown.stages[0].fleets[0].counts.bad == 2
    assert shown.stages[0].fleets[0].back == Counts(2, 0, 0, 2, 0, 0)


def test_the_budget_of_silence_is_shown_apart():
    """Silent devices do not spend the budget of failures then."""
    bad = Tally(failed=1, timed_out=1, open=False)

    shown = describe(record(PLAN, running(PLAN, {FACTORY: bad, DEPOT: Tally(waiting=2)})))

    assert shown.budget == BudgetStatus(spent=1, limit=1, silent=1, silent_limit=2)


def test_gates_are_shown_once_the_first_stage_has_begun():
    """Each with what it last read."""
    gates = {
        "failure_rate": {"limit": 5},
        "fallbacks": 1,
        "health": [{"name": "hot", "queries": {"depot": "x"}, "limit": 5}],
    }
    plan = new_plan((2, 2), gates=gates)
    begun = running(plan, {FACTORY: Tally(installed=2, open=False)})
    read = msgspec.structs.replace(begun, figures={"fallbacks": 1}, looks={"hot": 3}, looked=NOW)

    assert describe(record(plan, msgspec.structs.replace(begun, begun=None))).gates == ()
    assert [each.name for each in describe(record(plan, begun)).gates] == ["failure-rate", "fallbacks", "health hot"]
    assert describe(record(plan, begun)).gates[2].reading == "not read yet"
    assert [each.reading for each in describe(record(plan, read)).gates[1:]] == [
        "1 devices; the gate allows 1",
        "read 3 times, last at 2026-03-01 12:00 UTC; not breached",
    ]


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Stage(percent=10), "up to 10 %"),
        (Stage(percent=0.5, models=("gate-v2", "gate-v3")), "up to 0.5 % of gate-v2, gate-v3"),
        (Stage(count=100), "100 devices"),
        (Stage(devices={"factory": ("a",)}), "devices by name"),
    ],
)
def test_a_stage_says_which_devices_it_is_for(stage, words):
    """In a few words."""
    assert share_of(stage) == words


def test_a_status_is_a_document_that_reads_back():
    """Programs hold it against its schema."""
    back = turn_back(PLAN, running(PLAN, {FACTORY: Tally(installed=2)}), NOW)
    shown = describe(record(PLAN, back), {D1: "away"})

    assert msgspec.json.decode(msgspec.json.encode(shown), type=RolloutStatus) == shown
    assert shown.schema == 2


def test_a_problem_of_one_fleet_does_not_hide_another(world):
    """A fleet whose settings are broken is as if away."""
    world.apply(passes=2)

    def broken(name):
        if name == DEPOT:
            raise FleetError("fleet depot: no such region")
        return world.fleets[name]

    assert [fleet.problem for fleet in look(world.record(), broken).stages[0].fleets] == [
        "",
        "fleet depot: no such region",
    ]
