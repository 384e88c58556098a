"""From a rollout file to a plan: releases and keys read, every device in its stage, and a digest that names it all.

Nothing is created here, in no cloud and no store; a plan may be made as often as one likes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

import msgspec

from bridge.approvers import read_approvers
from bridge.errors import UsageError
from bridge.files import read_bounded
from bridge.fleet import Fleet
from bridge.planning.cohort import allot
from bridge.planning.planned import Approver, Closure, Cohort, Facts, Plan, PlannedFleet, PlannedRelease, PlannedStage
from bridge.planning.selection import Bucketed, Listed, Selection, UnknownDevices
from bridge.release.errors import RolledBackRelease
from bridge.release.manifest import MAX_RELEASE_BYTES, Release, parse
from bridge.release.trust import read_release
from bridge.rollout.file import read_rollout
from bridge.rollout.model import Rollout, Stage
from bridge.schedule.freeze import read_closures

RELEASE_FILE = "release.json"
FORESEEN = timedelta(days=400)
"""How far freeze calendars are read ahead."""


@dataclass(frozen=True, slots=True)
class SignedRelease:
    """A release as it lies on disk: its `folder`, the bytes of `release.json`, and what they say, trusted or not."""

    folder: Path
    document: bytes
    release: Release

    @property
    def planned(self) -> PlannedRelease:
        """The release by what was signed."""
        return PlannedRelease(hashlib.sha256(self.document).hexdigest(), self.release.version)


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for with one rollout file, and all that it names: releases, approvers' keys, freezes."""

    rollout: Rollout
    signed: SignedRelease
    back: SignedRelease | None = None
    approvers: tuple[Approver, ...] = ()
    freezes: tuple[str, ...] = ()
    closures: tuple[Closure, ...] = ()


def read_request(file: Path, fleets: Collection[str], now: datetime) -> Request:
    """The rollout `file` and what it names. `fleets` are the names in the configuration; `now` is where freezes begin.

    Raises:
        UsageError: a file cannot be read, or asks for something impossible.
        ReleaseError: a release is none; the previous one is below the floor that the new one sets.
    """
    rollout = read_rollout(file, fleets)
    signed = read_signed_release(rollout.release, file, "release")
    back = rollout.roll_back and read_signed_release(rollout.roll_back.release, file, "roll_back.release")
    if back:
        _require_way_back(signed.release, back.release, file)
    folder = file.parent
    keys = rollout.approvals.approvers if rollout.approvals else ()
    calendars = [folder / name for name in rollout.freeze]
    closures = [read_closures(calendar, now, now + FORESEEN) for calendar in calendars]
    return Request(
        rollout,
        signed,
        back or None,
        read_approvers(keys, file),
        tuple(hashlib.sha256(calendar.read_bytes()).hexdigest() for calendar in calendars),
        tuple(sorted(chain.from_iterable(closures), key=lambda closure: (closure.start, closure.end))),
    )


def read_signed_release(name: str, file: Path, field: str) -> SignedRelease:
    """The release `name`, relative to the folder of the rollout `file`, which names it in `field`; read and decoded.

    Raises:
        UsageError: there is no such file.
        ReleaseError: the file is no release.
    """
    path = file.parent / name
    _require_there(path, file, field)
    path = path / RELEASE_FILE if path.is_dir() else path
    if path.name != RELEASE_FILE:
        raise UsageError(f"{file}: {field}: {name} must be a release folder, or the {RELEASE_FILE} in one")
    document = read_bounded(path, MAX_RELEASE_BYTES, f"{file}: {field}:")
    return SignedRelease(path.parent.resolve(), document, parse(read_release(document).signed))


def _require_there(path: Path, file: Path, field: str) -> None:
    try:
        is_there = path.exists()
    except OSError as error:
        raise UsageError(f"{file}: {field}: {path} cannot be looked at: {error.strerror}") from error
    if not is_there:
        raise UsageError(f"{file}: {field}: there is no folder {path}; paths are relative to the rollout file")


def _require_way_back(new: Release, back: Release, file: Path) -> None:
    """Devices refuse what is below their floor, and the new release raises it when it is committed."""
    if back.sequence < new.floor:
        raise RolledBackRelease(
            f"{file}: roll_back.release: version {back.version} has sequence {back.sequence}, and version "
            f"{new.version} sets the floor {new.floor}: devices would refuse to go back. Name a newer release, or "
            "build the new one with a lower floor"
        )


