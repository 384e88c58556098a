"""The gate on a health figure: counts of a fleet query, taken again and again, of devices updated and not yet updated.

Two questions. Is the share of the updated devices proven above a fixed limit (binomial tail)? Is it proven above that
of the others of the same fleet (Fisher's exact test)? Fleets are compared each for itself: one whose devices are
often offline, and updated more of them, must not look like harm done.

Looks at the same devices depend on each other in unknown ways, so the error is spent: look k, and each question asked
in it, gets its part of `false_stop`, and the parts of all looks add up to no more than `false_stop`. A union bound
holds under any dependence between looks, questions and fleets.

The comparison asks for little: who is updated first is decided by a hash of the device's name, so under a release
that changes nothing any assignment was as likely, even when an outage hits many devices at once. The fixed limit does
ask that devices are unhealthy independently of each other; an outage of the network breaches it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bridge.fleet import HealthCount
from bridge.gates.tail import binomial_tail, hypergeometric_tail
from bridge.gates.verdict import Breached, Clear, Undecided
from bridge.gates.words import part, probable
from bridge.rollout.rules import Health

_ALL_LOOKS = 2.10975
"""No less than the sum of 1/(m log(m)^2) over all m from 2, which is 2.10974..."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One question that was answered: `words` with its counts, and how probable they are if nothing is wrong."""

    words: str
    probability: float


@dataclass(frozen=True, slots=True)
class HealthFigures:
    """What was asked at a look: a finding less probable than `threshold` breaches. `unasked` says what could not be."""

    look: int
    threshold: float
    findings: tuple[Finding, ...]
    unasked: tuple[str, ...]


HealthVerdict = Breached[HealthFigures] | Clear[HealthFigures] | Undecided[HealthFigures]


def judge(rule: Health, counts: Mapping[str, HealthCount], look: int) -> HealthVerdict:
    """What the counts of each fleet (by its name) say at the `look`-th look of this stage, from 1; never skip back.

    Fleets that could not be asked are left out. Looks are not free, so look when the counts may have changed.
    Raises: ValueError when `look` is not positive.
    """
    figures = measure(rule, counts, look)
    proven = [finding for finding in figures.findings if finding.probability <= figures.threshold]
    if proven:
        return Breached(_said(figures, proven, "below"), figures)
    if figures.findings:
        return Clear(_said(figures, figures.findings, "not below"), figures)
    return Undecided("; ".join(figures.unasked) or f"{rule.name} was asked of no fleet", figures)


def measure(rule: Health, counts: Mapping[str, HealthCount], look: int) -> HealthFigures:
    """The figures of this look. Raises: ValueError when `look` is not positive."""
    answers = tuple(_answers(rule, counts))
    return HealthFigures(
        look=look,
        threshold=spent(rule.false_stop, look) / _questions(rule),
        findings=tuple(answer for answer in answers if isinstance(answer, Finding)),
        unasked=tuple(answer for answer in answers if isinstance(answer, str)),
    )


def spent(error: float, look: int) -> float:
    """The part of `error` that belongs to the `look`-th look, from 1. All parts, for ever, add up to `error` at most.

    They fall nearly as slowly as they can, so that a breach is still possible after weeks of looks.
    Raises: ValueError when `look` is not positive.
    """
    if look < 1:
        raise ValueError(f"looks count from 1, this is {look}")
    return error / (_ALL_LOOKS * (look + 1) * math.log(look + 1) ** 2)


def _questions(rule: Health) -> int:
    """How many questions a look may ask, whichever fleets answer. One at least, since parts are divided by it."""
    return max(1, (rule.limit is not None) + len(rule.queries) * rule.compare)


def _answers(rule: Health, counts: Mapping[str, HealthCount]) -> Iterator[Finding | str]:
    sound = {fleet: count for fleet, count in counts.items() if _is_sound(count)}
    for fleet in sorted(counts.keys() - sound.keys()):
        yield f"fleet {fleet}: more devices are counted {rule.name} than there are: its queries lag behind, look again"
    if rule.limit is None and not rule.compare:
        yield f"{rule.name} has neither a limit nor a comparison: nothing to judge by"
    if rule.limit is not None:
        yield _against_limit(rule, rule.limit, sound)
    if rule.compare:
        yield from (_against_others(rule, fleet, sound[fleet]) for fleet in sorted(sound))


def _is_sound(count: HealthCount) -> bool:
    """Queries of one look are not one snapshot, so a cloud may count more unhealthy devices than there are."""
    return 0 <= count.updated_bad <= count.updated and 0 <= count.others_bad <= count.others


def _against_limit(rule: Health, limit: float, counts: Mapping[str, HealthCount]) -> Finding | str:
    bad = sum(count.updated_bad for count in counts.values())
    updated = sum(count.updated for count in counts.values())
    if updated < rule.minimum:
        return f"{updated} updated devices are too few to hold against the limit, the rule asks for {rule.minimum}"
    words = f"{_updated(rule, bad, updated)}, the limit is {limit:g} %"
    return Finding(words, binomial_tail(bad, updated, limit / 100))


def _against_others(rule: Health, fleet: str, count: HealthCount) -> Finding | str:
    few = _few(rule, fleet, count)
    if few:
        return few
    words = (
        f"fleet {fleet}: {_updated(rule, count.updated_bad, count.updated)}, "
        f"{count.others_bad} of {count.others} others{part(count.others_bad, count.others)}"
    )
    marked, population = count.updated_bad + count.others_bad, count.updated + count.others
    return Finding(words, hypergeometric_tail(count.updated_bad, count.updated, marked, population))


def _few(rule: Health, fleet: str, count: HealthCount) -> str:
    """Why this fleet's devices cannot be compared; empty when they can."""
    if count.updated < rule.minimum:
        return (
            f"fleet {fleet}: {count.updated} updated devices are too few to compare, the rule asks for {rule.minimum}"
        )
    if count.others < rule.minimum:
        return (
            f"fleet {fleet}: {count.others} devices not yet updated are too few to compare with, the rule asks for "
            f"{rule.minimum}"
        )
    return ""


def _updated(rule: Health, bad: int, updated: int) -> str:
    return f"{bad} of {updated} updated devices {rule.name}{part(bad, updated)}"


def _said(figures: HealthFigures, findings: Iterable[Finding], relation: str) -> str:
    threshold = f"{relation} {figures.threshold:.2g} for look {figures.look}"
    found = [f"{finding.words}: {probable(finding.probability)}, {threshold}" for finding in findings]
    return "; ".join([*found, *figures.unasked])
