"""Whether a stage has ended, and whether its end proves anything. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.engine.evidence import FALLBACKS, FORWARD, NOTHING, PlaceCounts, size_of, weigh
from bridge.engine.progress import Order, OrderKind, Progress
from bridge.gates import failure_rate
from bridge.gates.verdict import Breached, Passed
from bridge.gates.verdict import Undecided as CannotTell
from bridge.planning.cohort import share
from bridge.planning.planned import Place, Plan
from bridge.rollout.rules import Undecided

FOUND = 0.5
"""Share of the devices that were planned by their buckets which a stage must have found to prove anything."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a stage that has ended proves nothing, and what a person should look at."""

    reason: str


def has_ended(plan: Plan, progress: Progress, counts: Mapping[Place, PlaceCounts]) -> bool:
    """Whether the stage with these `counts` waits for no device."""
    return have_enough(plan, counts) and not is_under_way(plan, progress, counts)


def have_enough(plan: Plan, counts: Mapping[Place, PlaceCounts]) -> bool:
    """Whether every place was told of all its orders, and has enough of their devices."""
    return all(each.started and is_enough(plan, place, each) for place, each in counts.items())


def is_under_way(plan: Plan, progress: Progress, counts: Mapping[Place, PlaceCounts]) -> bool:
    """Whether more devices are in the middle of it than may come to harm, or so many that their end could turn what the
    failure rate says.

    Their ends come within their timeout. In a large fleet somebody always is in the middle, so that waiting for nobody
    to be would be waiting for ever.
    """
    return in_the_middle(plan, progress) > spare(plan, progress) or _may_turn(plan, progress, counts)


def in_the_middle(plan: Plan, progress: Progress) -> int:
    """How many devices of all stages have taken an offer and have not ended."""
    return sum(_running(plan, place, order) for place, _, order in progress.each() if order.kind in FORWARD)


def spare(plan: Plan, progress: Progress) -> int:
    """How many more devices may come to harm, in whichever way the rollout bears least."""
    evidence, fallbacks = weigh(plan, progress), plan.rollout.gates_of(progress.stage).fallbacks
    left = [evidence.limit - evidence.bad]
    if evidence.silent_limit is not None:
        left.append(evidence.silent_limit - evidence.silent)
    if fallbacks is not None:
        left.append(fallbacks - progress.figures.get(FALLBACKS, 0) + progress.forgiven.get(FALLBACKS, 0))
    return max(0, min(left))


def _may_turn(plan: Plan, progress: Progress, counts: Mapping[Place, PlaceCounts]) -> bool:
    """Whether the failure rate would be judged worse if all who are in the middle of this stage failed."""
    rule = plan.rollout.gates_of(progress.stage).failure_rate
    here = ((place, order) for place, _, order in progress.each() if place.stage == progress.stage)
    running = sum(_running(plan, place, order) for place, order in here if order.kind in FORWARD)
    if rule is None or not running:
        return False
    bad, ended = stage_counts(counts)
    now, worst = failure_rate.judge(rule, bad, ended), failure_rate.judge(rule, bad + running, ended + running)
    return isinstance(worst, Breached) or (isinstance(now, Passed) and not isinstance(worst, Passed))


def _running(plan: Plan, place: Place, order: Order) -> int:
    tally = order.tally or NOTHING
    return tally.running if tally.ended < size_of(plan, place, order) else 0


def is_enough(plan: Plan, place: Place, counts: PlaceCounts) -> bool:
    """Whether every device of the place ended, or as many are installed as the stage calls enough."""
    wanted = plan.rollout.stages[place.stage].enough
    return counts.ended >= counts.size or counts.installed >= share(wanted, counts.size)


def doubt_of(plan: Plan, progress: Progress, counts: Mapping[Place, PlaceCounts]) -> Doubt | None:
    """What is odd about the stage, or unproven once it has ended; None where nothing is."""
    for place, each in counts.items():
        doubt = _odd_end(plan, progress, place, each)
        if doubt:
            return doubt
    if not has_ended(plan, progress, counts):
        return None
    return (
        _nothing_installed(progress, counts) or _too_few(plan, progress, counts) or _undecided(plan, progress, counts)
    )


