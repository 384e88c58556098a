"""What breaks a rollout: budget and gates against their figures."""

from __future__ import annotations

import msgspec
import pytest

from bridge.engine.breaches import breach_of, read_figures
from bridge.engine.evidence import stage_now, weigh
from bridge.engine.progress import Progress
from bridge.engine.sight import FailedDevice, Sight
from bridge.fleet import HealthCount
from bridge.planning.planned import Place, Plan
from bridge.release.errors import FailureCode
from bridge.tally import Tally
from tests.bridge.plans import F1, FACTORY, NOW, new_plan, running

ILL = Sight(health={"disk": {FACTORY: HealthCount(30, 30, 0, 100)}})
GATES = {
    "budget": {"failures": 1, "silent": 1},
    "gates": {
        "failure_rate": {"limit": 5},
        "fallbacks": 1,
        "watchdog_resets": 1,
        "health": [{"name": "disk", "queries": {FACTORY: "q"}, "limit": 5}],
    },
}


def broken(plan: Plan, progress: Progress, sight: Sight | None = None) -> str:
    """The gate that is broken, "" where none is."""
    sight = sight or Sight()
    read = read_figures(plan, progress, sight, NOW)
    breach = breach_of(plan, read, weigh(plan, read), stage_now(plan, read, {}), sight)
    return breach.gate if breach else ""


CASES = {
    "nothing": (Tally(installed=30, failed=1), {}, Sight(), ""),
    "the budget": (Tally(installed=38, failed=2), {}, Sight(), "budget"),
    "silence": (Tally(installed=38, timed_out=2), {}, Sight(), "silence"),
    "the budget is told before all others": (Tally(failed=20, timed_out=20), {}, ILL, "budget"),
    "the failure rate": (Tally(installed=10, failed=30), {"bad": 30}, Sight(), "failure-rate"),
    "fallbacks": (
        Tally(installed=39, failed=1),
        {},
        Sight(failed={F1: tuple(FailedDevice(f"d{n}", 0, FailureCode.FELL_BACK) for n in range(2))}),
        "fallbacks",
    ),
    "watchdog resets": (Tally(installed=40), {}, Sight(resets=2), "watchdog-resets"),
    "health": (Tally(installed=40), {}, ILL, "health"),
    "health that nobody read": (Tally(installed=40), {}, Sight(), ""),
    "what was forgiven": (
        Tally(installed=10, failed=30),
        {"bad": 30, "failure-rate": 1, "fallbacks": 2, "watchdog-resets": 2, "health disk": 1},
        Sight(resets=2, health=ILL.health),
        "",
    ),
    "more than was forgiven": (Tally(installed=37, failed=3), {"bad": 1}, Sight(), "budget"),
    "a share forgiven in an earlier stage": (Tally(installed=40), {"health disk": 0}, ILL, "health"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_first_thing_that_is_broken_is_named(case):
    """In the order of weight; what a person forgave is not."""
    tally, forgiven, sight, expected = CASES[case]
    plan = new_plan((40, 0), **GATES)
    progress = msgspec.structs.replace(running(plan, {FACTORY: tally}), forgiven=forgiven)

    assert broken(plan, progress, sight) == expected


def test_a_stage_may_have_gates_of_its_own():
    """Instead of all of the rollout's."""
    stages = [{"percent": 50, "gates": {"watchdog_resets": 5}}, {"percent": 100}]
    plan = new_plan((4, 0), (4, 0), stages=stages, gates={"watchdog_resets": 0})

    first, second = running(plan, {}), running(plan, {}, {})

    assert broken(plan, first, Sight(resets=3)) == ""
    assert broken(plan, second, Sight(resets=3)) == "watchdog-resets"


def test_figures_never_fall():
    """A shadow that was reset, or a report that is gone, heals no device."""
    plan = new_plan((4, 0), gates={"watchdog_resets": 5, "fallbacks": 5})
    fell = Sight(resets=2, failed={F1: (FailedDevice("d", 0, FailureCode.UNHEALTHY),)})

    first = read_figures(plan, running(plan, {}), fell, NOW)
    later = read_figures(plan, first, Sight(resets=0), NOW)

    assert later.figures == {"fallbacks": 1, "watchdog-resets": 2}


def test_looks_are_counted_for_each_gate_that_was_read():
    """Each costs certainty; a pass that reads nothing is no look."""
    plan = new_plan((4, 0), **GATES)
    progress = running(plan, {FACTORY: Tally(installed=3)})

    once = read_figures(plan, progress, ILL, NOW)
    twice = read_figures(plan, once, ILL, NOW)

    assert (once.looks, twice.looks, twice.looked, twice.looked_installed) == ({"disk": 1}, {"disk": 2}, NOW, 3)
    assert read_figures(plan, twice, Sight(), NOW).looks == {"disk": 2}


def test_a_device_that_was_forgiven_and_installs_leaves_no_room_for_another():
    """What is forgiven falls with what has failed."""
    plan = new_plan((4, 0))
    forgiven = {"bad": 2, "silent": 0, "fallbacks": 3}
    progress = msgspec.structs.replace(running(plan, {FACTORY: Tally(failed=1)}), forgiven=forgiven)

    assert read_figures(plan, progress, Sight(), NOW).forgiven == {"bad": 1, "silent": 0, "fallbacks": 3}


def test_one_device_falls_back_once():
    """In two orders of one fleet; a device of that name in another fleet is another."""
    plan = new_plan((4, 4), gates={"fallbacks": 9})
    fell = (FailedDevice("d", 0, FailureCode.FELL_BACK), FailedDevice("d", 1, FailureCode.FELL_BACK))
    other = (FailedDevice("d", 0, FailureCode.FELL_BACK), FailedDevice("e", 0, FailureCode.DOWNLOAD))

    read = read_figures(plan, running(plan, {}), Sight(failed={F1: fell, Place(0, "depot"): other}), NOW)

    assert read.figures["fallbacks"] == 2
