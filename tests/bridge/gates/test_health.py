"""The health gate: what it proves, what it cannot ask, and that looking often does not make it err."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.fleet import HealthCount
from bridge.gates.health import judge, measure, spent
from bridge.gates.verdict import Breached, Clear, Undecided
from bridge.rollout.rules import Health

FACTORY, DEPOT = "factory", "depot"


def new_rule(*, limit: float | None = None, compare: bool = False, fleets: int = 1, **values) -> Health:
    """A figure that people call offline."""
    queries = dict.fromkeys((FACTORY, DEPOT)[:fleets], "offline")
    return Health(name="offline", queries=queries, limit=limit, compare=compare, **values)


LIMIT, COMPARE = new_rule(limit=5.0), new_rule(compare=True)
BOTH = new_rule(limit=5.0, compare=True, fleets=2)

CASES = {
    "far above the limit": (
        LIMIT,
        {FACTORY: HealthCount(20, 100, 0, 0)},
        Breached,
        "20 of 100 updated devices offline (20 %), the limit is 5 %: p = 1.1e-07, below 0.0049 for look 1",
    ),
    "at the limit": (LIMIT, {FACTORY: HealthCount(5, 100, 0, 0)}, Clear, "p = 0.56, not below 0.0049 for look 1"),
    "above the limit, by chance": (
        LIMIT,
        {FACTORY: HealthCount(8, 100, 0, 0)},
        Clear,
        "(8 %), the limit is 5 %: p = 0.13",
    ),
    "all unhealthy, but too few": (
        LIMIT,
        {FACTORY: HealthCount(19, 19, 0, 0)},
        Undecided,
        "19 updated devices are too few to hold against the limit, the rule asks for 20",
    ),
    "the limit holds for all fleets together": (
        new_rule(limit=5.0, fleets=2),
        {FACTORY: HealthCount(10, 60, 0, 0), DEPOT: HealthCount(10, 40, 0, 0)},
        Breached,
        "20 of 100 updated devices offline",
    ),
    "worse than the others": (
        COMPARE,
        {FACTORY: HealthCount(12, 200, 3, 800)},
        Breached,
        "fleet factory: 12 of 200 updated devices offline (6 %), 3 of 800 others (0.375 %): p = 8e-07, below 0.0049",
    ),
    "all are offline, as a network is down": (
        COMPARE,
        {FACTORY: HealthCount(200, 200, 800, 800)},
        Clear,
        "200 of 200 updated devices offline (100 %), 800 of 800 others (100 %): p = 1, not below",
    ),
    "better than the others": (COMPARE, {FACTORY: HealthCount(0, 200, 300, 800)}, Clear, "p = 1, not below"),
    "no others are left": (
        COMPARE,
        {FACTORY: HealthCount(90, 100, 0, 0)},
        Undecided,
        "fleet factory: 0 devices not yet updated are too few to compare with, the rule asks for 20",
    ),
    "few updated": (
        COMPARE,
        {FACTORY: HealthCount(9, 9, 0, 900)},
        Undecided,
        "fleet factory: 9 updated devices are too few to compare, the rule asks for 20",
    ),
    "one fleet is harmed, the other hides it": (
        BOTH,
        {FACTORY: HealthCount(15, 200, 3, 800), DEPOT: HealthCount(5, 500, 10, 500)},
        Breached,
        "fleet factory: 15 of 200 updated devices offline (7.5 %)",
    ),
    "one fleet is often offline, and more of it was updated": (
        new_rule(compare=True, fleets=2),
        {FACTORY: HealthCount(150, 500, 150, 500), DEPOT: HealthCount(1, 100, 9, 900)},
        Clear,
        "fleet depot: 1 of 100 updated devices offline (1 %), 9 of 900 others (1 %)",
    ),
    "what was not asked is said": (
        BOTH,
        {FACTORY: HealthCount(15, 200, 3, 800), DEPOT: HealthCount(0, 3, 0, 500)},
        Breached,
        "; fleet depot: 3 updated devices are too few to compare, the rule asks for 20",
    ),
    "queries disagree": (
        COMPARE,
        {FACTORY: HealthCount(31, 30, 0, 100)},
        Undecided,
        "fleet factory: more devices are counted offline than there are: its queries lag behind, look again",
    ),
    "no fleet answered": (COMPARE, {}, Undecided, "offline was asked of no fleet"),
    "a rule without a question": (new_rule(), {FACTORY: HealthCount(9, 90, 0, 90)}, Undecided, "neither a limit nor a"),
}


@pytest.mark.parametrize(("rule", "counts", "verdict", "words"), CASES.values(), ids=CASES)
def test_cases(rule, counts, verdict, words):
    """At the first look; people read the counts, the probability and what it was held against."""
    said = judge(rule, counts, 1)

    assert type(said) is verdict
    assert words in said.reason


def test_a_later_look_asks_for_more():
    """What breaches at the first look need not at the hundredth; the reason says which look it was."""
    counts = {FACTORY: HealthCount(13, 100, 0, 0)}

    assert isinstance(judge(LIMIT, counts, 1), Breached)
    assert "not below 2.2e-06 for look 100" in judge(LIMIT, counts, 100).reason


def test_the_parts_of_all_looks_add_up_to_the_stated_error():
    """Those of a million looks by summing, those after it by the integral 1/log of the decreasing terms."""
    looks = 1_000_000
    total = sum(spent(0.01, look) for look in range(1, looks + 1))
    rest = 0.01 / (2.10975 * math.log(looks + 1))

    assert 0.0099 < total + rest <= 0.01


def test_questions_share_the_part_of_a_look():
    """A limit and two fleets to compare are three chances to err, whether or not all fleets answered."""
    figures = measure(BOTH, {FACTORY: HealthCount(0, 100, 0, 100)}, 1)

    assert figures.threshold == pytest.approx(spent(BOTH.false_stop, 1) / 3)
    assert len(figures.findings) == 2


@pytest.mark.parametrize("look", [0, -1])
def test_looks_count_from_one(look):
    """Nothing could be spent on a look before the first."""
    with pytest.raises(ValueError, match="looks count from 1"):
        judge(LIMIT, {}, look)


@given(st.integers(1, 2000), st.integers(20, 2000), st.integers(0, 2000), st.integers(20, 2000), st.integers(1, 10_000))
def test_one_unhealthy_updated_device_more_never_clears(bad, updated, others_bad, others, look):
    """In either question the finding only becomes less probable."""
    assume(bad <= updated and others_bad <= others)
    rule = new_rule(limit=5.0, compare=True)
    fewer, more = (measure(rule, {FACTORY: HealthCount(n, updated, others_bad, others)}, look) for n in (bad - 1, bad))

    for before, after in zip(fewer.findings, more.findings, strict=True):
        assert after.probability <= before.probability * (1 + 1e-9)


def test_looking_at_the_same_devices_again_and_again_keeps_the_stated_error():
    """4000 harmless stages of 10 looks each, in a fleet of which 10 % are offline, with an error of 5 %: few err."""
    rule, chance = new_rule(compare=True, false_stop=0.05), random.Random(7)
    errors = sum(any(isinstance(said, Breached) for said in stage(rule, chance)) for _ in range(4000))

    assert 0 < errors / 4000 <= 0.05


def stage(rule: Health, chance: random.Random):
    """What each look says; the devices offline at one are so at the next."""
    ill = {device for device in range(400) if chance.random() < 0.1}
    for look in range(1, 11):
        after = sum(device < 20 * look for device in ill)
        count = HealthCount(after, 20 * look, len(ill) - after, 400 - 20 * look)
        yield judge(rule, {FACTORY: count}, look)
