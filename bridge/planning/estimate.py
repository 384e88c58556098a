"""What a plan will take: time, bytes, money, calls of the clouds' APIs; and what a person should think about. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from bridge.gates.failure_rate import needed
from bridge.planning.pace import pace
from bridge.planning.planned import FEATURES, How, Plan, PlannedFleet
from bridge.release.manifest import Artifact
from bridge.rollout.duration import in_words, span
from bridge.rollout.rules import LateJoiners, Undecided
from bridge.schedule.when import open_time
from bridge.schedule.windows import Opening, openings

WHOLE = 100
GIGABYTE = 10**9
LISTED_AT_MOST = 5000
"""Devices above which a fleet that is listed by name is worth a warning."""
SHOWN_WINDOWS = 3


class StageEstimate(msgspec.Struct, frozen=True):
    """One stage; `number` counts from 1. It begins and ends at these times at the earliest, if every device is there.

    `ends` is None where no time to offer it is in sight. The soak is in it.
    """

    number: int
    devices: int
    begins: datetime | None
    ends: datetime | None


class FleetEstimate(msgspec.Struct, frozen=True):
    """One fleet: calls of its API to start and stop every order, and for one look at all of a stage; bytes, money.

    `least_bytes` if every device can take the smallest artifact of the slot, `most_bytes` if none can take a delta; the
    files of other steps are in both. Costs as far as told.
    """

    fleet: str
    calls: int
    calls_a_pass: int
    least_bytes: int
    most_bytes: int
    least_cost: float | None
    most_cost: float | None
    currency: str


class Estimate(msgspec.Struct, frozen=True):
    """All of a plan, if it were applied at the moment for which it was made."""

    stages: tuple[StageEstimate, ...]
    fleets: tuple[FleetEstimate, ...]
    windows: tuple[Opening, ...]

    @property
    def ends(self) -> datetime | None:
        """When it would be completed, at the earliest."""
        return self.stages[-1].ends


def estimate(plan: Plan, artifacts: Sequence[Artifact], now: datetime) -> Estimate:
    """What the plan takes, beginning `now`."""
    return Estimate(
        stages=tuple(_stages(plan, now)),
        fleets=tuple(_fleet(plan, fleet, artifacts) for fleet in plan.fleets),
        windows=openings(plan.rollout.windows, now, SHOWN_WINDOWS) if plan.rollout.windows else (),
    )


def _stages(plan: Plan, now: datetime) -> Iterator[StageEstimate]:
    begins: datetime | None = now
    for number, stage in enumerate(plan.stages, start=1):
        ends = begins and _end(plan, number - 1, begins)
        yield StageEstimate(number, stage.size, begins, ends)
        begins = ends


def _end(plan: Plan, stage: int, begins: datetime) -> datetime | None:
    offered = open_time(plan.rollout.windows, plan.closures, begins, offering_time(plan, stage))
    soak = span(plan.rollout.stages[stage].soak)
    return offered and offered + _feedback(plan, stage) + soak


def offering_time(plan: Plan, stage: int) -> timedelta:
    """How long it takes at least until the last device of `stage` (from 0) may have been offered the release."""
    return max((_fleet_time(plan, place.fleet, stage) for place in plan.places(stage)), default=timedelta())


def _fleet_time(plan: Plan, fleet: str, stage: int) -> timedelta:
    place = next(place for place in plan.places(stage) if place.fleet == fleet)
    facts = plan.fleet(fleet).facts
    rate = pace(plan, place)
    fastest = min((float(figure) for figure in (rate, facts.paces) if figure), default=0.0)
    paced = timedelta(minutes=plan.cohort(place).size / fastest) if fastest else timedelta()
    return timedelta(minutes=1 / facts.orders_a_minute) + paced


def _feedback(plan: Plan, stage: int) -> timedelta:
    minutes = (plan.fleet(place.fleet).facts.feedback_minutes for place in plan.places(stage))
    return timedelta(minutes=max(minutes, default=0.0))


def _fleet(plan: Plan, fleet: PlannedFleet, artifacts: Sequence[Artifact]) -> FleetEstimate:
    facts, name = fleet.facts, fleet.part.name
    cohorts = [cohort for stage in plan.stages for cohort in stage.cohorts if cohort.fleet == name and cohort.size]
    devices = sum(cohort.size for cohort in cohorts)
    listed = sum(len(cohort.devices) for cohort in cohorts)
    least, most = (devices * count for count in _bytes_of(artifacts))
    return FleetEstimate(
        fleet=name,
        calls=math.ceil(len(cohorts) * (facts.calls.start + facts.calls.stop) + listed * facts.calls.per_device),
        calls_a_pass=math.ceil(facts.calls.tally),
        least_bytes=least,
        most_bytes=most,
        least_cost=_cost(facts.cost_a_gigabyte, least),
        most_cost=_cost(facts.cost_a_gigabyte, most),
        currency=facts.currency,
    )


def _bytes_of(artifacts: Sequence[Artifact]) -> tuple[int, int]:
    """What one device fetches: the smallest artifact of each step at least, at most the one that needs no old image."""
    least: dict[str, int] = {}
    for artifact in artifacts:
        least[artifact.step] = min(least.get(artifact.step, artifact.length), artifact.length)
    return sum(least.values()), sum(artifact.length for artifact in artifacts if artifact.source is None)


def _cost(price: float | None, count: int) -> float | None:
    return None if price is None else round(price * count / GIGABYTE, 2)


def warnings(plan: Plan) -> tuple[str, ...]:
    """What a person should know before applying the plan; none of it forbids it."""
    return (*_about_devices(plan), *_about_time(plan), *_about_gates(plan), *_about_fleets(plan))


def _about_devices(plan: Plan) -> Iterator[str]:
    for fleet in plan.fleets:
        if not fleet.size:
            yield f"fleet {fleet.part.name} has no device that the file asks for"
        if fleet.unplaced:
            yield (
                f"fleet {fleet.part.name}: {fleet.unplaced} devices report no bucket and are in no stage: their agent "
                "is older, or may not report its state"
            )
    for number, stage in enumerate(plan.stages, start=1):
        if not stage.size:
            yield f"stage {number} has no devices: {_nobody(plan, plan.rollout.stages[number - 1].models)}"
    shares = [stage.percent for stage in plan.rollout.stages if stage.percent is not None and not stage.models]
    if not shares or shares[-1] < WHOLE:
        reached = sum(stage.size for stage in plan.stages)
        total = sum(fleet.size for fleet in plan.fleets)
        if reached < total:
            yield f"{reached} of {total} devices are in a stage: the others keep their release"


def _nobody(plan: Plan, models: Sequence[str]) -> str:
    """Why a stage for these hardware models (none: for all) has no device."""
    known = sorted({model or "unknown" for fleet in plan.fleets for model, count in fleet.models.items() if count})
    if not models or set(models) & set(known):
        return "earlier stages have taken them"
    return f"no device is of model {' or '.join(models)}; models that there are: {', '.join(known) or 'none'}"


def _about_time(plan: Plan) -> Iterator[str]:
    for index, stage in enumerate(plan.rollout.stages[:-1]):
        feedback, soak = _feedback(plan, index), span(stage.soak)
        if feedback > soak:
            yield (
                f"stage {index + 1} soaks for {in_words(soak)}, and reports take up to {in_words(feedback)} to show: "
                f"the next stage may begin before failures show; let it soak for {in_words(feedback)}"
            )
    if plan.rollout.windows and not plan.rollout.pace:
        return
    timeout = timedelta(minutes=plan.rollout.timeout_minutes)
    for window in plan.rollout.windows:
        if span(window.duration) < timeout:
            yield (
                f"the window {window.cron!r} is open for {in_words(span(window.duration))}, and a device may take "
                f"{in_words(timeout)}: devices that begin late will still be at it when it closes"
            )


def _about_gates(plan: Plan) -> Iterator[str]:
    """A stage too small to prove its rate waits for a person: better known before than found out at night."""
    for index, stage in enumerate(plan.stages):
        rule = plan.rollout.gates_of(index).failure_rate
        if rule is None or rule.undecided is Undecided.ADVANCE:
            continue
        least = needed(rule)
        if least is None or stage.size < least:
            yield (
                f"stage {index + 1} has {stage.size} devices, and its failure rate needs {least} without a failure to "
                "be proven: it will wait for `promote`. Make the stage larger, raise the limit, or let it advance "
                "undecided"
            )


def _about_fleets(plan: Plan) -> Iterator[str]:
    for fleet in plan.fleets:
        name, facts = fleet.part.name, fleet.facts
        if not facts.by_bucket and fleet.size > LISTED_AT_MOST:
            yield (
                f"fleet {name} names its {fleet.size} devices one by one, which costs calls with every device: "
                "by_bucket in its settings lets the cloud find them"
            )
        if facts.by_bucket and plan.rollout.late_joiners is LateJoiners.INCLUDE:
            yield f"fleet {name} selects by bucket: devices that join after the last stage began are not included"
        yield from (
            f"fleet {name}: {feature.name} cannot be had: {feature.note}"
            for feature in facts.features
            if feature.how is How.ABSENT and is_wanted(plan, feature.name)
        )


def is_wanted(plan: Plan, feature: str) -> bool:
    """Whether the rollout asks for the feature of this name. What every rollout needs is always wanted; never what only
    a fleet's settings or other commands ask for.
    """
    rules = plan.rollout
    gates = [rules.gates_of(index) for index in range(len(rules.stages))]
    asked = {
        "pace": rules.pace is not None,
        "maintenance windows": bool(rules.windows),
        "freeze calendar": bool(rules.freeze),
        "retries": rules.retries.is_any,
        "roll back": rules.roll_back is not None,
        "late joiners": rules.late_joiners is LateJoiners.INCLUDE,
        "health metrics": any(gate.health for gate in gates),
        "watchdog resets": any(gate.watchdog_resets is not None for gate in gates),
        "device query": any(part.query for part in rules.parts),
        "abort criteria": False,
        "adoption": False,
    }
    return asked.get(feature, feature in FEATURES)
