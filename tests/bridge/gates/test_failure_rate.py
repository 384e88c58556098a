"""The failure-rate gate: errors computed exactly over every path of reports, anchors by hand, words for people."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.gates.failure_rate import breaching, doomed, judge, measure, needed, passing
from bridge.gates.mixture import ABOVE, BELOW
from bridge.gates.verdict import Breached, Passed, Undecided
from bridge.rollout.rules import FailureRate

TWO = FailureRate(limit=2.0)
LIMITS = st.floats(0.5, 30.0)
ENDED = st.integers(1, 1_000_000)
ORDER = {Passed: 0, Undecided: 1, Breached: 2}


@st.composite
def counts(draw):
    """Counts (bad, ended); small shares are as frequent as large ones."""
    ended = draw(ENDED)
    return draw(st.one_of(st.integers(0, min(ended, 20)), st.integers(0, ended))), ended


RULES = st.builds(
    FailureRate,
    limit=LIMITS,
    false_stop=st.floats(0.0001, 0.49),
    missed_stop=st.floats(0.0001, 0.49),
    minimum=st.integers(1, 50),
)


def chance_of(rate: float, last: int, is_decided) -> float:
    """The exact probability that a rollout of `last` devices is ever decided, when it is asked after each of them."""
    alive, decided = {0: 1.0}, 0.0
    for ended in range(1, last + 1):
        moved: dict[int, float] = {}
        for bad, weight in alive.items():
            moved[bad] = moved.get(bad, 0.0) + weight * (1 - rate)
            moved[bad + 1] = moved.get(bad + 1, 0.0) + weight * rate
        decided += sum(weight for bad, weight in moved.items() if is_decided(bad, ended))
        alive = {bad: weight for bad, weight in moved.items() if weight > 1e-15 and not is_decided(bad, ended)}
    return decided


@pytest.mark.parametrize("limit", [0.5, 2.0, 10.0, 30.0])
@pytest.mark.parametrize("false_stop", [0.01, 0.2])
def test_a_rate_at_the_limit_breaches_no_more_often_than_stated(limit, false_stop):
    """Though it is asked after each of the devices, and at the limit it is hardest to keep."""
    rule = FailureRate(limit=limit, false_stop=false_stop, minimum=1)
    fewest = [breaching(rule, ended) for ended in range(601)]

    def is_breached(bad: int, ended: int) -> bool:
        return fewest[ended] is not None and bad >= fewest[ended]

    error = chance_of(limit / 100, 600, is_breached)

    assert false_stop / 20 < error <= false_stop


@pytest.mark.parametrize("limit", [2.0, 10.0, 30.0])
@pytest.mark.parametrize("missed_stop", [0.05, 0.2])
def test_a_rate_at_the_limit_passes_no_more_often_than_stated(limit, missed_stop):
    """And nearly as often: nothing of the error that people accept is left unused."""
    rule = FailureRate(limit=limit, missed_stop=missed_stop, minimum=1)
    first = [passing(rule, bad) for bad in range(200)]

    error = chance_of(limit / 100, round(2000 / limit), lambda bad, ended: ended >= first[bad])

    assert missed_stop / 2 < error <= missed_stop


def test_a_rate_beyond_the_limit_is_found():
    """At five times the limit of 2 % nine rollouts of ten have stopped within 200 devices."""
    fewest = [breaching(TWO, ended) for ended in range(201)]

    found = chance_of(0.10, 200, lambda bad, ended: fewest[ended] is not None and bad >= fewest[ended])

    assert found > 0.9


@given(counts(), LIMITS, st.floats(0, 1))
def test_one_report_more_never_adds_evidence_on_average_while_the_rate_is_on_its_side(count, limit, part):
    """The step of the proof: a supermartingale, whatever the rate of the next device on that side of the limit."""
    (bad, ended), limit = count, limit / 100

    def growth(mixture, rate: float) -> float:
        now = mixture.evidence(bad, ended, limit)
        worse, better = (mixture.evidence(bad + one, ended + 1, limit) - now for one in (1, 0))
        return rate * math.exp(worse) + (1 - rate) * math.exp(better)

    assert growth(ABOVE, part * limit) <= 1 + 1e-6
    assert growth(BELOW, limit + part * (1 - limit)) <= 1 + 1e-6


def test_evidence_begins_at_one():
    """Before any report there is none for either side."""
    assert ABOVE.evidence(0, 0, 0.02) == pytest.approx(0)
    assert BELOW.evidence(0, 0, 0.02) == pytest.approx(0)


@given(RULES, counts())
def test_one_failure_more_never_helps(rule, count):
    """With as many ended devices, a further bad one moves the verdict only towards Breached."""
    bad, ended = count
    assume(bad < ended)

    assert ORDER[type(judge(rule, bad, ended))] <= ORDER[type(judge(rule, bad + 1, ended))]


@given(RULES, counts())
def test_one_success_more_never_harms(rule, count):
    """With as many bad devices, a further good one moves the verdict only towards Passed."""
    bad, ended = count
    assume(ended >= rule.minimum)

    assert ORDER[type(judge(rule, bad, ended + 1))] <= ORDER[type(judge(rule, bad, ended))]


@given(RULES, counts())
def test_bounds_contain_the_share_and_agree_with_the_verdict(rule, count):
    """What people read in the figures is what the gate acts on, and never both at once."""
    bad, ended = count
    figures, verdict, limit = measure(rule, bad, ended), judge(rule, bad, ended), rule.limit / 100

    assert figures.lower <= bad / ended <= figures.upper
    assert not (figures.above >= -math.log(rule.false_stop) and figures.below >= -math.log(rule.missed_stop))
    if isinstance(verdict, Breached):
        assert figures.lower >= limit * (1 - 1e-9)
    elif isinstance(verdict, Passed):
        assert figures.upper <= limit * (1 + 1e-9)
    elif ended >= rule.minimum:
        assert figures.lower <= limit * (1 + 1e-9)
        assert figures.upper >= limit * (1 - 1e-9)


@given(RULES, st.integers(0, 30), st.integers(1, 5000))
def test_the_figures_of_a_plan_are_where_the_verdict_changes(rule, bad, ended):
    """`passing` and `breaching` name the first counts that do, so that a plan can say what a stage is able to prove."""
    last, fewest = passing(rule, bad), breaching(rule, ended)

    assert isinstance(judge(rule, bad, last), Passed)
    assert last in (bad, rule.minimum) or not isinstance(judge(rule, bad, last - 1), Passed)
    if fewest is not None:
        assert isinstance(judge(rule, fewest, ended), Breached)
        assert not isinstance(judge(rule, fewest - 1, ended), Breached)
    else:
        assert not isinstance(judge(rule, ended, ended), Breached)


@pytest.mark.parametrize(
    ("limit", "fewest", "all_bad"),
    [(0.5, 698, 10), (1.0, 349, 10), (2.0, 174, 10), (5.0, 69, 10), (10.0, 34, 10), (20.0, 16, 10), (30.0, 10, 10)],
)
def test_a_stage_without_a_failure_needs_so_many_devices(limit, fewest, all_bad):
    """The table of docs/gates.md."""
    rule = FailureRate(limit=limit)

    assert (needed(rule), doomed(rule)) == (fewest, all_bad)


@pytest.mark.parametrize("limit", [0.5, 2.0, 10.0, 30.0])
def test_the_price_of_looking_at_any_time_is_small(limit):
    """A test that is asked once and forgives no failure needs log(0.05)/log(1-limit) devices, this a fifth more."""
    ideal = math.log(0.05) / math.log1p(-limit / 100)

    assert ideal < needed(FailureRate(limit=limit, minimum=1)) < 1.25 * ideal + 1


def test_two_failures_of_two_would_breach_but_for_the_minimum():
    """By hand: the alternative with e^3.2 times the odds of 2 % weighs 4/32 and gives (24.53 / 1.4706)^2 = 278; that
    with e^6.4 weighs 2/32 and gives (601.8 / 13.02)^2 = 2138; together 168, and 100 suffice. One failure gives 7.
    """
    assert breaching(FailureRate(limit=2.0, minimum=1), 2) == 2
    assert breaching(TWO, 9) is None
    assert breaching(TWO, 10) == 4


def test_a_limit_of_all_devices_cannot_be_breached():
    """A share is never above 100 %; one success is then enough, as soon as the minimum ended."""
    rule = FailureRate(limit=100.0)

    assert doomed(rule) is None
    assert isinstance(judge(rule, 10, 10), Undecided)
    assert isinstance(judge(rule, 9, 10), Passed)


def test_a_limit_of_next_to_nothing_cannot_be_passed():
    """No fleet has the devices; the search for how many ends."""
    assert needed(FailureRate(limit=1e-300)) is None


@pytest.mark.parametrize(
    ("bad", "ended", "verdict", "words"),
    [
        (0, 0, Undecided, "0 of 0 ended devices bad: too few to judge, the rule asks for 10"),
        (5, 9, Undecided, "5 of 9 ended devices bad (55.6 %): too few to judge, the rule asks for 10"),
        (1, 3, Undecided, "too few to judge"),
        (
            4,
            10,
            Breached,
            "4 of 10 ended devices bad (40 %): the failure rate is above the limit of 2 %, it is ",
        ),
        (9, 60, Breached, "or more (wrong with probability 0.01 at most)"),
        (1, 100, Undecided, "lies between 0 % and 6.55 %, on either side of the limit of 2 %; 9 bad ones would breach"),
        (1, 100, Undecided, "334 ended devices without another bad one would pass"),
        (0, 173, Undecided, "174 ended devices without another bad one would pass"),
        (
            0,
            174,
            Passed,
            "0 of 174 ended devices bad (0 %): the failure rate is below the limit of 2 %, it is 1.99 ",
        ),
        (20_000, 1_000_000, Undecided, "lies between 1.94 % and 2.05 %"),
        (21_500, 1_000_000, Breached, "(2.15 %): the failure rate is above the limit of 2 %"),
        (18_500, 1_000_000, Passed, "(1.85 %): the failure rate is below the limit of 2 %"),
    ],
)
def test_people_read_why(bad, ended, verdict, words):
    """The reason names the counts, the limit and what would change the verdict."""
    said = judge(TWO, bad, ended)

    assert type(said) is verdict
    assert words in said.reason


@pytest.mark.parametrize(("bad", "ended"), [(3, 2), (-1, 2), (0, -1)])
def test_counts_that_cannot_be_are_refused(bad, ended):
    """More bad devices than ended is a mistake of the caller, and is not judged."""
    with pytest.raises(ValueError, match="cannot be: bad devices are among those that ended"):
        judge(TWO, bad, ended)


def test_bounds_close_in_on_the_share():
    """The more devices ended with the same share, the narrower the range."""
    ranges = [measure(TWO, ended // 50, ended) for ended in (50, 500, 5_000, 50_000, 500_000)]

    assert all(one.lower < more.lower and one.upper > more.upper for one, more in pairwise(ranges))


def test_a_million_devices_cost_no_more_than_ten(monkeypatch):
    """Evidence is asked for as often for any counts."""
    asked, evidence = [], type(ABOVE).evidence
    monkeypatch.setattr(type(ABOVE), "evidence", lambda *values: asked.append(values) or evidence(*values))

    judge(TWO, 1, 10)
    few = len(asked)
    judge(TWO, 21_000, 1_000_000)

    assert len(asked) - few <= few
    assert len(asked) < 500
