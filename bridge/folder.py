"""A release as a folder, `release.json` and artifacts: read, signed and verified here; made by `bridge.building`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from tuf.api.metadata import Metadata, Targets

from bridge.artifacts import check_artifact
from bridge.delta.image_file import open_image
from bridge.files import read_bounded, replace_file
from bridge.release.errors import ReleaseError
from bridge.release.image import Image
from bridge.release.manifest import MAX_RELEASE_BYTES, Artifact, Release, parse, render, require_valid
from bridge.release.trust import Facts, Trust, Verdict, canonical, judge, read_release

RELEASE_FILE = "release.json"

Advance = Callable[[int], None]
"""Called with the number of bytes of artifacts that were examined since the last call."""
Sources = Mapping[Image, Path]
"""Where the images lie that deltas start from."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One artifact held against its signed description; `problem` is None when it is that artifact.

    `is_applied` tells whether its image was made of it, which takes the old image where it is a delta, and a device
    where another handler than otabridge's own makes it.
    """

    artifact: Artifact
    problem: ReleaseError | None
    is_applied: bool = False


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was found out about a release folder."""

    verdict: Verdict
    findings: tuple[Finding, ...] = ()

    @property
    def refusal(self) -> ReleaseError | None:
        """The first reason against the release, that of its metadata before those of its artifacts."""
        problems = (finding.problem for finding in self.findings if finding.problem)
        return self.verdict.refusal or next(problems, None)

    def accepted(self) -> Release:
        """The release. Raises: the refusal, a ReleaseError."""
        if self.refusal is not None:
            raise self.refusal
        return self.verdict.accepted()


def document_of(release: Release) -> bytes:
    """The unsigned `release.json`, after a device's own reading of it. Raises: MalformedRelease."""
    require_valid(release)
    document = canonical(Metadata(render(release)))
    parse(read_release(document).signed)
    return document


def release_file(path: Path) -> Path:
    """`release.json` of a release that a person names by its folder or by that file."""
    return path / RELEASE_FILE if path.is_dir() else path


def read_document(path: Path) -> bytes:
    """The bytes of `release.json`, at most one more than a device reads. Raises: UsageError."""
    return read_bounded(release_file(path), MAX_RELEASE_BYTES, "release")


def load(path: Path) -> Metadata[Targets]:
    """The metadata of a release, unverified. Raises: UsageError, MalformedRelease."""
    metadata = read_release(read_document(path))
    parse(metadata.signed)
    return metadata


def save(path: Path, metadata: Metadata[Targets]) -> None:
    """Write `release.json` with the signatures that `metadata` has. Raises: UsageError, MalformedRelease."""
    document = canonical(metadata)
    read_release(document)
    replace_file(release_file(path), document)


def examine(
    path: Path,
    trust: Trust,
    now: datetime,
    facts: Facts | None,
    advance: Advance | None,
    *,
    sources: Sources = MappingProxyType({}),
) -> Examination:
    """Hold the release at `path` against `trust`, as a device does, and its artifacts against their description.

    `advance` None leaves the artifacts out. Deltas are applied to those of `sources` that they start from.

    Raises: UsageError when `release.json` or a source cannot be read; refusals are values.
    """
    verdict = judge(trust, read_document(path), now, facts)
    if verdict.release is None or advance is None:
        return Examination(verdict)
    folder, artifacts = release_file(path).parent, verdict.release.artifacts
    return Examination(verdict, tuple(_hold(folder, artifact, advance, sources) for artifact in artifacts))


def _hold(folder: Path, artifact: Artifact, advance: Advance, sources: Sources) -> Finding:
    path = folder / artifact.name
    source = sources.get(artifact.source) if artifact.source else None
    try:
        if source is None:
            return Finding(artifact, None, check_artifact(path, artifact, advance))
        with open_image(source) as old:
            return Finding(artifact, None, check_artifact(path, artifact, advance, old))
    except ReleaseError as error:
        return Finding(artifact, error)
