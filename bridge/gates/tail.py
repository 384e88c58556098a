"""Exact tails of the binomial and the hypergeometric distribution, fast for millions of devices.

Terms are summed from the nearest to the farthest, each by its ratio to the one before. Away from the mean the ratios
are below 1 and fall, so what was left out is at most a geometric series; it is added. The result is therefore never
too small, but for rounding (a relative error below 1e-6 at a million devices), and takes some standard deviations of
terms.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

_NEGLIGIBLE = 1e-12
"""Share of a sum below which its rest is bounded and no longer summed."""


def binomial_tail(bad: int, total: int, rate: float) -> float:
    """P(X >= bad), X of `total` independent devices that are bad with probability `rate` (0 to 1) each."""
    if bad <= 0 or rate >= 1:
        return 1.0
    if rate <= 0 or bad > total:
        return 0.0
    odds = rate / (1 - rate)
    if bad > total * rate:
        return _series(_binomial(bad, total, rate), (odds * (total - x) / (x + 1) for x in range(bad, total)))
    below = (x / (total - x + 1) / odds for x in range(bad - 1, 0, -1))
    return 1 - _series(_binomial(bad - 1, total, rate), below)


def hypergeometric_tail(bad: int, drawn: int, marked: int, population: int) -> float:
    """P(X >= bad), X the marked ones among `drawn` of a `population` with `marked` ones: Fisher's exact test."""
    least = max(0, drawn + marked - population)
    most = min(drawn, marked)
    if bad <= least:
        return 1.0
    if bad > most:
        return 0.0
    spare = population - marked - drawn
    if bad * population > drawn * marked:
        above = ((marked - x) * (drawn - x) / ((x + 1) * (spare + x + 1)) for x in range(bad, most))
        return _series(_hypergeometric(bad, drawn, marked, population), above)
    below = (x * (spare + x) / ((marked - x + 1) * (drawn - x + 1)) for x in range(bad - 1, least, -1))
    return 1 - _series(_hypergeometric(bad - 1, drawn, marked, population), below)


def _series(first: float, ratios: Iterable[float]) -> float:
    """The sum of terms, the `first` as a logarithm; at most 1."""
    total = term = 1.0
    for ratio in ratios:
        rest = term * ratio / (1 - ratio)
        if rest < _NEGLIGIBLE * total:
            total += rest
            break
        term *= ratio
        total += term
    return min(1.0, math.exp(first + math.log(total)))


def _binomial(bad: int, total: int, rate: float) -> float:
    return _ways(total, bad) + bad * math.log(rate) + (total - bad) * math.log1p(-rate)


def _hypergeometric(bad: int, drawn: int, marked: int, population: int) -> float:
    return _ways(marked, bad) + _ways(population - marked, drawn - bad) - _ways(population, drawn)


def _ways(total: int, chosen: int) -> float:
    """Logarithm of the binomial coefficient."""
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)
