"""Builds a release folder: the full artifact of an image, a delta from each older image where it is worth it, and last
an unsigned `release.json`.

A mistake is found before the long work. A build that was interrupted is started again: deltas go on where they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bridge.artifacts import check_artifact
from bridge.delta.fitting import limits_for
from bridge.delta.image_file import open_image
from bridge.delta.progress import Progress
from bridge.errors import UsageError
from bridge.files import replace_file
from bridge.folder import RELEASE_FILE, document_of
from bridge.images import Encoding, artifact_name, build_artifact, describe
from bridge.old_images import OldImage, open_old_images
from bridge.release.delta.memory import DEVICE_MEMORY
from bridge.release.image import MAX_IMAGE_BYTES, Image
from bridge.release.manifest import MAX_ARTIFACTS, MAX_MEMORY, Artifact, Release

DEFAULT_MARGIN = 10
MARGINS = range(100)
HARDWARE_CHARACTERS = 40
"""Of the revisions, in the name of an artifact."""
ANY_IMAGE = Image(MAX_IMAGE_BYTES, "0" * 64)
"""In the place of one that was not read: as long to write as any, and none that there is."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a release is made from: `image`, and deltas from each of `olds`, files, devices or earlier releases.

    A delta is kept where it is smaller than the full artifact by `margin` per cent or more. `memory` is what a device
    grants for applying it, in bytes; `effort` is a value of `bridge.delta.effort.Effort`.

    Raises: UsageError where that is impossible.
    """

    image: Path
    olds: tuple[Path, ...] = ()
    encoding: Encoding = field(default_factory=Encoding)
    effort: str = "default"
    margin: int = DEFAULT_MARGIN
    memory: int = DEVICE_MEMORY

    def __post_init__(self) -> None:
        if self.margin not in MARGINS:
            raise UsageError(f"delta margin {self.margin} is outside {MARGINS[0]} to {MARGINS[-1]} per cent")
        if len(self.olds) >= MAX_ARTIFACTS:
            raise UsageError(
                f"{len(self.olds)} deltas and the full artifact are more than the {MAX_ARTIFACTS} artifacts that a "
                "release may have"
            )
        if self.olds:
            limits_for(self.memory)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A delta that was made from the image that a person named `old`, and whether the release has it.

    `notes` is the maker's advice; `gave_up` counts the groups of blocks that it could not compare within its limits.
    """

    old: Path
    artifact: Artifact
    is_kept: bool
    notes: tuple[str, ...]
    gave_up: int


@dataclass(frozen=True, slots=True)
class Built:
    """A release, and all deltas that were tried for it."""

    release: Release
    attempts: tuple[Attempt, ...]


def build(recipe: Recipe, folder: Path, draft: Release, progress: Progress) -> Built:
    """Make `folder` with the artifacts of `recipe` and, last, an unsigned `release.json`: `draft` with these artifacts.

    Raises:
        UsageError: a release is there already, an image cannot be read or changed, or two of them are the same.
        MalformedRelease: a field of `draft` is outside its limit.
    """
    if (folder / RELEASE_FILE).exists():
        raise UsageError(f"{folder / RELEASE_FILE} exists; a release is never overwritten: choose another --out")
    _require_fields(draft, ())
    length = _length(recipe.image)
    _make(folder)
    with open_old_images(recipe.olds, folder, progress) as olds:
        _require_fields(draft, olds)
        _require_different(recipe.image, olds)
        progress.begin(f"compress {recipe.image.name}", length)
        return _build(recipe, folder, draft, olds, progress)


def _build(recipe: Recipe, folder: Path, draft: Release, olds: Sequence[OldImage], progress: Progress) -> Built:
    full = build_artifact(recipe.image, folder / _name(draft), progress.advance, recipe.encoding)
    attempts = tuple(
        _attempt(recipe, old, folder / _name(draft, old), full, _Titled(progress, f"delta {number} of {len(olds)}"))
        for number, old in enumerate(olds, 1)
    )
    kept = (attempt.artifact for attempt in attempts if attempt.is_kept)
    release = msgspec.structs.replace(draft, artifacts=(full, *kept))
    replace_file(folder / RELEASE_FILE, document_of(release))
    return Built(release, attempts)


def _attempt(recipe: Recipe, old: OldImage, target: Path, full: Artifact, progress: Progress) -> Attempt:
    from bridge.delta.effort import Effort  # here: a release without deltas needs no numpy
    from bridge.delta.making import Making, make_delta

    target.unlink(missing_ok=True)
    making = Making(effort=Effort(recipe.effort), workers=recipe.encoding.threads, memory=recipe.memory)
    made = make_delta(old.path, recipe.image, target, making, progress)
    artifact = Artifact(target.name, made.length, made.sha256, made.new, source=made.old, memory=made.memory)
    if (made.old, made.new) != (old.image, full.image):
        raise UsageError(
            f"image {recipe.image} or {old.given} changed while it was read; build again once it is finished"
        )
    is_kept = artifact.length < full.length and 100 * artifact.length <= (100 - recipe.margin) * full.length
    if is_kept:
        _prove(target, artifact, old, progress)
    else:
        target.unlink()
    return Attempt(old.given, artifact, is_kept, made.notes, made.gave_up)


def _prove(target: Path, artifact: Artifact, old: OldImage, progress: Progress) -> None:
    """Apply the finished file as a device does."""
    progress.begin("verify", artifact.length)
    with open_image(old.path) as source:
        check_artifact(target, artifact, progress.advance, source)


class _Titled:
    """Phases of one delta of several."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._title = title
        self.advance = progress.advance
        self.note = progress.note

    def begin(self, phase: str, total: int) -> None:
        self._progress.begin(f"{self._title}: {phase}", total)


def _name(draft: Release, old: OldImage | None = None) -> str:
    hardware = _hardware(draft.compatibility.hardware)
    return artifact_name(draft.name, draft.version, hardware, old.image.sha256 if old else "")


def _hardware(revisions: Sequence[str]) -> str:
    """The revisions as far as a file name has room for them; the release names them all."""
    joined = "-".join(revisions)
    return joined if len(joined) <= HARDWARE_CHARACTERS else f"{len(revisions)}-revisions"


def _require_fields(draft: Release, olds: Sequence[OldImage]) -> None:
    """The release can be written and read, whatever lengths and digests it will have. Raises: MalformedRelease."""
    full = Artifact(_name(draft), MAX_IMAGE_BYTES, ANY_IMAGE.sha256, ANY_IMAGE, memory=MAX_MEMORY)
    deltas = (msgspec.structs.replace(full, name=_name(draft, old), source=old.image) for old in olds)
    document_of(msgspec.structs.replace(draft, artifacts=(full, *deltas)))


def _require_different(new: Path, olds: Sequence[OldImage]) -> None:
    with open_image(new) as image:
        same = [old for old in olds if old.image.length == image.length]
        found = describe(image) if same else ANY_IMAGE
    for old in same:
        if old.image == found:
            raise UsageError(f"--delta-from {old.given} is the image {new} itself: devices that hold it need no delta")


def _length(path: Path) -> int:
    with open_image(path) as image:
        return image.length


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"release folder {folder} cannot be made: {error.strerror}") from error
