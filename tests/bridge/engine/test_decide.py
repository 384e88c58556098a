"""The decision: what is seen, what follows, and which of two answers wins."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from bridge.engine.decide import Wait, decide
from bridge.engine.evidence import limit
from bridge.engine.progress import Progress, State
from bridge.engine.sight import Consent, Sight
from bridge.ledger import Act
from bridge.planning.planned import Place
from bridge.tally import Tally
from tests.bridge.plans import (
    DEPOT,
    F1,
    FACTORY,
    GONE,
    GOOD1,
    GOOD2,
    GOOD4,
    HOUR,
    NOW,
    WINDOW,
    first,
    new_plan,
    opened,
    outcome,
    report,
    running,
    second,
)

SIZES = ((2, 1), (4, 4), (0, 0), (10, 5))
BUDGET1 = {"budget": {"failures": 1}}
SEEN = {
    "nothing is told yet": (first(), Sight(), Wait.PENDING, "stage 1: 0 of 3 devices ended"),
    "one fleet has told nothing yet": (first(GOOD2), Sight(), Wait.PENDING, "2 of 3 devices ended, 2 installed"),
    "a device runs": (first(Tally(installed=1, running=1), GOOD1), Sight(), Wait.PENDING, "2 of 3 devices ended"),
    "a device waits": (first(Tally(installed=1, waiting=1), GOOD1), Sight(), Wait.PENDING, "2 of 3 devices ended"),
    "devices are switched off": (
        first(Tally(waiting=2), GOOD1),
        Sight(),
        Wait.PENDING,
        "1 of 3 devices ended, 1 installed, 2 have not taken the offer",
    ),
    "the budget is spent to the last": (first(GOOD2, Tally(failed=1)), Sight(), Act.ADVANCED, "1 bad of 1 that"),
    "one failure more": (first(Tally(failed=2), GOOD1), Sight(), Act.STOPPED, "2 devices failed, were rejected or"),
    "rejected devices are bad": (first(Tally(rejected=2), GOOD1), Sight(), Act.STOPPED, "allows 1 up to stage 1"),
    "silent devices are bad": (first(Tally(timed_out=2), GOOD1), Sight(), Act.STOPPED, "2 devices failed"),
    "failures of fleets add up": (first(Tally(failed=1, running=1), Tally(failed=1)), Sight(), Act.STOPPED, "2 dev"),
    "failures of stages add up": (
        (*first(Tally(installed=1, failed=1), GOOD1), {FACTORY: Tally(failed=1, running=3)}),
        Sight(),
        Act.STOPPED,
        "2 devices failed",
    ),
    "failures count while others run": (second(Tally(failed=2, running=2), Tally(waiting=4)), Sight(), Act.STOPPED, ""),
    "failures count while a fleet is away": (first(Tally(failed=2)), GONE, Act.STOPPED, "2 devices failed"),
    "a fleet is away": (first(GOOD2), GONE, Wait.UNKNOWN, "could not ask every fleet: fleet depot: throttled"),
    "a fleet is away whose devices had ended": (first(GOOD2, GOOD1), GONE, Wait.UNKNOWN, "could not ask every fleet"),
    "an earlier stage cannot be asked": (second(GOOD4, GOOD4), GONE, Wait.UNKNOWN, "could not ask every fleet"),
    "all installed": (first(GOOD2, GOOD1), Sight(), Act.ADVANCED, "3 of 3 devices installed, 0 bad of 1"),
    "one device was taken out of service": (
        second(Tally(installed=3, withdrawn=1, open=False), GOOD4),
        Sight(),
        Act.ADVANCED,
        "7 of 8 devices installed",
    ),
    "a fleet was withdrawn": (
        second(GOOD4, Tally(withdrawn=4, open=False)),
        Sight(),
        Wait.INCONCLUSIVE,
        "fleet depot ended stage 2 with 0 devices installed and 4 withdrawn",
    ),
    "half a fleet was withdrawn": (
        second(Tally(installed=2, withdrawn=2, open=False), GOOD4),
        Sight(),
        Wait.INCONCLUSIVE,
        "fleet factory ended stage 2 with 2 devices installed and 2 withdrawn",
    ),
    "an order was closed by others": (
        first(Tally(installed=1, waiting=1, open=False), GOOD1),
        Sight(),
        Wait.INCONCLUSIVE,
        "fleet factory closed order gates-abababab-s1 of stage 1 with 1 devices unfinished",
    ),
    "an order was cancelled by others": (
        second(Tally(installed=3, withdrawn=1, open=False, cancelled=True), GOOD4),
        Sight(),
        Wait.INCONCLUSIVE,
        "fleet factory: order gates-abababab-s2 of stage 2 was cancelled in the cloud with 3 devices installed",
    ),
    "a closed order has a device in the middle": (
        first(Tally(installed=1, running=1, open=False), GOOD1),
        Sight(),
        Wait.PENDING,
        "2 of 3 devices ended",
    ),
    "a tally larger than the cohort hides nobody": (
        first(Tally(installed=9), Tally(running=1)),
        Sight(),
        Wait.PENDING,
        "2 of 3 devices ended",
    ),
    "a stage without devices": (
        (*second(GOOD4, GOOD4), {}),
        Sight(),
        Act.ADVANCED,
        "stage 3 has no devices",
    ),
    "the last stage": (
        (*second(GOOD4, GOOD4), {}, {FACTORY: Tally(installed=10), DEPOT: Tally(installed=5)}),
        Sight(),
        Act.COMPLETED,
        "15 of 15 devices installed",
    ),
}


@pytest.mark.parametrize("case", SEEN)
def test_what_is_seen_decides(case):
    """One row of the table: what is seen, what follows, and how it is explained."""
    tallies, sight, expected, reason = SEEN[case]
    plan = new_plan(*SIZES, **BUDGET1)

    decision = decide(plan, running(plan, *tallies), sight, NOW)

    assert outcome(decision) is expected
    assert reason in decision.reason
    assert decision.progress.waiting == (expected.value if isinstance(expected, Wait) else "")


@dataclass(frozen=True)
class Weight:
    """A rollout in which several questions would be answered at once, and the one that must win."""

    expected: Act | Wait
    factory: Tally
    depot: Tally = GOOD1
    sight: Sight = field(default_factory=Sight)
    shut: bool = False
    soak: str = "0s"


FAILED, AWAY = Tally(failed=2), GONE
CANCELLED = Tally(installed=1, withdrawn=1, open=False, cancelled=True)
RUNS = Tally(installed=1, running=1)
ORDER = {
    "failed beats unknown, shut and all others": Weight(Act.STOPPED, FAILED, CANCELLED, AWAY, shut=True),
    "failed beats shut": Weight(Act.STOPPED, FAILED, shut=True),
    "unknown beats shut": Weight(Wait.UNKNOWN, RUNS, sight=AWAY, shut=True),
    "unknown beats inconclusive": Weight(Wait.UNKNOWN, CANCELLED, sight=AWAY),
    "unknown beats proven": Weight(Wait.UNKNOWN, GOOD2, sight=AWAY),
    "shut beats pending": Weight(Wait.WINDOW, RUNS, shut=True),
    "shut beats the next stage": Weight(Wait.WINDOW, GOOD2, shut=True),
    "a person is told of doubt at any hour": Weight(Wait.INCONCLUSIVE, CANCELLED, shut=True),
    "a stage soaks at any hour": Weight(Wait.SOAK, GOOD2, shut=True, soak="1h"),
    "a device in the middle beats an order that was closed": Weight(Wait.PENDING, Tally(running=2, open=False)),
    "inconclusive beats proven": Weight(Wait.INCONCLUSIVE, CANCELLED),
    "proven soaks": Weight(Wait.SOAK, GOOD2, soak="1h"),
    "proven and soaked goes on": Weight(Act.ADVANCED, GOOD2),
}


@pytest.mark.parametrize("case", ORDER)
def test_the_heavier_question_is_answered(case):
    """Where two answers apply, the one that spares devices wins."""
    row = ORDER[case]
    plan = new_plan((2, 1), (2, 1), windows=[WINDOW], stages=[{"percent": 10, "soak": row.soak}, {"percent": 100}])

    decision = decide(plan, running(plan, *first(row.factory, row.depot)), row.sight, NOW + 2 * HOUR * row.shut)

    assert outcome(decision) is row.expected


@pytest.mark.parametrize(
    ("factory", "depot", "expected"),
    [
        (Tally(installed=3, waiting=1), Tally(installed=3, waiting=1), Act.ADVANCED),
        (Tally(installed=4), Tally(installed=2, waiting=2), Wait.PENDING),
        (Tally(installed=2, failed=1, waiting=1), Tally(installed=4), Wait.PENDING),
        (Tally(installed=3, running=1), Tally(installed=4), Act.ADVANCED),
        (Tally(installed=3, running=1, failed=0), Tally(installed=2, failed=2), Wait.PENDING),
        (Tally(installed=2, failed=2), Tally(installed=4), Act.ADVANCED),
        (Tally(installed=4), Tally(installed=3, failed=3), Act.STOPPED),
    ],
    ids=[
        "both have",
        "one has not",
        "failed are not enough",
        "one in the middle, for whom there is budget",
        "one in the middle, for whom there is none",
        "all ended",
        "budget comes first",
    ],
)
def test_a_stage_may_have_enough_before_all_have_ended(factory, depot, expected):
    """60 per cent of 4 devices are 3, in each fleet; the budget of two decides nothing."""
    plan = new_plan((4, 4), (1, 1), budget={"failures": 2}, stages=[{"percent": 50, "enough": 60}, {"percent": 100}])

    assert outcome(decide(plan, running(plan, *first(factory, depot)), Sight(), NOW)) is expected


def test_a_stage_that_has_enough_says_who_is_left():
    """In the reason, and so in status and ledger."""
    plan = new_plan((4, 4), (1, 1), stages=[{"percent": 50, "enough": 60}, {"percent": 100}])

    decision = decide(plan, running(plan, *first(Tally(installed=3, waiting=1), GOOD4)), Sight(), NOW)

    assert decision.reason.startswith("stage 1 has enough, 1 devices have not ended: 7 of 8 devices installed")


def test_a_device_of_an_earlier_stage_that_is_in_the_middle_is_waited_for():
    """It came back late; whether it fails is part of the evidence."""
    plan = new_plan((2, 1), (4, 4), (1, 1))
    progress = report(running(plan, *second(GOOD4, GOOD4)), F1, Tally(installed=1, running=1))

    assert outcome(decide(plan, progress, Sight(), NOW)) is Wait.PENDING


def test_a_stage_without_success_is_inconclusive_even_within_the_budget():
    """A canary stage in which nothing was installed proves nothing, whatever the budget allows."""
    plan = new_plan((2, 1), (4, 4), budget={"failures": 5})

    decision = decide(plan, running(plan, *first(Tally(failed=2), Tally(failed=1))), Sight(), NOW)

    assert outcome(decision) is Wait.INCONCLUSIVE
    assert decision.reason == "stage 1 ended and no device was installed: find out why, then abort it"


def test_a_cloud_that_finds_no_device_in_the_buckets_proves_nothing():
    """Fifty were counted when the plan was made: an order for nobody must not pass for a stage."""
    plan = new_plan((50, 0), (50, 0), by_bucket=True)

    counting = decide(plan, running(plan, *first(Tally(open=True))), Sight(), NOW)
    closed = decide(plan, running(plan, *first(Tally(open=False))), Sight(), NOW)

    assert outcome(counting) is Wait.PENDING
    assert outcome(closed) is Wait.INCONCLUSIVE
    assert "with 50 devices unfinished" in closed.reason


@pytest.mark.parametrize(
    ("failures", "percent", "stage", "expected"),
    [(1, 0, 3, 1), (0, 10, 0, 0), (0, 10, 1, 1), (0, 10, 3, 2), (2, 10, 3, 2), (3, 10, 3, 3), (0, 100, 0, 3)],
)
def test_the_budget_is_the_larger_of_its_two_figures(failures, percent, stage, expected):
    """The percentage is of the devices of the stages begun, rounded down, and never lowers the count."""
    assert limit(new_plan(*SIZES, budget={"failures": failures, "percent": percent}), stage) == expected


MISSING = Consent(missing=1, words="1 of 2 approvers have signed")
REJECTED = Consent(rejected=("eva",), words="eva rejected it")


@pytest.mark.parametrize(
    ("consent", "expected"), [(Consent(), Act.PUBLISHED), (MISSING, Wait.APPROVAL), (REJECTED, Wait.APPROVAL)]
)
def test_nothing_is_published_before_the_approvers_agree(consent, expected):
    """A planned rollout waits for signatures, and says whose; then the artifacts may follow."""
    decision = decide(new_plan((2, 1)), Progress(), Sight(plan_consent=consent), NOW)

    assert outcome(decision) is expected
    assert consent.words in decision.reason
    assert decision.progress.orders == ()


@pytest.mark.parametrize(
    ("consent", "expected", "state"),
    [
        (Consent(), Act.ADVANCED, State.RUNNING),
        (MISSING, Wait.APPROVAL, State.RUNNING),
        (REJECTED, Act.PAUSED, State.PAUSED),
    ],
)
def test_a_stage_is_signed_off_before_the_next(consent, expected, state):
    """Missing signatures hold a proven stage; a rejection withdraws what is offered and pauses."""
    plan = new_plan((2, 1), (4, 4))

    decision = decide(plan, running(plan, *first(GOOD2, GOOD1)), Sight(stage_consent=consent), NOW)

    assert (outcome(decision), decision.progress.state) == (expected, state)
    assert consent.words in decision.reason
    assert (Place(1, FACTORY) in [at.place for at in decision.progress.orders]) == (expected is Act.ADVANCED)
    assert opened(decision.progress, F1) == [state is State.RUNNING]
