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

from bridge.release.errors import MalformedRelease
from bridge.release.image import Image, Length, Sha256

MAX_RELEASE_BYTES = 16 * 1024
"""A whole `release.json`; a job document of AWS IoT (32768 bytes) must carry it as base64 beside the roots."""
MAX_ARTIFACTS = 16
MAX_SIGNATURES = 16
MAX_MEMORY = 2**32 - 1
"""Bytes that applying an artifact may declare to take, as its header does (docs/payload-format.md)."""
SPEC = 1
"""Version of this format; a device refuses a higher one."""

T = TypeVar("T")
PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*\Z"
"""One line without control or direction marks: such text is shown on terminals before anyone has vouched for it."""
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=PRINTABLE)]
Note = Annotated[str, msgspec.Meta(max_length=512, pattern=PRINTABLE)]
ArtifactName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")]
Sequence = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class Kind(StrEnum):
    """Why a release exists; rollouts and reports may treat security releases apart."""

    FEATURE = "feature"
    SECURITY = "security"


class Codec(StrEnum):
    """How an artifact's bytes become image bytes."""

    PAYLOAD = "payload"
    """As docs/payload-format.md has it, full images and deltas alike."""


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


class Artifact(msgspec.Struct, frozen=True):
    """One file that a device may fetch: its own length and sha256, and the image that it decodes to.

    `source` is the image that a delta starts from, None for a full artifact; `memory` the bytes that applying it takes,
    0 where only the payload's own header tells.
    """

    name: ArtifactName
    length: Length
    sha256: Sha256
    image: Image
    codec: Codec = Codec.PAYLOAD
    source: Image | None = None
    memory: Annotated[int, msgspec.Meta(ge=0, le=MAX_MEMORY)] = 0


class Release(msgspec.Struct, frozen=True):
    """A release as signed. `floor` is the least sequence that a device accepts once it has committed this one.

    All artifacts make one image: exactly one is full, as a device whose slot was modified has no other way, and at most
    one starts from each image. `full_over_metered` says whether a device may fetch the full one over a metered link.
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

    @property
    def full(self) -> Artifact:
        """The full artifact. Raises: MalformedRelease when there is not exactly one."""
        return _sole_full(self)


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


class _ArtifactCustom(msgspec.Struct, frozen=True):
    """`custom` of one target."""

    image: Image
    codec: Codec = Codec.PAYLOAD
    source: Image | None = None
    memory: Annotated[int, msgspec.Meta(ge=0, le=MAX_MEMORY)] = 0


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
        unrecognized_fields={"custom": msgspec.to_builtins(_custom_of(release))},
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
    release = _assemble(targets, custom)
    _check(release)
    return release


def _custom_of(release: Release) -> _Custom:
    shared = {name: getattr(release, name) for name in _Custom.__struct_fields__ if name != "spec"}
    return _Custom(spec=SPEC, **shared)


def _render_artifact(artifact: Artifact) -> TargetFile:
    custom = msgspec.to_builtins(_ArtifactCustom(artifact.image, artifact.codec, artifact.source, artifact.memory))
    return TargetFile(
        artifact.length,
        {"sha256": artifact.sha256},
        artifact.name,
        unrecognized_fields={"custom": custom},
    )


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
    }
    return _convert(document, Artifact, where)


def _check(release: Release) -> None:
    _check_versions(release)
    _sole_full(release)
    for artifact in release.artifacts:
        _check_artifact(artifact, release)


def _sole_full(release: Release) -> Artifact:
    full = [artifact for artifact in release.artifacts if artifact.source is None]
    if not full:
        raise MalformedRelease(
            "artifacts: all are deltas; one must be full, for devices that hold none of the images they start from"
        )
    if len(full) > 1:
        raise MalformedRelease(f"artifacts {full[0].name} and {full[1].name} are both full: one is enough")
    return full[0]


def _check_artifact(artifact: Artifact, release: Release) -> None:
    first = release.artifacts[0]
    if artifact.image != first.image:
        raise MalformedRelease(f"artifacts {first.name} and {artifact.name} make different images: a release is one")
    if artifact.source is None:
        return
    if not artifact.source.length:
        raise MalformedRelease(f"artifact {artifact.name} starts from an image without bytes")
    if artifact.source.sha256 == artifact.image.sha256:
        raise MalformedRelease(f"artifact {artifact.name} starts from the image that it makes")
    same = [each.name for each in release.artifacts if each.source and each.source.sha256 == artifact.source.sha256]
    if len(same) > 1:
        raise MalformedRelease(f"artifacts {same[0]} and {same[1]} start from the same image: one is enough")


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
