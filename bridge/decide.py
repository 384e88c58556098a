"""Whether a rollout goes on: tallies in, one decision out. Pure, without clock or memory.

Two steps. `assess` says what the current stage has shown, and keeps three negatives apart:

- *Failed*: the release is bad, the budget is spent. It stops, and nothing starts it again.
- *Unknown*: a fleet could not be asked. It holds; asking again may help.
- *Inconclusive*: everything was asked and it proves nothing. It holds until a person looks.

`decide` turns that into what to do. Failures count as soon as they are seen, also while another fleet is silent; a
stage is proven only when every fleet was asked and every device ended, or as many are installed as the stage calls
enough and none is in the middle: devices that are switched off must not hold a rollout for ever. Soak times, gates and
pauses enter as further verdicts and decisions here, and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar, assert_never

from bridge.cohort import share
from bridge.rollout import Place, Plan
from bridge.tally import Tally


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of the stages begun: the newest tally of each place, and why places could not be asked now.

    A place of the current stage without a tally was not started yet. A place may be in both: then its tally is old, and
    its failures still count.
    """

    tallies: Mapping[Place, Tally] = field(default_factory=dict)
    unseen: Mapping[Place, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The counts behind a decision. `stage` counts from 1, as people do; `bad` and `limit` span all stages begun."""

    stage: int
    devices: int
    waiting: int
    ended: int
    installed: int
    withdrawn: int
    bad: int
    limit: int


@dataclass(frozen=True, slots=True)
class Proven:
    """The stage ended within the budget."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Devices of the stage are still waiting or running."""

    kind: ClassVar[str] = "pending"


@dataclass(frozen=True, slots=True)
class Failed:
    """The release is bad: more devices failed than the budget allows."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Could not be measured: `why` is what the silent fleets said."""

    kind: ClassVar[str] = "unknown"

    why: str


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """Was measured and proves nothing: `why` says what a person should look at."""

    kind: ClassVar[str] = "inconclusive"

    why: str


Verdict = Proven | Pending | Failed | Unknown | Inconclusive


@dataclass(frozen=True, slots=True)
class Hold:
    """Change nothing; `verdict` says which kind of waiting this is."""

    reason: str
    evidence: Evidence
    verdict: Pending | Unknown | Inconclusive


@dataclass(frozen=True, slots=True)
class Advance:
    """Begin the next stage, `to` (from 0)."""

    reason: str
    evidence: Evidence
    to: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Withdraw every open offer, for good."""

    reason: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Complete:
    """The last stage is proven."""

    reason: str
    evidence: Evidence


Decision = Hold | Advance | Stop | Complete


def decide(plan: Plan, stage: int, sight: Sight) -> Decision:
    """What to do with a running rollout at `stage` (from 0)."""
    evidence = weigh(plan, stage, sight)
    match assess(plan, stage, sight, evidence):
        case Failed():
            return Stop(_spent(evidence), evidence)
        case Unknown(why) as verdict:
            return Hold(why, evidence, verdict)
        case Inconclusive(why) as verdict:
            return Hold(why, evidence, verdict)
        case Pending() as verdict:
            return Hold(_pending(evidence), evidence, verdict)
        case Proven():
            return _forward(plan, stage, evidence)
        case other:
            assert_never(other)


def assess(plan: Plan, stage: int, sight: Sight, evidence: Evidence) -> Verdict:
    """What the stage has shown so far. The order of the questions is the order of their weight."""
    if evidence.bad > evidence.limit:
        return Failed()
    silent = [why for place, why in sight.unseen.items() if place.stage <= stage]
    if silent:
        return Unknown("could not ask every fleet: " + "; ".join(silent))
    places = plan.places(stage)
    if any(place not in sight.tallies for place in places):
        return Pending()
    if _is_under_way(plan, stage, sight) or not all(_is_enough(plan, place, sight.tallies[place]) for place in places):
        return _unended(plan, stage, sight)
    return _ended(plan, stage, sight, evidence)


def weigh(plan: Plan, stage: int, sight: Sight) -> Evidence:
    """The counts of the current stage, and the budget over all stages begun."""
    begun = [place for place in plan.places(stage) if place in sight.tallies]
    here = [sight.tallies[place] for place in begun]
    return Evidence(
        stage=stage + 1,
        devices=plan.stages[stage].size,
        waiting=sum(tally.waiting for tally in here),
        ended=sum(min(sight.tallies[place].ended, len(plan.devices(place))) for place in begun),
        installed=sum(tally.installed for tally in here),
        withdrawn=sum(tally.withdrawn for tally in here),
        bad=sum(tally.bad for place, tally in sight.tallies.items() if place.stage <= stage),
        limit=limit(plan, stage),
    )


def limit(plan: Plan, stage: int) -> int:
    """How many devices may be bad while `stage` is the newest begun: the larger of the budget's two figures."""
    begun = sum(planned.size for planned in plan.stages[: stage + 1])
    budget = plan.rollout.budget
    return max(budget.failures, math.floor(Fraction(str(budget.percent)) * begun / 100))


def _is_under_way(plan: Plan, stage: int, sight: Sight) -> bool:
    """Whether a device is in the middle of it: its end comes within its timeout, and may be a failure."""
    begun = ((place, tally) for place, tally in sight.tallies.items() if place.stage <= stage)
    return any(tally.running and tally.ended < len(plan.devices(place)) for place, tally in begun)


def _is_enough(plan: Plan, place: Place, tally: Tally) -> bool:
    devices = len(plan.devices(place))
    return tally.ended >= devices or tally.installed >= share(plan.stages[place.stage].enough, devices)


def _unended(plan: Plan, stage: int, sight: Sight) -> Pending | Inconclusive:
    """A fleet whose order is closed, with no device running, will not report the devices that it left out."""
    for place in plan.places(stage):
        tally = sight.tallies[place]
        missing = len(plan.devices(place)) - tally.ended
        if missing > 0 and not tally.open and not tally.running:
            return Inconclusive(
                f"fleet {place.fleet} closed stage {stage + 1} with {missing} devices unfinished, and otabridge did not"
                f" ask for that: look at order {plan.key(stage)} in the cloud, then abort the rollout"
            )
    return Pending()


def _ended(plan: Plan, stage: int, sight: Sight, evidence: Evidence) -> Proven | Inconclusive:
    """Withdrawn devices prove nothing. A few were taken out of service; as many as were installed are no accident.

    Nor is a cancelled order: whoever did that, in the cloud's console, wanted an end and not the next stage.
    """
    for place in plan.places(stage):
        tally = sight.tallies[place]
        if tally.cancelled:
            return Inconclusive(
                f"fleet {place.fleet}: order {plan.key(stage)} of stage {evidence.stage} was cancelled in the cloud "
                f"with {tally.installed} devices installed, and otabridge did not ask for that: find out why, then "
                "abort the rollout"
            )
        if tally.withdrawn and tally.withdrawn >= tally.installed:
            return Inconclusive(
                f"fleet {place.fleet} ended stage {evidence.stage} with {tally.installed} devices installed and "
                f"{tally.withdrawn} withdrawn, and otabridge did not ask for that: look at order {plan.key(stage)} "
                "in the cloud, then abort the rollout"
            )
    if evidence.devices and not evidence.installed:
        return Inconclusive(f"stage {evidence.stage} ended and no device was installed: find out why, then abort it")
    return Proven()


def _forward(plan: Plan, stage: int, evidence: Evidence) -> Advance | Complete:
    reason = _proven(evidence)
    if stage + 1 == len(plan.stages):
        return Complete(reason, evidence)
    return Advance(reason, evidence, stage + 1)


def _proven(evidence: Evidence) -> str:
    if not evidence.devices:
        return f"stage {evidence.stage} has no devices"
    left = evidence.devices - evidence.ended
    end = f"has enough, {left} devices have not ended" if left else "ended"
    return (
        f"stage {evidence.stage} {end}: {evidence.installed} of {evidence.devices} devices installed, "
        f"{evidence.bad} bad of {evidence.limit} that the budget allows"
    )


def _spent(evidence: Evidence) -> str:
    return (
        f"{evidence.bad} devices failed, were rejected or timed out; the budget allows {evidence.limit} "
        f"up to stage {evidence.stage}"
    )


def _pending(evidence: Evidence) -> str:
    return (
        f"stage {evidence.stage}: {evidence.ended} of {evidence.devices} devices ended, "
        f"{evidence.installed} installed, {evidence.waiting} have not taken the offer"
    )
