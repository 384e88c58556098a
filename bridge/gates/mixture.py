"""Evidence that stays valid however often one looks: mixtures of likelihood ratios, and the bounds they give.

Let each device that ends be bad with probability `q`, and hold a `rate` against it by an alternative whose odds are
`e^d` times those of `rate`. The likelihood ratio of `bad` among `ended` devices is `e^(d*bad) / (1 + (e^d -
1)*rate)^ended`. With one device more it changes by a factor whose mean is `(1 + (e^d - 1)*q) / (1 + (e^d - 1)*rate)`:
at most 1 where `d > 0` and `q <= rate`, or `d < 0` and `q >= rate`. So it is a nonnegative supermartingale that
starts at 1, and so is an average of several. By Ville's inequality the probability that it ever reaches `1/error` is
at most `error`. That holds also where `q` differs from device to device and depends on what came before, as long as
it stays on its side of `rate`.

The averages are finite, so evidence costs ten exponentials for any counts. Ratios of odds and not differences of
rates, because then evidence falls (ABOVE) or rises (BELOW) with `rate`, whatever the counts: the bounds below are
unique, and they are beyond a limit exactly when the evidence against that limit suffices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_DISTANCES = tuple(0.0125 * 2**step for step in range(10))
"""Of the alternatives, in log odds. It takes about a million devices to tell the nearest apart; the farthest has 600
times the odds. A rate between two of them is found with a fifth more devices at most than one upon them."""
_STEPS = 64
"""Halvings of a range of rates; a double has no more digits."""


@dataclass(frozen=True, slots=True)
class _Alternative:
    """One rate to compare with: logarithms of its weight and of its odds over the limit's; those odds less 1."""

    weight: float
    distance: float
    excess: float


@dataclass(frozen=True, slots=True)
class Mixture:
    """Alternatives on one side of any rate."""

    alternatives: tuple[_Alternative, ...]

    def evidence(self, bad: int, ended: int, rate: float) -> float:
        """Natural logarithm of the evidence of `bad` among `ended` devices against `rate` (0 to 1)."""
        terms = [one.weight + one.distance * bad - ended * math.log1p(one.excess * rate) for one in self.alternatives]
        most = max(terms)
        return most + math.log(sum(math.exp(term - most) for term in terms))

    def proves(self, bad: int, ended: int, rate: float, error: float) -> bool:
        """Whether the evidence against `rate` suffices, when it may mislead with probability `error`."""
        return self.evidence(bad, ended, rate) >= -math.log(error)


def _mixture(side: int, weights: Iterable[int]) -> Mixture:
    parts = tuple(weights)
    return Mixture(
        tuple(
            _Alternative(math.log(weight / sum(parts)), side * distance, math.expm1(side * distance))
            for distance, weight in zip(_DISTANCES, parts, strict=True)
        )
    )


ABOVE = _mixture(+1, (1, 1, 1, 1, 2, 4, 8, 8, 4, 2))
"""Evidence that the rate is higher. Most weight on two to five times the odds: releases that are bad, yet not so bad
that everybody sees it at once."""
BELOW = _mixture(-1, (1, 1, 1, 1, 2, 4, 8, 16, 16, 16))
"""Evidence that the rate is lower. Most weight on next to no failures, as good releases have, so that a stage without
one passes with 174 devices where a test that forgives no failure at all needs 149 (limit 2 %, error 5 %)."""


def lower_bound(bad: int, ended: int, error: float) -> float:
    """The highest rate (0 to 1) that ABOVE proves to be exceeded; 0 where it proves none. Never above the share."""
    if not bad:
        return 0.0
    return _search(0.0, bad / ended, lambda rate: ABOVE.proves(bad, ended, rate, error))


def upper_bound(bad: int, ended: int, error: float) -> float:
    """The lowest rate (0 to 1) that BELOW proves not to be reached; 1 where it proves none. Never below the share."""
    if bad == ended:
        return 1.0
    return _search(1.0, bad / ended, lambda rate: BELOW.proves(bad, ended, rate, error))


def _search(proven: float, unproven: float, proves: Callable[[float], bool]) -> float:
    """The end of what is proven. `proven` is taken to be so, as it is a rate that nothing lies beyond."""
    for _ in range(_STEPS):
        middle = (proven + unproven) / 2
        if proves(middle):
            proven = middle
        else:
            unproven = middle
    return proven
