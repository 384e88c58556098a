"""Makes the artifacts of steps whose handlers take a file as it is: a bundle, a package, a script.

A file is copied while it is hashed, in bounded memory. The image that a handler of the slot leaves behind is read, not
copied: a device holds what it finds in the slot against its sha256.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from bridge.delta.image_file import open_image
from bridge.delta.progress import Progress
from bridge.errors import UsageError
from bridge.images import describe
from bridge.large_files import whole_or_nothing
from bridge.release.image import MAX_IMAGE_BYTES, Image
from bridge.release.manifest import Artifact, Codec
from bridge.release.step import IMAGE, Step

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class StepSource:
    """A step, and where what it needs lies on this machine.

    `file` is what its handler takes, None where that is otabridge's own; `image` what the slot holds once another
    handler is done with it, None where the step is not one of the slot.
    """

    step: Step
    file: Path | None = None
    image: Path | None = None

    @property
    def is_ours(self) -> bool:
        """Whether the agent itself writes an image into the slot."""
        return self.step.handler == IMAGE


def require_readable(source: StepSource) -> None:
    """Its file and its image are there. Raises: UsageError."""
    if source.file is not None:
        with _opened(source.file):
            pass
    if source.image is not None:
        with open_image(source.image):
            pass


def build_file(source: StepSource, target: Path, progress: Progress) -> Artifact:
    """Copy the file of `source` to `target`, which appears whole or not at all, and read its image.

    Raises:
        UsageError: one of them is missing, empty, no file, too large, or changed meanwhile; or `target` has no room.
    """
    if source.file is None:
        raise UsageError(f"step {source.step.name}: there is no file for the handler {source.step.handler}")
    with _opened(source.file) as file, whole_or_nothing(target, "artifact") as output:
        progress.begin(f"copy {source.file.name}", _length(file))
        copied = _copy(file, output, progress.advance)
    image = copied if source.image is None else _read(source.image, progress)
    return Artifact(target.name, copied.length, copied.sha256, image, codec=Codec.FILE, step=source.step.name)


def _read(path: Path, progress: Progress) -> Image:
    with open_image(path) as image:
        progress.begin(f"read {path.name}", image.length)
        read = describe(image, progress.advance)
        image.require_unchanged()
    return read


def _copy(file: BufferedReader, output: BinaryIO, advance: Callable[[int], None]) -> Image:
    before, digest, length = _state(file), hashlib.sha256(), 0
    for piece in _pieces(file):
        output.write(piece)
        digest.update(piece)
        length += len(piece)
        advance(len(piece))
    if _state(file) != before or length != _length(file):
        raise UsageError(f"file {file.name} changed while it was read; build again once it is finished")
    return Image(length, digest.hexdigest())


def _pieces(file: BufferedReader) -> Iterator[bytes]:
    """All of it. Raises: UsageError, for whoever writes it elsewhere has errors of their own."""
    try:
        while piece := file.read(CHUNK_BYTES):
            yield piece
    except OSError as error:
        raise UsageError(f"file {file.name} cannot be read: {error.strerror}") from error


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
        file = path.open("rb") if is_file else None
    except OSError as error:
        raise UsageError(f"file {path} cannot be read: {error.strerror}") from error
    if file is None:
        raise UsageError(f"file {path} is not a regular file")
    with file:
        if not 0 < _length(file) <= MAX_IMAGE_BYTES:
            raise UsageError(f"file {path} has {_length(file)} bytes; 1 to {MAX_IMAGE_BYTES} are possible")
        yield file


def _length(file: BufferedReader) -> int:
    return os.fstat(file.fileno()).st_size


def _state(file: BufferedReader) -> tuple[int, int]:
    state = os.fstat(file.fileno())
    return state.st_mtime_ns, state.st_size
