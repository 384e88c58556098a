"""How a rollout stands, for people and programs: what the store knows, beside what the fleets say now.

Reading only: nothing is decided, saved or started here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice
from types import MappingProxyType

import msgspec

from bridge.engine.breaches import RESETS
from bridge.engine.evidence import FALLBACKS, FORWARD, PlaceCounts, count, weigh
from bridge.engine.observing import Observer, OpenFleet, reachable
from bridge.engine.progress import Breach, FleetSavings, OrderKind, Progress, Saved, State
from bridge.engine.proof import stage_counts
from bridge.engine.record import Record
from bridge.engine.savings import ask_saved, fullest
from bridge.engine.stage_orders import key_of
from bridge.fleet import DeviceReport, Fleet, FleetError
from bridge.gates import failure_rate
from bridge.planning.planned import Place
from bridge.rollout.model import Stage

MOST_FAILURES = 10
"""Failed devices that a status lists; the cloud's own console has the rest."""
BACKWARD = frozenset({OrderKind.BACK})


class FailedDevice(msgspec.Struct, frozen=True):
    """A device that did not install. `code` is the number and name of a FailureCode, "" where the cloud ended it."""

    fleet: str
    stage: int
    device: str
    outcome: str
    code: str
    detail: str


class Counts(msgspec.Struct, frozen=True):
    """Devices by where they are. `bad` failed, were rejected or fell silent; `withdrawn` were left out by others."""

    devices: int
    waiting: int
    running: int
    installed: int
    bad: int
    withdrawn: int


class FleetStatus(msgspec.Struct, frozen=True):
    """One fleet in one stage. `orders` counts the offers made so far, none before it begins; `back` is the way back,
    where there is one; `problem` says why the figures are not from now.
    """

    fleet: str
    orders: int
    counts: Counts
    back: Counts | None = None
    problem: str = ""


class StageStatus(msgspec.Struct, frozen=True):
    """One stage; `number` counts from 1, `share` says which devices it is for."""

    number: int
    share: str
    devices: int
    begun: bool
    fleets: tuple[FleetStatus, ...]


class BudgetStatus(msgspec.Struct, frozen=True):
    """Devices that spent budget, and how many may while the current stage is the newest; `silent_limit` None: silent
    devices spend the same budget.
    """

    spent: int
    limit: int
    silent: int
    silent_limit: int | None


class GateStatus(msgspec.Struct, frozen=True):
    """What one gate of the current stage last read, in words."""

    name: str
    reading: str


class SavingsStatus(msgspec.Struct, frozen=True):
    """What deltas saved: `saved` bytes that `devices` did not have to fetch, in all `fleets` that can tell."""

    devices: int
    saved: int
    fleets: tuple[FleetSavings, ...]


class RolloutStatus(msgspec.Struct, frozen=True):
    """All of a rollout. `schema` rises when a field changes its meaning or goes away.

    `stage`, the newest begun, counts from 1; it began at `since`, None before the first, and was found proven at
    `proven`. `waiting` names what it waits for, "" when it moves; `breach` is what broke it. `savings` are None where
    the release has no delta, or nobody was asked.
    """

    name: str
    state: State
    version: str
    plan: str
    stage: int
    since: datetime | None
    proven: datetime | None
    stages: tuple[StageStatus, ...]
    budget: BudgetStatus
    gates: tuple[GateStatus, ...]
    reason: str
    waiting: str
    breach: Breach | None
    unknown_since: datetime | None
    created: datetime
    updated: datetime
    failures: tuple[FailedDevice, ...]
    savings: SavingsStatus | None = None
    schema: int = 2


def look(record: Record, fleets: OpenFleet, most: int = MOST_FAILURES) -> RolloutStatus:
    """The status of a rollout, asking each fleet about the stages begun; lists at most `most` failed devices.

    A fleet that cannot be asked is shown with its last figures and the problem.
    """
    fleets = reachable(fleets)
    observer = Observer(fleets)
    counted = observer.count(record, record.updated)
    saved = fullest(counted.saved, ask_saved(replace(record, progress=counted), fleets))
    seen = replace(record, progress=msgspec.structs.replace(counted, saved=saved))
    failures = tuple(islice(_failures(seen, fleets, observer.unseen), most))
    return describe(seen, observer.unseen, failures)


