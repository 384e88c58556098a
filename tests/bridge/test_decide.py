"""The decision: a table of cases, and what no sequence of reports may ever do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cohort import share
from bridge.decide import Advance, Complete, Hold, Inconclusive, Pending, Sight, Stop, Unknown, decide, limit
from bridge.plan import digest_of
from bridge.rollout import Budget, Cohort, Place, Plan, PlannedStage
from bridge.tally import Tally
from tests.bridge.worlds import ids, new_rollout

FACTORY, DEPOT = "factory", "depot"
SIZES = ((2, 1), (4, 4), (0, 0), (10, 5))


def new_plan(failures: int = 1, percent: float = 0.0, enough: float = 100.0) -> Plan:
    """Four stages over two fleets, sizes as in `SIZES`; the third stage has no devices."""
    stages = tuple(
        PlannedStage(10.0 * number, (Cohort(FACTORY, ids("f", factory)), Cohort(DEPOT, ids("d", depot))), enough)
        for number, (factory, depot) in enumerate(SIZES, start=1)
    )
    rollout = new_rollout(budget={"failures": failures, "percent": percent})
    return Plan(rollout, "00" * 32, "2.0.0", stages, "ab" * 32)


def seen(stage: int, factory: Tally | None = None, depot: Tally | None = None, silent: str = "") -> Sight:
    """What is known of one stage; `silent` is why the depot could not be asked."""
    found = {Place(stage, FACTORY): factory, Place(stage, DEPOT): depot}
    return Sight(
        {place: tally for place, tally in found.items() if tally is not None},
        {Place(stage, DEPOT): silent} if silent else {},
    )


GOOD2, GOOD1 = Tally(installed=2, open=False), Tally(installed=1, open=False)

CASES = {
    "nothing is started yet": (seen(0), Pending, "stage 1: 0 of 3 devices ended"),
    "one fleet is not started yet": (seen(0, GOOD2), Pending, "2 of 3 devices ended, 2 installed"),
    "a device still runs": (seen(0, Tally(installed=1, running=1), GOOD1), Pending, "2 of 3 devices ended"),
    "a device waits in an open order": (seen(0, Tally(installed=1, waiting=1), GOOD1), Pending, "2 of 3 devices ended"),
    "the budget is spent to the last": (seen(0, GOOD2, Tally(failed=1)), Advance, "1 bad of 1 that the budget allows"),
    "one failure more": (seen(0, Tally(failed=2), GOOD1), Stop, "2 devices failed, were rejected or timed out"),
    "rejected devices are bad": (seen(0, Tally(rejected=2), GOOD1), Stop, "the budget allows 1 up to stage 1"),
    "devices that timed out are bad": (seen(0, Tally(timed_out=2), GOOD1), Stop, "2 devices failed"),
    "failures of two fleets add up": (seen(0, Tally(failed=1, running=1), Tally(failed=1)), Stop, "2 devices failed"),
    "failures count while others run": (seen(1, Tally(failed=2, running=2), Tally(waiting=4)), Stop, "2 devices"),
    "failures count while a fleet is silent": (seen(1, Tally(failed=2), silent="gone"), Stop, "2 devices failed"),
    "a silent fleet": (seen(0, GOOD2, silent="throttled"), Unknown, "could not ask every fleet: throttled"),
    "a silent fleet with an old tally": (seen(0, GOOD2, GOOD1, silent="throttled"), Unknown, "every fleet: throttled"),
    "all installed": (seen(0, GOOD2, GOOD1), Advance, "3 of 3 devices installed, 0 bad of 1"),
    "one device was taken out of service": (
        seen(1, Tally(installed=3, withdrawn=1), Tally(installed=4)),
        Advance,
        "7 of 8 devices installed",
    ),
    "one fleet was withdrawn": (
        seen(1, Tally(installed=4), Tally(withdrawn=4)),
        Inconclusive,
        "fleet depot ended stage 2 with 0 devices installed and 4 withdrawn",
    ),
    "half a fleet was withdrawn": (
        seen(1, Tally(installed=2, withdrawn=2), Tally(installed=4)),
        Inconclusive,
        "fleet factory ended stage 2 with 2 devices installed and 2 withdrawn",
    ),
    "an order was closed by others": (
        seen(0, Tally(installed=1, waiting=1, open=False), GOOD1),
        Inconclusive,
        "fleet factory closed stage 1 with 1 devices unfinished",
    ),
    "an order was cancelled by others": (
        seen(1, Tally(installed=3, withdrawn=1, open=False, cancelled=True), Tally(installed=4)),
        Inconclusive,
        "fleet factory: order gates-abababab-s2 of stage 2 was cancelled in the cloud with 3 devices installed",
    ),
    "a cancelled order with a device in the middle": (
        seen(1, Tally(installed=2, running=1, withdrawn=1, open=False, cancelled=True), Tally(installed=4)),
        Pending,
        "7 of 8 devices ended",
    ),
    "devices that are switched off": (
        seen(0, Tally(waiting=2), GOOD1),
        Pending,
        "1 of 3 devices ended, 1 installed, 2 have not taken the offer",
    ),
    "a closed order with a device in the middle": (
        seen(0, Tally(installed=1, running=1, open=False), GOOD1),
        Pending,
        "2 of 3 devices ended",
    ),
    "a stage without devices": (seen(2), Advance, "stage 3 has no devices"),
    "the last stage": (seen(3, Tally(installed=10), Tally(installed=5)), Complete, "15 of 15 devices installed"),
    "a tally larger than the cohort hides nobody": (
        seen(0, Tally(installed=9), Tally(running=1)),
        Pending,
        "2 of 3 devices ended",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_seen_decides(case):
    """One row of the table: what is seen, what follows, and how it is explained."""
    sight, expected, reason = CASES[case]
    stage = next((place.stage for place in (*sight.tallies, *sight.unseen)), 2 if "without" in case else 0)

    decision = decide(new_plan(), stage, sight)

    assert (decision.verdict if isinstance(decision, Hold) else decision).__class__ is expected
    assert reason in decision.reason


def test_a_stage_without_success_is_inconclusive_even_within_the_budget():
    """A canary stage in which nothing was installed proves nothing, whatever the budget allows."""
    plan = new_plan(failures=5)

    decision = decide(plan, 0, seen(0, Tally(failed=2), Tally(failed=1)))

    assert isinstance(decision, Hold)
    assert isinstance(decision.verdict, Inconclusive)


ENOUGH = {
    "each fleet has enough": (Tally(installed=3, waiting=1), Tally(installed=3, waiting=1), Advance),
    "one fleet has not": (Tally(installed=4), Tally(installed=2, waiting=2), Pending),
    "failed devices are not enough": (Tally(installed=2, failed=1, waiting=1), Tally(installed=4), Pending),
    "one is in the middle": (Tally(installed=3, running=1), Tally(installed=4), Pending),
    "all ended, with fewer": (Tally(installed=2, failed=2), Tally(installed=4), Advance),
    "the budget comes first": (Tally(installed=4), Tally(installed=3, failed=3), Stop),
}


@pytest.mark.parametrize("case", ENOUGH)
def test_a_stage_may_have_enough_before_all_have_ended(case):
    """60 per cent of 4 devices are 3, in each fleet; a budget of two, so that failures alone decide nothing."""
    factory, depot, expected = ENOUGH[case]

    decision = decide(new_plan(failures=2, enough=60), 1, seen(1, factory, depot))

    assert (decision.verdict if isinstance(decision, Hold) else decision).__class__ is expected


def test_a_device_of_an_earlier_stage_that_is_in_the_middle_is_waited_for():
    """It came back late; whether it fails is part of the evidence."""
    sight = seen(1, Tally(installed=4), Tally(installed=4))

    decision = decide(
        new_plan(enough=50), 1, Sight({**sight.tallies, Place(0, FACTORY): Tally(installed=1, running=1)})
    )

    assert isinstance(decision, Hold)
    assert isinstance(decision.verdict, Pending)


def test_a_stage_that_has_enough_says_who_is_left():
    """In the reason, and so in status and ledger."""
    decision = decide(new_plan(enough=60), 1, seen(1, Tally(installed=3, waiting=1), Tally(installed=4)))

    assert decision.reason.startswith("stage 2 has enough, 1 devices have not ended: 7 of 8 devices installed")


def test_an_earlier_stage_that_cannot_be_asked_holds_the_rollout():
    """Its devices may be failing."""
    sight = seen(1, Tally(installed=4), Tally(installed=4))

    decision = decide(new_plan(), 1, Sight(sight.tallies, {Place(0, DEPOT): "throttled"}))

    assert isinstance(decision, Hold)
    assert isinstance(decision.verdict, Unknown)


def test_failures_of_earlier_stages_spend_the_same_budget():
    """One device failed in stage 1 and one in stage 2: the budget of one is spent."""
    first = seen(0, Tally(installed=1, failed=1), GOOD1)
    second = seen(1, Tally(failed=1, running=3), Tally(running=4))

    decision = decide(new_plan(), 1, Sight({**first.tallies, **second.tallies}))

    assert isinstance(decision, Stop)
    assert decision.evidence.bad == 2


@pytest.mark.parametrize(
    ("failures", "percent", "stage", "expected"),
    [(1, 0, 3, 1), (0, 10, 0, 0), (0, 10, 1, 1), (0, 10, 3, 2), (2, 10, 3, 2), (3, 10, 3, 3), (0, 100, 0, 3)],
)
def test_the_budget_is_the_larger_of_its_two_figures(failures, percent, stage, expected):
    """The percentage is of the devices of the stages begun, rounded down, and never lowers the count."""
    assert limit(new_plan(failures, percent), stage) == expected


COUNTS = st.integers(min_value=0, max_value=6)
TALLIES = st.builds(
    Tally,
    waiting=COUNTS,
    running=COUNTS,
    installed=COUNTS,
    failed=COUNTS,
    rejected=COUNTS,
    timed_out=COUNTS,
    withdrawn=COUNTS,
    open=st.booleans(),
    cancelled=st.booleans(),
)
PLACES = st.builds(Place, st.integers(0, 3), st.sampled_from([FACTORY, DEPOT]))
SIGHTS = st.builds(Sight, st.dictionaries(PLACES, TALLIES), st.dictionaries(PLACES, st.just("throttled")))


@given(st.integers(0, 3), SIGHTS, COUNTS, st.sampled_from([0.0, 5.0, 33.3]), st.sampled_from([100.0, 60.0]))
def test_no_sight_leads_on_from_a_stage_that_is_not_proven(stage, sight, failures, percent, enough):
    """Going on means: every fleet was asked, enough devices ended, nobody cancelled, and the budget holds."""
    plan = new_plan(failures, percent, enough)

    decision = decide(plan, stage, sight)

    if isinstance(decision, Advance | Complete):
        assert not any(place.stage <= stage for place in sight.unseen)
        for place in plan.places(stage):
            tally, devices = sight.tallies[place], len(plan.devices(place))
            assert tally.ended >= devices or tally.installed >= share(enough, devices)
            assert not tally.cancelled
        assert sum(tally.bad for place, tally in sight.tallies.items() if place.stage <= stage) <= limit(plan, stage)
    if isinstance(decision, Advance):
        assert decision.to == stage + 1
    if isinstance(decision, Complete):
        assert stage + 1 == len(plan.stages)


@given(st.integers(0, 3), SIGHTS, COUNTS)
def test_a_spent_budget_always_stops(stage, sight, failures):
    """Whatever else is seen or unseen."""
    plan = new_plan(failures)
    bad = sum(tally.bad for place, tally in sight.tallies.items() if place.stage <= stage)

    assert isinstance(decide(plan, stage, sight), Stop) == (bad > failures)


@given(st.integers(0, 3), SIGHTS, PLACES, COUNTS)
def test_no_later_report_undoes_a_stop(stage, sight, place, more):
    """Counts of bad devices only grow; a sight that stops still stops after any further report."""
    plan = new_plan()
    if not isinstance(decide(plan, stage, sight), Stop):
        return
    before = sight.tallies.get(place, Tally())
    later = replace(before, installed=before.installed + more, failed=before.failed + more)

    assert isinstance(decide(plan, stage, Sight({**sight.tallies, place: later}, {})), Stop)


@given(st.lists(SIGHTS, max_size=30))
def test_no_sequence_of_sights_skips_a_stage(sights):
    """Stages are begun one after the other, from the first."""
    plan, stage, begun = new_plan(3), 0, [0]
    for sight in sights:
        decision = decide(plan, stage, sight)
        if isinstance(decision, Stop | Complete):
            break
        if isinstance(decision, Advance):
            stage = decision.to
            begun.append(stage)

    assert begun == list(range(len(begun)))


def test_a_plan_names_its_orders_by_what_it_holds():
    """Keys fit the clouds' names and change with the plan."""
    plan = new_plan()
    other = replace_budget(plan)

    assert plan.key(0) == "gates-abababab-s1"
    assert len(f"{'x' * 40}-abababab-s20") <= 64
    assert digest_of(plan) != digest_of(other)


def replace_budget(plan: Plan) -> Plan:
    """The same plan with another budget."""
    return Plan(new_rollout(budget=Budget(7)), plan.release_sha256, plan.release_version, plan.stages, "")
