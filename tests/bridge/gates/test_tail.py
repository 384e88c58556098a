"""Exact tails: sums of fractions say the same, and a million devices take a few thousand terms."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.gates import tail
from bridge.gates.tail import binomial_tail, hypergeometric_tail


def exact_binomial(bad: int, total: int, rate: Fraction) -> Fraction:
    """Summed in fractions."""
    return sum(
        (math.comb(total, x) * rate**x * (1 - rate) ** (total - x) for x in range(max(bad, 0), total + 1)), Fraction()
    )


def exact_hypergeometric(bad: int, drawn: int, marked: int, population: int) -> Fraction:
    """Summed in fractions."""
    most = min(drawn, marked)
    ways = sum(
        math.comb(marked, x) * math.comb(population - marked, drawn - x)
        for x in range(max(bad, 0), most + 1)
        if drawn - x <= population - marked
    )
    return Fraction(ways, math.comb(population, drawn))


@pytest.mark.parametrize(
    ("bad", "total", "rate", "expected"),
    [
        (0, 10, 0.5, 1.0),
        (1, 2, 0.5, 0.75),
        (2, 2, 0.5, 0.25),
        (1, 10, 0.1, 1 - 0.9**10),
        (3, 3, 0.1, 0.001),
        (4, 3, 0.1, 0.0),
        (1, 3, 0.0, 0.0),
        (3, 3, 1.0, 1.0),
        (0, 0, 0.1, 1.0),
    ],
)
def test_binomial_by_hand(bad, total, rate, expected):
    """Cases that need no table."""
    assert binomial_tail(bad, total, rate) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("bad", "drawn", "marked", "population", "expected"),
    [
        (3, 4, 4, 8, 17 / 70),  # Fisher's lady tasting tea, three cups or more
        (4, 4, 4, 8, 1 / 70),
        (0, 5, 5, 10, 1.0),
        (2, 2, 2, 2, 1.0),
        (3, 2, 5, 10, 0.0),
        (1, 10, 0, 20, 0.0),
    ],
)
def test_hypergeometric_by_hand(bad, drawn, marked, population, expected):
    """Fisher's own example among them (The Design of Experiments, 1935)."""
    assert hypergeometric_tail(bad, drawn, marked, population) == pytest.approx(expected, rel=1e-12)


@given(st.data(), st.integers(1, 80), st.fractions(Fraction(1, 1000), Fraction(999, 1000), max_denominator=1000))
def test_binomial_is_the_exact_sum(data, total, rate):
    """On either side of the mean and at it."""
    bad = data.draw(st.integers(0, total))

    assert binomial_tail(bad, total, float(rate)) == pytest.approx(float(exact_binomial(bad, total, rate)), rel=1e-10)


@given(st.data(), st.integers(1, 80))
def test_hypergeometric_is_the_exact_sum(data, population):
    """On either side of the mean and at it, also where not all counts are possible."""
    drawn, marked = (data.draw(st.integers(0, population)) for _ in range(2))
    bad = data.draw(st.integers(0, min(drawn, marked)))
    expected = float(exact_hypergeometric(bad, drawn, marked, population))

    assert hypergeometric_tail(bad, drawn, marked, population) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: binomial_tail(500_001, 1_000_000, 0.5),
        lambda: binomial_tail(500_000, 1_000_000, 0.5),
        lambda: hypergeometric_tail(250_001, 500_000, 500_000, 1_000_000),
        lambda: hypergeometric_tail(250_000, 500_000, 500_000, 1_000_000),
    ],
)
def test_a_million_devices_take_few_terms(monkeypatch, ask):
    """At the middle of the widest distributions, where most terms matter; half the probability lies on each side."""
    terms, series = [], tail._series
    monkeypatch.setattr(tail, "_series", lambda first, ratios: series(first, (terms.append(r) or r for r in ratios)))

    assert ask() == pytest.approx(0.5, abs=0.001)
    assert 0 < len(terms) < 6000


def test_far_tails_are_no_nonsense():
    """A share that cannot be by chance has next to no probability, and no overflow."""
    assert 0 <= binomial_tail(900_000, 1_000_000, 0.01) < 1e-300
    assert 0 <= hypergeometric_tail(90_000, 100_000, 100_000, 1_000_000) < 1e-300
    assert binomial_tail(1, 1_000_000, 0.9) == pytest.approx(1)
