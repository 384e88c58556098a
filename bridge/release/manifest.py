"""The manifest: what a release says of itself. TUF Targets metadata, whose threshold is the approval rule.

Everything here is a value; `parse` and `render` are inverse to each other. Unknown fields are tolerated, so that an
older device can read a newer release; a release that an older device must not misread raises `spec`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec
from packaging.version import InvalidVersion, Version
from tuf.api.metadata import TargetFile, Targets

from bridge.release.artifact import MAX_ARTIFACTS, MAX_MEMORY, Artifact, ArtifactName, Codec, Memory
from bridge.release.errors import MalformedRelease
from bridge.release.image import Image
from bridge.release.rules import require_order, require_served, sole_full
from bridge.release.step import MAX_STEPS, ForStep, Place, Step

__all__ = [
    "IMPLIED",
    "LEAST_SPEC",
    "MAX_ARTIFACTS",
    "MAX_MEMORY",
    "MAX_RELEASE_BYTES",
    "MAX_SIGNATURES",
    "PRINTABLE",
    "SPEC",
    "Artifact",
    "ArtifactName",
    "Codec",
    "Compatibility",
    "Kind",
    "Note",
    "Release",
    "Sequence",
    "Text",
    "Versions",
    "parse",
    "parse_version",
    "render",
    "require_valid",
]

MAX_RELEASE_BYTES = 16 * 1024
"""A whole `release.json`; a job document of AWS IoT (32768 bytes) must carry it as base64 beside the roots."""
MAX_SIGNATURES = 16
SPEC = 2
"""Version of this format; a device refuses a higher one. A release without steps is written as 1, which every device
reads; with steps as 2, since a device that knows none of them would take the image for the whole."""
LEAST_SPEC = 1

IMPLIED = msgspec.structs.replace(Step("rootfs"), name="")
"""The step of a release without steps: one image for the slot."""

T = TypeVar("T")
PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*\Z"
"""One line without control or direction marks: such text is shown on terminals before anyone has vouched for it."""
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=PRINTABLE)]
Note = Annotated[str, msgspec.Meta(max_length=512, pattern=PRINTABLE)]
Sequence = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class Kind(StrEnum):
    """Why a release exists; rollouts and reports may treat security releases apart."""

    FEATURE = "feature"
    SECURITY = "security"


class Versions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An inclusive range of versions; an absent end is open."""

    least: Text | None = None
    most: Text | None = None

    def __contains__(self, version: str) -> bool:
        """Whether `version` lies in the range, ends included, in PEP 440 order."""
        seen = parse_version(version)
        return (self.least is None or parse_version(self.least) <= seen) and (
            self.most is None or seen <= parse_version(self.most)
        )

    def __str__(self) -> str:
        return f"{self.least or 'any'} to {self.most or 'any'}"


class Compatibility(msgspec.Struct, frozen=True):
    """Which devices a release is for. `hardware` empty means every revision of the model."""

    model: Text
    hardware: Annotated[tuple[Text, ...], msgspec.Meta(max_length=64)] = ()
    from_version: Versions = Versions()


class Release(msgspec.Struct, frozen=True):
    """A release as signed. `floor` is the least sequence that a device accepts once it has committed this one.

    The artifacts of the slot make one image: exactly one is full, as a device whose slot was modified has no other way,
    and at most one starts from each image. `full_over_metered` says whether a device may fetch the full one, or a file,
    over a metered link. Without `steps` the image is all there is; with them, at most one step is of the slot, and each
    step but one of the handler IMAGE has one artifact, a file.
    """

    name: Text
    version: Text
    sequence: Sequence
    compatibility: Compatibility
    artifacts: Annotated[tuple[Artifact, ...], msgspec.Meta(min_length=1, max_length=MAX_ARTIFACTS)]
    expires: datetime
    floor: Sequence = 1
    kind: Kind = Kind.FEATURE
    advisory: Note = ""
    support_until: date | None = None
    health: Annotated[tuple[Text, ...], msgspec.Meta(max_length=16)] = ()
    """Names of health checks of the device that must pass; empty means all that the device has."""
    full_over_metered: bool = True
    steps: Annotated[tuple[Step, ...], msgspec.Meta(max_length=MAX_STEPS)] = ()

    @property
    def slot_step(self) -> Step | None:
        """The step of the slot: implied where there are no steps, None where no step is of the slot."""
        if not self.steps:
            return IMPLIED
        return next((step for step in self.steps if step.place is Place.SLOT), None)

    @property
    def slot_artifacts(self) -> tuple[Artifact, ...]:
        """Those of which each makes the slot's image."""
        step = self.slot_step
        return () if step is None else self.artifacts_of(step)

    @property
    def full(self) -> Artifact:
        """The full artifact of the slot. Raises: MalformedRelease where no step is of the slot, or none is full."""
        if self.slot_step is None:
            raise MalformedRelease("no step is of the slot: the release has no full artifact")
        return sole_full(self.slot_artifacts)

    @property
    def most_bytes(self) -> int:
        """What a device fetches that takes no delta: the full artifact and the files of all steps."""
        return sum(artifact.length for artifact in self.artifacts if artifact.source is None)

    def artifacts_of(self, step: Step) -> tuple[Artifact, ...]:
        """Those that are for `step`, in the release's order."""
        return tuple(artifact for artifact in self.artifacts if artifact.step == step.name)


