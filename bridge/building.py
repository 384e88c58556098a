"""Builds a release folder: the full artifact of an image, a delta from each older image where it is worth it, the files
of steps that other handlers do, and last an unsigned `release.json`.

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
from bridge.drafting import ANY_IMAGE, handed_name, image_name, require_fields
from bridge.errors import UsageError
from bridge.files import replace_file
from bridge.folder import RELEASE_FILE, document_of
from bridge.handler_files import StepSource, build_file, require_readable
from bridge.images import Encoding, build_artifact, describe
from bridge.old_images import OldImage, open_old_images
from bridge.release.delta.memory import DEVICE_MEMORY
from bridge.release.manifest import MAX_ARTIFACTS, Artifact, Release
from bridge.release.step import IMAGE

DEFAULT_MARGIN = 10
MARGINS = range(100)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a release is made from: `image`, and deltas from each of `olds`, files, devices or earlier releases; and
    what its `steps` take, where it has any. There is an image unless there are steps, and none of them writes one.

    A delta is kept where it is smaller than the full artifact by `margin` per cent or more. `memory` is what a device
    grants for applying it, in bytes; `effort` is a value of `bridge.delta.effort.Effort`.

    Raises: UsageError where that is impossible.
    """

    image: Path | None
    olds: tuple[Path, ...] = ()
    encoding: Encoding = field(default_factory=Encoding)
    effort: str = "default"
    margin: int = DEFAULT_MARGIN
    memory: int = DEVICE_MEMORY
    steps: tuple[StepSource, ...] = ()

    def __post_init__(self) -> None:
        if self.margin not in MARGINS:
            raise UsageError(f"delta margin {self.margin} is outside {MARGINS[0]} to {MARGINS[-1]} per cent")
        self._require_room()
        self._require_image()
        if self.olds:
            limits_for(self.memory)

    @property
    def files(self) -> tuple[StepSource, ...]:
        """The steps whose handlers are handed a file."""
        return tuple(source for source in self.steps if not source.is_ours)

    @property
    def image_step(self) -> str | None:
        """The name of the step that `image` is for: "" where there are no steps, None where none writes an image."""
        ours = [source.step.name for source in self.steps if source.is_ours]
        return next(iter(ours), None if self.steps else "")

    def _require_room(self) -> None:
        others = f", the full artifact and {len(self.files)} files of steps" if self.files else " and the full artifact"
        if len(self.olds) + 1 + len(self.files) > MAX_ARTIFACTS:
            raise UsageError(
                f"{len(self.olds)} deltas{others} are more than the {MAX_ARTIFACTS} artifacts that a release may have"
            )

    def _require_image(self) -> None:
        step = self.image_step
        if self.image is not None and step is None:
            raise UsageError(f'--image {self.image}: no step has the handler "{IMAGE}", which would write it')
        if self.image is None and step is not None:
            raise UsageError(f"step {step} writes an image: give --image" if step else "give --image, or --steps")
        if self.image is None and self.olds:
            raise UsageError(f"--delta-from {self.olds[0]}: no step writes an image, of which deltas could be made")


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
        UsageError: a release is there already, an image or file cannot be read or changed, or two images are the same.
        MalformedRelease: a field of `draft` is outside its limit.
    """
    if (folder / RELEASE_FILE).exists():
        raise UsageError(f"{folder / RELEASE_FILE} exists; a release is never overwritten: choose another --out")
    draft = msgspec.structs.replace(draft, steps=tuple(source.step for source in recipe.steps))
    require_fields(draft, recipe.image_step, (), recipe.files)
    _require_readable(recipe)
    _make(folder)
    with open_old_images(recipe.olds, folder, progress) as olds:
        require_fields(draft, recipe.image_step, olds, recipe.files)
        built = _build(recipe, folder, draft, olds, progress)
    replace_file(folder / RELEASE_FILE, document_of(built.release))
    return built


def _build(recipe: Recipe, folder: Path, draft: Release, olds: Sequence[OldImage], progress: Progress) -> Built:
    if recipe.image is not None:
        _require_different(recipe.image, olds)
    files = tuple(build_file(each, folder / handed_name(draft, each), progress) for each in recipe.files)
    if recipe.image is None:
        return Built(msgspec.structs.replace(draft, artifacts=files), ())
    making = _Images(recipe, recipe.image, folder, draft, progress)
    full = making.full()
    attempts = tuple(making.attempt(old, full, f"delta {number} of {len(olds)}") for number, old in enumerate(olds, 1))
    kept = (attempt.artifact for attempt in attempts if attempt.is_kept)
    return Built(msgspec.structs.replace(draft, artifacts=(full, *kept, *files)), attempts)


@dataclass(frozen=True, slots=True)
class _Images:
    """The artifacts of `image` for `draft`, made in `folder`."""

    recipe: Recipe
    image: Path
    folder: Path
    draft: Release
    progress: Progress

    def full(self) -> Artifact:
        """The one that starts from nothing."""
        self.progress.begin(f"compress {self.image.name}", _length(self.image))
        target = self.folder / image_name(self.draft)
        made = build_artifact(self.image, target, self.progress.advance, self.recipe.encoding)
        return msgspec.structs.replace(made, step=self.recipe.image_step or "")

    def attempt(self, old: OldImage, full: Artifact, title: str) -> Attempt:
        """The one that starts from `old`, proved, or dropped where it is not worth it beside `full`."""
        from bridge.delta.effort import Effort  # here: a release without deltas needs no numpy
        from bridge.delta.making import Making, make_delta

        target, progress = self.folder / image_name(self.draft, old), _Titled(self.progress, title)
        target.unlink(missing_ok=True)
        recipe = self.recipe
        making = Making(effort=Effort(recipe.effort), workers=recipe.encoding.threads, memory=recipe.memory)
        made = make_delta(old.path, self.image, target, making, progress)
        if (made.old, made.new) != (old.image, full.image):
            raise UsageError(
                f"image {self.image} or {old.given} changed while it was read; build again once it is finished"
            )
        artifact = Artifact(
            target.name, made.length, made.sha256, made.new, source=made.old, memory=made.memory, step=full.step
        )
        is_kept = _is_worth_it(artifact, full, recipe.margin)
        if is_kept:
            _prove(target, artifact, old, progress)
        else:
            target.unlink()
        return Attempt(old.given, artifact, is_kept, made.notes, made.gave_up)


def _is_worth_it(delta: Artifact, full: Artifact, margin: int) -> bool:
    return delta.length < full.length and 100 * delta.length <= (100 - margin) * full.length


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


def _require_readable(recipe: Recipe) -> None:
    """What it takes is there, before any of it is read."""
    if recipe.image is not None:
        _length(recipe.image)
    for source in recipe.files:
        require_readable(source)


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