def describe(
    record: Record, unseen: Mapping[Place, str] = MappingProxyType({}), failures: tuple[FailedDevice, ...] = ()
) -> RolloutStatus:
    """The status by what the record holds; `unseen` says of which places it holds nothing from now. Asks nobody."""
    progress, plan = record.progress, record.plan
    evidence = weigh(plan, progress)
    return RolloutStatus(
        name=record.name,
        state=record.state,
        version=plan.release.version,
        plan=plan.digest,
        stage=progress.stage + 1,
        since=progress.begun,
        proven=progress.proven,
        stages=tuple(_stage(record, stage, unseen) for stage in range(len(plan.stages))),
        budget=BudgetStatus(evidence.bad, evidence.limit, evidence.silent, evidence.silent_limit),
        gates=tuple(_gates(record)),
        reason=record.reason,
        waiting=progress.waiting,
        breach=progress.breach,
        unknown_since=progress.unknown_since,
        created=record.created,
        updated=record.updated,
        failures=failures,
        savings=_savings(progress.saved),
    )


def _savings(saved: Saved | None) -> SavingsStatus | None:
    return None if saved is None else SavingsStatus(saved.devices, saved.bytes, saved.fleets)


def share_of(wish: Stage) -> str:
    """Which devices a stage is for, in words."""
    of = f" of {', '.join(wish.models)}" if wish.models else ""
    if wish.percent is not None:
        return f"up to {wish.percent:g} %{of}"
    return f"{wish.count} devices{of}" if wish.count is not None else "devices by name"


def _stage(record: Record, stage: int, unseen: Mapping[Place, str]) -> StageStatus:
    plan, progress = record.plan, record.progress
    places = plan.places(stage)
    begun = any(progress.at(place) for place in places) or (progress.begun is not None and stage <= progress.stage)
    fleets = tuple(_fleet(record, place, unseen.get(place, "")) for place in places)
    return StageStatus(stage + 1, share_of(plan.rollout.stages[stage]), plan.stages[stage].size, begun, fleets)


def _fleet(record: Record, place: Place, problem: str) -> FleetStatus:
    orders = record.progress.at(place)
    back = _counts(count(record.plan, place, orders, BACKWARD)) if _goes_back(record, place) else None
    return FleetStatus(place.fleet, len(orders), _counts(count(record.plan, place, orders)), back, problem)


def _goes_back(record: Record, place: Place) -> bool:
    return any(order.kind is OrderKind.BACK for order in record.progress.at(place))


def _counts(seen: PlaceCounts) -> Counts:
    return Counts(seen.size, seen.waiting, seen.running, seen.installed, seen.bad, seen.withdrawn)


def _gates(record: Record) -> Iterator[GateStatus]:
    """Those of the current stage, once it has begun."""
    plan, progress = record.plan, record.progress
    if progress.begun is None:
        return
    gates = plan.rollout.gates_of(progress.stage)
    if gates.failure_rate is not None:
        counts = {place: count(plan, place, progress.at(place)) for place in plan.places(progress.stage)}
        yield GateStatus("failure-rate", failure_rate.judge(gates.failure_rate, *stage_counts(counts)).reason)
    for name, allowed in ((FALLBACKS, gates.fallbacks), (RESETS, gates.watchdog_resets)):
        if allowed is not None:
            yield GateStatus(name, f"{progress.figures.get(name, 0)} devices; the gate allows {allowed}")
    for gate in gates.health:
        yield GateStatus(f"health {gate.name}", _read(progress, gate.name))


def _read(progress: Progress, gate: str) -> str:
    if not progress.looks.get(gate) or progress.looked is None:
        return "not read yet"
    return f"read {progress.looks[gate]} times, last at {progress.looked:%Y-%m-%d %H:%M} UTC; not breached"


def _failures(record: Record, fleets: OpenFleet, unseen: Mapping[Place, str]) -> Iterator[FailedDevice]:
    """Lazy: reports are slow to fetch, and no more are read than are shown."""
    for place, number, order in record.progress.each():
        if order.kind in FORWARD and order.tally is not None and order.tally.bad and place not in unseen:
            yield from _reports(fleets, place, key_of(record.plan, place, number, order))


def _reports(fleets: OpenFleet, place: Place, key: str) -> Iterator[FailedDevice]:
    try:
        fleet: Fleet = fleets(place.fleet)
        for report in fleet.reports(key):
            yield _failure(place, report)
    except FleetError as error:
        yield FailedDevice(place.fleet, place.stage + 1, "?", "unknown", "", f"reports could not be read: {error}")


def _failure(place: Place, report: DeviceReport) -> FailedDevice:
    code = f"{report.code.value} {report.code.name.lower()}" if report.code is not None else ""
    outcome = report.outcome.value if report.outcome is not None else "timed-out"
    return FailedDevice(place.fleet, place.stage + 1, report.device, outcome, code, report.detail)
