"""The images that deltas start from: files, block devices, or the images of earlier releases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.delta.applying import apply, chunks, naming, write_image
from bridge.delta.image_file import open_image
from bridge.delta.progress import Progress
from bridge.errors import UsageError
from bridge.folder import RELEASE_FILE, load, release_file
from bridge.images import describe
from bridge.large_files import whole_or_nothing
from bridge.release.delta.apply import Expected
from bridge.release.image import Image
from bridge.release.manifest import Artifact, parse
from bridge.release.step import IMAGE

FOLDER = ".old-images"


@dataclass(frozen=True, slots=True)
class OldImage:
    """An image as a person named it, `given`, and where its raw bytes lie."""

    given: Path
    path: Path
    image: Image


@contextmanager
def open_old_images(given: Sequence[Path], scratch: Path, progress: Progress) -> Iterator[tuple[OldImage, ...]]:
    """Each of `given`, read once; images of releases are unpacked below `scratch` and removed after the block.

    Raises:
        UsageError: one cannot be read, or two are the same image.
        ReleaseError: an earlier release is not what it says.
    """
    with _emptied(scratch / FOLDER) as folder:
        olds = tuple(_open(path, folder / str(number), progress) for number, path in enumerate(given))
        _require_distinct(olds)
        yield olds


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """Also of what a build has left behind that was killed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_image(path: Path) -> Image:
    """Length and sha256 of the image at `path`. Raises: UsageError."""
    with open_image(path) as image:
        return describe(image)


def _open(given: Path, scratch: Path, progress: Progress) -> OldImage:
    if not (given.is_dir() or given.name == RELEASE_FILE):
        return OldImage(given, given, read_image(given))
    with naming(f"--delta-from {given}"):
        full = _full_of(given)
        progress.begin(f"unpack {full.name}", full.length)
        with naming(f"artifact {full.name}"):
            _unpack(release_file(given).parent / full.name, full, scratch, progress)
    return OldImage(given, scratch, full.image)


def _full_of(given: Path) -> Artifact:
    release = parse(load(given).signed)
    if release.slot_step is None or release.slot_step.handler != IMAGE:
        raise UsageError(f"--delta-from {given}: that release holds no image of ours to unpack: give the raw image")
    return release.full


def _unpack(file: Path, full: Artifact, target: Path, progress: Progress) -> None:
    try:
        payload = file.open("rb")
    except OSError as error:
        raise UsageError(f"artifact {file} cannot be read: {error.strerror}") from error
    with payload, whole_or_nothing(target, "image") as output:
        write_image(apply(chunks(payload, progress.advance), Expected(full.image)), output)


def _require_distinct(olds: Sequence[OldImage]) -> None:
    seen: dict[Image, Path] = {}
    for old in olds:
        if old.image in seen:
            raise UsageError(f"--delta-from {seen[old.image]} and {old.given} are the same image: give one of them")
        seen[old.image] = old.given
