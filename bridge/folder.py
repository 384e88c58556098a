"""A release as a folder: `release.json` and its artifacts. Built, signed and verified here; never altered otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
from tuf.api.metadata import Metadata, Targets

from bridge.errors import UsageError
from bridge.files import read_bounded, replace_file
from bridge.images import Encoding, artifact_name, build_artifact
from bridge.release.errors import AlteredRelease, ReleaseError
from bridge.release.manifest import MAX_RELEASE_BYTES, Artifact, Image, Release, parse, render, require_valid
from bridge.release.payload import ImageDecoder
from bridge.release.trust import Facts, Trust, Verdict, canonical, judge, read_release

RELEASE_FILE = "release.json"
CHUNK_BYTES = 1024 * 1024

Step = Callable[[int], None]
"""Called with the number of bytes that were read since the last call."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One artifact held against its signed description; `problem` is None when it is that artifact."""

    artifact: Artifact
    problem: ReleaseError | None


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


def build(image: Path, folder: Path, draft: Release, encoding: Encoding, step: Step) -> Release:
    """Make `folder` with the artifact of `image` and, last, an unsigned `release.json`: `draft` with that artifact.

    A mistake in `draft` is found before the long work.

    Raises:
        UsageError: a release is there already, or the image cannot be read.
        MalformedRelease: a field of `draft` is outside its limit.
    """
    if (folder / RELEASE_FILE).exists():
        raise UsageError(f"{folder / RELEASE_FILE} exists; a release is never overwritten: choose another --out")
    _document(msgspec.structs.replace(draft, artifacts=(_PLACEHOLDER,)))
    _make(folder)
    target = folder / artifact_name(draft.name, draft.version, "-".join(draft.compatibility.hardware))
    release = msgspec.structs.replace(draft, artifacts=(build_artifact(image, target, step, encoding),))
    replace_file(folder / RELEASE_FILE, _document(release))
    return release


_PLACEHOLDER = Artifact("image", 0, "0" * 64, Image(0, "0" * 64))


def _document(release: Release) -> bytes:
    """The unsigned `release.json`, after a device's own reading of it. Raises: MalformedRelease."""
    require_valid(release)
    document = canonical(Metadata(render(release)))
    parse(read_release(document).signed)
    return document


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"release folder {folder} cannot be made: {error.strerror}") from error


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


def examine(path: Path, trust: Trust, now: datetime, facts: Facts | None, step: Step | None) -> Examination:
    """Hold the release at `path` against `trust`, as a device does, and its artifacts against their description.

    `step` None leaves the artifacts out. Raises: UsageError when `release.json` cannot be read; refusals are values.
    """
    verdict = judge(trust, read_document(path), now, facts)
    if verdict.release is None or step is None:
        return Examination(verdict)
    folder = release_file(path).parent
    return Examination(verdict, tuple(_hold(folder, artifact, step) for artifact in verdict.release.artifacts))


def _hold(folder: Path, artifact: Artifact, step: Step) -> Finding:
    try:
        check_artifact(folder / artifact.name, artifact, step)
    except ReleaseError as error:
        return Finding(artifact, error)
    return Finding(artifact, None)


def check_artifact(path: Path, artifact: Artifact, step: Step) -> None:
    """Decode the file at `path` with the device's decoder: length and sha256 of the artifact and of its image.

    Raises:
        AlteredRelease: it is missing, or differs in any byte.
    """
    decoder, image = ImageDecoder(artifact), hashlib.sha256()
    for chunk in _chunks(path):
        for piece in decoder.feed(chunk):
            image.update(piece)
        step(len(chunk))
    decoder.finish()
    if image.hexdigest() != artifact.image.sha256:
        raise AlteredRelease(
            f"artifact {artifact.name}: sha256 of the image is {image.hexdigest()}, signed was {artifact.image.sha256}"
        )


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise AlteredRelease(
            f"artifact {path.name} cannot be read from {path.parent}: {error.strerror}; fetch it again"
        ) from error