def doubt_of_return(counts: Mapping[Place, PlaceCounts]) -> Doubt | None:
    """What is odd about a roll back with these `counts`: one that others cut off has brought nobody back."""
    for place, each in counts.items():
        if each.cancelled or (each.withdrawn and each.withdrawn >= each.installed):
            return Doubt(
                f"fleet {place.fleet}: the way back of stage {place.stage + 1} was cut off in the cloud, and otabridge "
                f"did not ask for that: {each.size - each.installed - each.bad} devices are not back; find out why, "
                "abort the rollout, and roll out the previous release under a new name"
            )
    return None


def _odd_end(plan: Plan, progress: Progress, place: Place, counts: PlaceCounts) -> Doubt | None:
    """Withdrawn devices prove nothing. A few were taken out of service; as many as were installed are no accident.

    Nor is a cancelled order: whoever did that, in the cloud's console, wanted an end and not the next stage.
    """
    if not counts.started or _is_withdrawn_by_us(progress, place):
        return None
    order = f"order {progress.at(place)[-1].key or plan.key(place, len(progress.at(place)) - 1)}"
    end = "and otabridge did not ask for that: find out why, then promote the stage or abort the rollout"
    if counts.cancelled:
        return Doubt(
            f"fleet {place.fleet}: {order} of stage {place.stage + 1} was cancelled in the cloud with "
            f"{counts.installed} devices installed, {end}"
        )
    if counts.withdrawn and counts.withdrawn >= counts.installed:
        return Doubt(
            f"fleet {place.fleet} ended stage {place.stage + 1} with {counts.installed} devices installed and "
            f"{counts.withdrawn} withdrawn, {end}"
        )
    missing = counts.size - counts.ended - counts.retrying
    if missing > 0 and not counts.open and not counts.running:
        what = f"closed {order} of stage {place.stage + 1} with {missing} devices unfinished"
        return Doubt(f"fleet {place.fleet} {what}, {end}")
    return None


def _is_withdrawn_by_us(progress: Progress, place: Place) -> bool:
    return any(order.closing for order in progress.at(place)[-1:])


def _nothing_installed(progress: Progress, counts: Mapping[Place, PlaceCounts]) -> Doubt | None:
    devices = sum(each.size for each in counts.values())
    if devices and not sum(each.installed for each in counts.values()):
        return Doubt(f"stage {progress.stage + 1} ended and no device was installed: find out why, then abort it")
    return None


def _too_few(plan: Plan, progress: Progress, counts: Mapping[Place, PlaceCounts]) -> Doubt | None:
    """A cloud that finds the devices of a stage by itself must have found them: the others would never be updated."""
    for place, each in counts.items():
        planned = plan.cohort(place)
        adopted = any(order.kind is OrderKind.ADOPTED for order in progress.at(place))
        if planned.buckets and not adopted and each.size < FOUND * planned.size:
            return Doubt(
                f"fleet {place.fleet} found {each.size} devices for stage {place.stage + 1}, of {planned.size} when it "
                "was planned: find out where the others are, then promote the stage or abort the rollout"
            )
    return None


def _undecided(plan: Plan, progress: Progress, counts: Mapping[Place, PlaceCounts]) -> Doubt | None:
    rule = plan.rollout.gates_of(progress.stage).failure_rate
    if rule is None or rule.undecided is Undecided.ADVANCE:
        return None
    bad, ended = stage_counts(counts)
    verdict = failure_rate.judge(rule, bad, ended)
    if not ended or not isinstance(verdict, CannotTell):
        return None
    return Doubt(f"stage {progress.stage + 1} ended, {verdict.reason}: promote it, or abort the rollout")


def stage_counts(counts: Mapping[Place, PlaceCounts]) -> tuple[int, int]:
    """How many devices of the stage ended badly, and how many ended at all."""
    bad = sum(each.bad for each in counts.values())
    return bad, bad + sum(each.installed for each in counts.values())