class _Custom(msgspec.Struct, frozen=True):
    """`custom` of the signed part: all of a release that TUF has no field for."""

    spec: Annotated[int, msgspec.Meta(ge=1)]
    name: Text
    version: Text
    compatibility: Compatibility
    floor: Sequence = 1
    kind: Kind = Kind.FEATURE
    advisory: Note = ""
    support_until: date | None = None
    health: Annotated[tuple[Text, ...], msgspec.Meta(max_length=16)] = ()
    full_over_metered: bool = True
    steps: Annotated[tuple[Step, ...], msgspec.Meta(max_length=MAX_STEPS)] = ()


class _ArtifactCustom(msgspec.Struct, frozen=True):
    """`custom` of one target."""

    image: Image
    codec: Codec = Codec.PAYLOAD
    source: Image | None = None
    memory: Memory = 0
    step: ForStep = ""


def parse_version(text: str) -> Version:
    """`text` as a version in PEP 440 order. Raises: MalformedRelease."""
    try:
        return Version(text)
    except InvalidVersion as error:
        raise MalformedRelease(f"version {text!r} cannot be ordered; use numbers with dots, such as 1.4.2") from error


def require_valid(release: Release) -> None:
    """Whether every field of `release` is within its limit. Raises: MalformedRelease, naming the field."""
    _check(_convert(msgspec.to_builtins(release), Release, "release"))


def render(release: Release) -> Targets:
    """TUF Targets metadata, unsigned, of `release`. Its `version` is the release's sequence."""
    return Targets(
        version=release.sequence,
        expires=release.expires,
        targets={artifact.name: _render_artifact(artifact) for artifact in release.artifacts},
        unrecognized_fields={"custom": _without_empty("steps", _custom_of(release))},
    )


def parse(targets: Targets) -> Release:
    """The release in `targets`; says nothing about who signed it.

    Raises:
        MalformedRelease: a field is missing, of the wrong type or outside its limit; the message names it.
    """
    if targets.delegations is not None:
        raise MalformedRelease("release.json delegates to other keys; only the root names who may sign")
    custom = _convert(targets.unrecognized_fields.get("custom", {}), _Custom, "custom")
    if custom.spec > SPEC:
        raise MalformedRelease(f"custom.spec is {custom.spec}, this program reads up to {SPEC}: update otabridge first")
    if custom.steps and custom.spec <= LEAST_SPEC:
        raise MalformedRelease(f"custom.spec is {custom.spec} and there are steps, of which that knows none")
    release = _assemble(targets, custom)
    _check(release)
    return release


def _custom_of(release: Release) -> _Custom:
    shared = {name: getattr(release, name) for name in _Custom.__struct_fields__ if name != "spec"}
    return _Custom(spec=SPEC if release.steps else LEAST_SPEC, **shared)


def _render_artifact(artifact: Artifact) -> TargetFile:
    custom = _ArtifactCustom(artifact.image, artifact.codec, artifact.source, artifact.memory, artifact.step)
    return TargetFile(
        artifact.length,
        {"sha256": artifact.sha256},
        artifact.name,
        unrecognized_fields={"custom": _without_empty("step", custom)},
    )


def _without_empty(field: str, custom: msgspec.Struct) -> dict[str, object]:
    """`custom` as JSON; a release without steps looks as it did before there were any."""
    fields: dict[str, object] = msgspec.to_builtins(custom)
    return fields if fields[field] else {name: value for name, value in fields.items() if name != field}


def _assemble(targets: Targets, custom: _Custom) -> Release:
    fields = {name: getattr(custom, name) for name in _Custom.__struct_fields__ if name != "spec"}
    artifacts = tuple(_parse_artifact(target) for target in targets.targets.values())
    whole = Release(sequence=targets.version, expires=targets.expires, artifacts=artifacts, **fields)
    return _convert(msgspec.to_builtins(whole), Release, "release")


def _parse_artifact(target: TargetFile) -> Artifact:
    where = f"targets[{target.path!r}]"
    custom = _convert(target.custom or {}, _ArtifactCustom, f"{where}.custom")
    document = {
        "name": target.path,
        "length": target.length,
        "sha256": target.hashes.get("sha256"),
        "image": msgspec.to_builtins(custom.image),
        "codec": custom.codec,
        "source": None if custom.source is None else msgspec.to_builtins(custom.source),
        "memory": custom.memory,
        "step": custom.step,
    }
    return _convert(document, Artifact, where)


def _check(release: Release) -> None:
    _check_versions(release)
    require_order(release.steps)
    require_served(release.steps or (IMPLIED,), release.artifacts)


def _check_versions(release: Release) -> None:
    ends = release.compatibility.from_version
    for text in (release.version, ends.least, ends.most):
        if text is not None:
            parse_version(text)
    if ends.least and ends.most and parse_version(ends.least) > parse_version(ends.most):
        raise MalformedRelease(f"compatibility.from_version: no version lies in {ends}")
    if release.floor > release.sequence:
        raise MalformedRelease(f"floor {release.floor} is above the release's own sequence {release.sequence}")


def _convert(value: Mapping[str, object], kind: type[T], where: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise MalformedRelease(f"{where}: {error}") from error
