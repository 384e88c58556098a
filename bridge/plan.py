"""From a rollout file to a plan: the release read, every device in its stage, and a digest that names it all.

Nothing is created here, in no cloud and no store; a plan may be made as often as one likes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from bridge.cohort import split
from bridge.errors import UsageError
from bridge.files import read_bounded
from bridge.fleet import Fleet, StageOrder
from bridge.release.manifest import MAX_RELEASE_BYTES, Release, parse
from bridge.release.trust import read_release
from bridge.rollout import Cohort, Place, Plan, PlannedStage, Rollout
from bridge.rollout_file import read_rollout

RELEASE_FILE = "release.json"
MAX_DEVICES = 1_000_000
"""Devices that one fleet may list; a cloud that lists more is misconfigured or hostile."""
WHOLE = 100


@dataclass(frozen=True, slots=True)
class SignedRelease:
    """A release as it lies on disk: its `folder`, the bytes of `release.json`, and what they say, trusted or not."""

    folder: Path
    document: bytes
    release: Release


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for with one rollout file: the rollout, and the release that it names."""

    rollout: Rollout
    signed: SignedRelease

    @property
    def release_sha256(self) -> str:
        """sha256 of `release.json`, lower-case hex."""
        return hashlib.sha256(self.signed.document).hexdigest()


def read_request(file: Path, fleets: Collection[str]) -> Request:
    """The rollout `file` and its release. `fleets` are the names in the configuration.

    Raises:
        UsageError: a file cannot be read, or asks for something impossible.
        ReleaseError: the release is none.
    """
    rollout = read_rollout(file, fleets)
    return Request(rollout, read_signed_release(rollout, file))


def read_signed_release(rollout: Rollout, file: Path) -> SignedRelease:
    """The release that `rollout` names, relative to the folder of its `file`; read whole and decoded.

    Raises:
        UsageError: there is no such file.
        ReleaseError: the file is no release.
    """
    path = file.parent / rollout.release
    path = path / RELEASE_FILE if path.is_dir() else path
    if path.name != RELEASE_FILE:
        raise UsageError(f"{file}: release: {rollout.release} must be a release folder, or the {RELEASE_FILE} in one")
    document = read_bounded(path, MAX_RELEASE_BYTES, f"{file}: release:")
    return SignedRelease(path.parent.resolve(), document, parse(read_release(document).signed))


def make_plan(request: Request, fleets: Mapping[str, Fleet]) -> Plan:
    """The plan for the devices that the fleets list now. `fleets` holds each fleet of the rollout by name.

    Raises:
        FleetError: a fleet could not be asked.
        UsageError: a fleet lists more than `MAX_DEVICES`, or none of them lists any.
    """
    rollout = request.rollout
    devices = {name: _devices(fleets[name], rollout.group) for name in rollout.fleets}
    if not any(devices.values()):
        group = f" in group {rollout.group}" if rollout.group else ""
        raise UsageError(f"rollout {rollout.name}: no device{group} in {', '.join(rollout.fleets)}; nothing to update")
    plan = Plan(
        rollout=rollout,
        release_sha256=request.release_sha256,
        release_version=request.signed.release.version,
        stages=_stages(rollout, devices),
        digest="",
    )
    return msgspec.structs.replace(plan, digest=digest_of(plan))


def stage_order(plan: Plan, place: Place, release: bytes, roots: tuple[bytes, ...]) -> StageOrder:
    """What the fleet of `place` is told for its stage; `release` and `roots` as in StageOrder."""
    return StageOrder(
        key=plan.key(place.stage),
        release=release,
        roots=roots,
        devices=plan.devices(place),
        timeout_minutes=plan.rollout.timeout_minutes,
        comment=f"{plan.rollout.name} {plan.release_version}, stage {place.stage + 1} of {len(plan.stages)}",
    )


def check_orders(plan: Plan, request: Request, roots: tuple[bytes, ...], fleets: Mapping[str, Fleet]) -> None:
    """Whether each fleet can be told every stage, before the first is begun.

    Raises:
        LimitError: an order breaks a limit of its cloud; nothing was called.
    """
    for stage in range(len(plan.stages)):
        for place in plan.places(stage):
            fleets[place.fleet].check(stage_order(plan, place, request.signed.document, roots))


def digest_of(plan: Plan) -> str:
    """sha256, lower-case hex, of all of the plan but its digest, in canonical JSON."""
    bare = msgspec.structs.replace(plan, digest="")
    return hashlib.sha256(msgspec.json.encode(bare, order="deterministic")).hexdigest()


def warnings(plan: Plan) -> tuple[str, ...]:
    """What a person should know before applying the plan; none of it forbids it."""
    empty = [
        f"stage {number} ({stage.percent:g} %) has no devices: earlier stages have taken them"
        for number, stage in enumerate(plan.stages, start=1)
        if not stage.size
    ]
    last = plan.stages[-1].percent
    short = [f"the last stage ends at {last:g} %: the other devices keep their release"] if last < WHOLE else []
    absent = [f"fleet {name} lists no device" for name in plan.rollout.fleets if not plan.uses(name)]
    return (*absent, *empty, *short)


def differences(old: Plan, request: Request) -> tuple[str, ...]:
    """The fields in which the request differs from the one that `old` was made of."""
    names = Rollout.__struct_fields__
    fields = [name for name in names if getattr(old.rollout, name) != getattr(request.rollout, name)]
    if old.release_sha256 != request.release_sha256 and "release" not in fields:
        fields.append("release (its contents)")
    return tuple(fields)


def _devices(fleet: Fleet, group: str | None) -> list[str]:
    listed = list(islice(fleet.devices(group), MAX_DEVICES + 1))
    if len(listed) > MAX_DEVICES:
        raise UsageError(f"fleet {fleet.name} lists more than {MAX_DEVICES} devices; name a group in the rollout file")
    return listed


def _stages(rollout: Rollout, devices: Mapping[str, Iterable[str]]) -> tuple[PlannedStage, ...]:
    percents = [stage.percent for stage in rollout.stages]
    shares = {name: split(rollout.name, ids, percents) for name, ids in devices.items()}
    return tuple(
        PlannedStage(stage.percent, tuple(Cohort(name, shares[name][index]) for name in rollout.fleets), stage.enough)
        for index, stage in enumerate(rollout.stages)
    )
