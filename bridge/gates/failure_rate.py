"""The gate on a stage's failure rate: a sequential test of counts, which may be looked at whenever one likes.

As long as each next device to end is bad with probability at most `limit`, whatever ended before it, the answer is
*ever* Breached with probability at most `false_stop`; as long as that probability is at least `limit`, it is ever
Passed with probability at most `missed_stop`. No number of looks and no rule for when to stop changes that
(bridge.gates.mixture).

What that asks of the order: devices are exchangeable, so that those that ended speak for those that did not. Two
things break it. Failures may report sooner than successes (a refused signature, against a trial boot): then the share
is too high at first. A breach is acted on at once all the same, since a stop can be taken back and a bad update often
cannot; `minimum` is the guard. (With all devices that began as `ended`, a breach is safe from that too, but late; and
then a pass means nothing.) Or failures report later (time limits): then the share is too low at first. So a stage is
promoted only when it has ended: the counts are all there then, and the test does not see their order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from bridge.gates.mixture import ABOVE, BELOW, lower_bound, upper_bound
from bridge.gates.verdict import Breached, Passed, Undecided
from bridge.gates.words import part, percent
from bridge.rollout.rules import FailureRate

MOST = 10**9
"""Devices. No fleet has more, so no search goes further."""


@dataclass(frozen=True, slots=True)
class RateFigures:
    """What is known of the rate. `share` is None while no device ended.

    The rate is ever below `lower` with probability `false_stop` at most, ever above `upper` with `missed_stop`. `above`
    and `below` are natural logarithms of the evidence that it is on that side of the limit; `-log(false_stop)` and
    `-log(missed_stop)` suffice.
    """

    bad: int
    ended: int
    share: float | None
    lower: float
    upper: float
    above: float
    below: float


RateVerdict = Breached[RateFigures] | Passed[RateFigures] | Undecided[RateFigures]


def judge(rule: FailureRate, bad: int, ended: int) -> RateVerdict:
    """What `bad` of `ended` devices say of the rate; costs the same for any counts.

    `ended` are the devices that installed or were bad; withdrawn ones say nothing and are not among them.
    Raises: ValueError when the counts are not 0 <= bad <= ended.
    """
    figures = measure(rule, bad, ended)
    if ended < rule.minimum:
        return Undecided(_early(rule, figures), figures)
    if ABOVE.proves(bad, ended, rule.limit / 100, rule.false_stop):
        return Breached(_breached(rule, figures), figures)
    if BELOW.proves(bad, ended, rule.limit / 100, rule.missed_stop):
        return Passed(_passed(rule, figures), figures)
    return Undecided(_between(rule, figures), figures)


def measure(rule: FailureRate, bad: int, ended: int) -> RateFigures:
    """The figures of these counts. Raises: ValueError when the counts are not 0 <= bad <= ended."""
    if not 0 <= bad <= ended:
        raise ValueError(f"{bad} bad of {ended} ended devices cannot be: bad devices are among those that ended")
    rate = rule.limit / 100
    return RateFigures(
        bad=bad,
        ended=ended,
        share=bad / ended if ended else None,
        lower=lower_bound(bad, ended, rule.false_stop),
        upper=upper_bound(bad, ended, rule.missed_stop),
        above=ABOVE.evidence(bad, ended, rate),
        below=BELOW.evidence(bad, ended, rate),
    )


def needed(rule: FailureRate) -> int | None:
    """The fewest ended devices that can pass: none of them bad. None: more than a thousand million."""
    return passing(rule, 0)


def doomed(rule: FailureRate) -> int | None:
    """The fewest ended devices that can breach: all of them bad. None: no number does, as with a limit of 100 %."""
    rate = rule.limit / 100
    return _fewest(rule.minimum, MOST, lambda ended: ABOVE.proves(ended, ended, rate, rule.false_stop))


def passing(rule: FailureRate, bad: int) -> int | None:
    """The fewest ended devices, `bad` of them bad, that pass. None: more than a thousand million."""
    rate = rule.limit / 100
    first = max(bad, rule.minimum)
    return _fewest(first, MOST, lambda ended: BELOW.proves(bad, ended, rate, rule.missed_stop))


def breaching(rule: FailureRate, ended: int) -> int | None:
    """The fewest bad devices among `ended` that breach. None: not even all."""
    if ended < rule.minimum:
        return None
    rate = rule.limit / 100
    return _fewest(0, ended, lambda bad: ABOVE.proves(bad, ended, rate, rule.false_stop))


def _fewest(first: int, last: int, is_enough: Callable[[int], bool]) -> int | None:
    """The first of the numbers that is enough; all after it are."""
    numbers = range(first, last + 1)
    index = bisect_left(numbers, 1, key=is_enough)
    return numbers[index] if index < len(numbers) else None


def _counts(figures: RateFigures) -> str:
    return f"{figures.bad} of {figures.ended} ended devices bad{part(figures.bad, figures.ended)}"


def _early(rule: FailureRate, figures: RateFigures) -> str:
    return f"{_counts(figures)}: too few to judge, the rule asks for {rule.minimum}"


def _breached(rule: FailureRate, figures: RateFigures) -> str:
    return (
        f"{_counts(figures)}: the failure rate is above the limit of {rule.limit:g} %, it is {percent(figures.lower)} "
        f"or more (wrong with probability {rule.false_stop:g} at most)"
    )


def _passed(rule: FailureRate, figures: RateFigures) -> str:
    return (
        f"{_counts(figures)}: the failure rate is below the limit of {rule.limit:g} %, it is {percent(figures.upper)} "
        f"or less (wrong with probability {rule.missed_stop:g} at most)"
    )


def _between(rule: FailureRate, figures: RateFigures) -> str:
    bad, ended = breaching(rule, figures.ended), passing(rule, figures.bad)
    breach = "no number of bad devices among so few would breach" if bad is None else f"{bad} bad ones would breach"
    passes = "" if ended is None else f", {ended} ended devices without another bad one would pass"
    return (
        f"{_counts(figures)}: the failure rate lies between {percent(figures.lower)} and {percent(figures.upper)}, on "
        f"either side of the limit of {rule.limit:g} %; {breach}{passes}"
    )