def make_plan(request: Request, fleets: Mapping[str, Fleet]) -> Plan:
    """The plan for the devices that the fleets have now. `fleets` holds each fleet of the rollout by name.

    Raises:
        FleetError: a fleet could not be asked.
        UsageError: a fleet lists more than it may, lacks a device that is named, or none of them has any.
    """
    rollout = request.rollout
    facts = {part.name: fleets[part.name].facts() for part in rollout.parts}
    chosen = {part.name: _select(rollout, fleets[part.name], facts[part.name], part.name) for part in rollout.parts}
    if not any(each.models for each in chosen.values()):
        names = ", ".join(part.name for part in rollout.parts)
        raise UsageError(f"rollout {rollout.name}: no device in {names} is what the file asks for; nothing to update")
    planned = tuple(
        PlannedFleet(part, facts[part.name], dict(chosen[part.name].models), chosen[part.name].unplaced)
        for part in rollout.parts
    )
    plan = Plan(
        rollout=rollout,
        release=request.signed.planned,
        fleets=planned,
        stages=tuple(_stage(rollout, number, chosen) for number in range(len(rollout.stages))),
        digest="",
        back=request.back.planned if request.back else None,
        freezes=request.freezes,
        closures=request.closures,
        approvers=request.approvers,
    )
    return msgspec.structs.replace(plan, digest=digest_of(plan))


def _select(rollout: Rollout, fleet: Fleet, facts: Facts, name: str) -> Selection:
    part = next(part for part in rollout.parts if part.name == name)
    by_bucket = facts.by_bucket and part.devices is None
    return Bucketed(rollout.name, fleet, part) if by_bucket else Listed(rollout.name, fleet, part)


def _stage(rollout: Rollout, number: int, chosen: Mapping[str, Selection]) -> PlannedStage:
    try:
        return PlannedStage(tuple(_cohorts(rollout.stages[number], chosen)))
    except UnknownDevices as error:
        raise UsageError(f"rollout {rollout.name}: stages[{number}].devices: {error}") from error


def _cohorts(stage: Stage, chosen: Mapping[str, Selection]) -> Iterator[Cohort]:
    if stage.devices is not None:
        for name, selection in chosen.items():
            named = stage.devices.get(name, ())
            yield selection.named(named) if named else Cohort(name)
    elif stage.percent is not None:
        for selection in chosen.values():
            yield selection.share(stage.percent, stage.models)
    else:
        counts = allot(stage.count or 0, tuple(selection.left(stage.models) for selection in chosen.values()))
        for (name, selection), count in zip(chosen.items(), counts, strict=True):
            yield selection.take(count, stage.models) if count else Cohort(name)


def digest_of(plan: Plan) -> str:
    """sha256, lower-case hex, in canonical JSON, of all that a person agrees to with the plan.

    What changes by itself is left out: calendars are named by their hash and not by the events of the next year, clouds
    by what decides how devices are told, and windows of buckets by their ends and not by how many devices are in them.
    """
    essence = msgspec.structs.replace(
        plan,
        digest="",
        closures=(),
        fleets=tuple(_essence(fleet) for fleet in plan.fleets),
        stages=tuple(PlannedStage(tuple(_uncounted(cohort) for cohort in stage.cohorts)) for stage in plan.stages),
    )
    return hashlib.sha256(msgspec.json.encode(essence, order="deterministic")).hexdigest()


def _essence(fleet: PlannedFleet) -> PlannedFleet:
    facts = Facts(fleet.facts.cloud, fleet.facts.by_bucket, fleet.facts.paces)
    return PlannedFleet(fleet.part, facts, {})


def _uncounted(cohort: Cohort) -> Cohort:
    return msgspec.structs.replace(cohort, count=0, models={})


def differences(old: Plan, request: Request) -> tuple[str, ...]:
    """The fields in which the request differs from the one that `old` was made of."""
    names = Rollout.__struct_fields__
    fields = [name for name in names if getattr(old.rollout, name) != getattr(request.rollout, name)]
    if old.release != request.signed.planned and "release" not in fields:
        fields.append("release (its contents)")
    if old.back != (request.back and request.back.planned) and "roll_back" not in fields:
        fields.append("roll_back (its contents)")
    if old.freezes != request.freezes and "freeze" not in fields:
        fields.append("freeze (the calendars)")
    if _keys(old.approvers) != _keys(request.approvers) and "approvals" not in fields:
        fields.append("approvals (the keys)")
    return tuple(fields)


def _keys(approvers: Sequence[Approver]) -> set[str]:
    return {approver.keyid for approver in approvers}
