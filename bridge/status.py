"""How a rollout stands, for people and programs: what the store knows, beside what the fleets say now.

Reading only: nothing is decided, saved or started here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice

import msgspec

from bridge.decide import limit
from bridge.fleet import DeviceReport, Fleet, FleetError
from bridge.record import Record
from bridge.release.errors import OtabridgeError
from bridge.rollout import Place, State
from bridge.tally import Tally

MOST_FAILURES = 10
"""Failed devices that a status lists; the cloud's own console has the rest."""

OpenFleet = Callable[[str], Fleet]


class FailedDevice(msgspec.Struct, frozen=True):
    """A device that did not install. `code` is the number and name of a FailureCode, "" where the cloud ended it."""

    fleet: str
    stage: int
    device: str
    outcome: str
    code: str
    detail: str


class FleetStatus(msgspec.Struct, frozen=True):
    """One fleet in one stage. `tally` is None before the order is started; `problem` says why it is not from now."""

    fleet: str
    devices: int
    tally: Tally | None
    problem: str = ""


class StageStatus(msgspec.Struct, frozen=True):
    """One stage; `number` counts from 1."""

    number: int
    percent: float
    devices: int
    begun: bool
    fleets: tuple[FleetStatus, ...]


class BudgetStatus(msgspec.Struct, frozen=True):
    """Devices that spent budget, and how many may while the current stage is the newest."""

    spent: int
    limit: int


class RolloutStatus(msgspec.Struct, frozen=True):
    """All of a rollout. `schema` rises when a field changes its meaning or goes away.

    `stage`, the newest begun, counts from 1; it began at `since`, None before the first.
    """

    name: str
    state: State
    version: str
    plan: str
    stage: int
    since: datetime | None
    stages: tuple[StageStatus, ...]
    budget: BudgetStatus
    reason: str
    holding: str
    unknown_passes: int
    created: datetime
    updated: datetime
    failures: tuple[FailedDevice, ...]
    schema: int = 1


def look(record: Record, fleets: OpenFleet, most: int = MOST_FAILURES) -> RolloutStatus:
    """The status of a rollout, asking each fleet about the stages begun; lists at most `most` failed devices.

    A fleet that cannot be asked is shown with its last tally and the problem.
    """
    plan = record.plan
    stages = tuple(_stage(record, fleets, stage) for stage in range(len(plan.stages)))
    tallies = [fleet.tally for stage in stages for fleet in stage.fleets if fleet.tally]
    return RolloutStatus(
        name=record.name,
        state=record.state,
        version=plan.release_version,
        plan=plan.digest,
        stage=record.stage + 1,
        since=record.begun,
        stages=stages,
        budget=BudgetStatus(sum(tally.bad for tally in tallies), limit(plan, record.stage)),
        reason=record.reason,
        holding=record.holding,
        unknown_passes=record.unknown_passes,
        created=record.created,
        updated=record.updated,
        failures=tuple(islice(_failures(record, stages, fleets), most)),
    )


def _stage(record: Record, fleets: OpenFleet, stage: int) -> StageStatus:
    planned = record.plan.stages[stage]
    begun = record.state is not State.PLANNED and stage <= record.stage
    places = record.plan.places(stage)
    seen = tuple(_ask(record, fleets, place) if begun else _idle(record, place) for place in places)
    return StageStatus(stage + 1, planned.percent, planned.size, begun, seen)


def _idle(record: Record, place: Place) -> FleetStatus:
    return FleetStatus(place.fleet, len(record.plan.devices(place)), None)


def _ask(record: Record, fleets: OpenFleet, place: Place) -> FleetStatus:
    known = record.tallies.get(place)
    count = len(record.plan.devices(place))
    try:
        tally = fleets(place.fleet).tally(record.plan.key(place.stage))
    except OtabridgeError as error:
        return FleetStatus(place.fleet, count, known, str(error))
    if tally is None and known is not None:
        return FleetStatus(place.fleet, count, known, f"order {record.plan.key(place.stage)} is gone from the cloud")
    return FleetStatus(place.fleet, count, tally)


def _failures(record: Record, stages: tuple[StageStatus, ...], fleets: OpenFleet) -> Iterator[FailedDevice]:
    """Lazy: reports are slow to fetch, and no more are read than are shown."""
    for stage in stages:
        for seen in stage.fleets:
            if seen.tally and seen.tally.bad and not seen.problem:
                yield from _reports(fleets(seen.fleet), record.plan.key(stage.number - 1), stage.number)


def _reports(fleet: Fleet, key: str, stage: int) -> Iterator[FailedDevice]:
    try:
        for report in fleet.reports(key):
            yield _failure(fleet.name, stage, report)
    except FleetError as error:
        yield FailedDevice(fleet.name, stage, "?", "unknown", "", f"reports could not be read: {error}")


def _failure(fleet: str, stage: int, report: DeviceReport) -> FailedDevice:
    code = f"{report.code.value} {report.code.name.lower()}" if report.code is not None else ""
    outcome = report.outcome.value if report.outcome is not None else "timed-out"
    return FailedDevice(fleet, stage, report.device, outcome, code, report.detail)
