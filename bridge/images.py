"""Makes the full artifact of a release: a raw image in, a payload that starts from nothing out.

Frames are compressed on several threads (zstd releases the interpreter lock) and written in order, so that the same
image at the same level always gives the same bytes. Memory is bounded by the threads, not by the image: a frame and
its coder for each, and one frame that waits. The image is read twice: its sha256 seals every frame.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import BinaryIO

from bridge.delta.coding import FULL, CodedFrame, Coding, Zstd, code_frame
from bridge.delta.container import Pair, Task, WrongSteps, prove, write_payload
from bridge.delta.cutting import WHOLE, PlainFrame, cut_frames, cut_spans
from bridge.delta.image_file import ImageFile, open_image
from bridge.delta.steps import whole_image
from bridge.errors import UsageError
from bridge.large_files import whole_or_nothing
from bridge.release.image import Image
from bridge.release.manifest import Artifact

LEVELS = range(1, 23)
DEFAULT_LEVEL = 19
"""Made once, fetched by every device: about 9 per cent smaller than level 9, at some ten times its time."""
SOURCE_DIGITS = 12
"""Hex digits of the source's sha256 in the name of a delta."""

Advance = Callable[[int], None]
"""Called with the number of image bytes that were read since the last call."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to compress: zstd `level` (1 to 22) on so many `threads`."""

    level: int = DEFAULT_LEVEL
    threads: int = os.cpu_count() or 1

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise UsageError(f"compression level {self.level} is outside {LEVELS[0]} to {LEVELS[-1]}")

    @property
    def coding(self) -> Coding:
        """The codecs of a full artifact at this level."""
        return replace(FULL, extra=(Zstd(self.level),))


def artifact_name(release: str, version: str, hardware: str = "", source: str = "") -> str:
    """A file name for the artifact of `release` at `version`; characters that a name may not hold become dashes.

    `source` is the sha256 of the image that a delta starts from; "" names the full artifact.
    """
    return file_name(release, version, hardware, f"from-{source[:SOURCE_DIGITS]}.delta" if source else "full")


def file_name(release: str, version: str, hardware: str, kind: str) -> str:
    """A file name for what is of this `kind` in `release` at `version`; see `artifact_name`."""
    parts = f"{release}-{version}.{hardware}" if hardware else f"{release}-{version}"
    return re.sub(r"[^A-Za-z0-9._-]", "-", f"{parts}.{kind}").lstrip("._-")


def build_artifact(source: Path, target: Path, advance: Advance, encoding: Encoding | None = None) -> Artifact:
    """Write the full artifact of the raw image `source` (a file or a block device) to `target`.

    `target` appears whole or not at all. The image must not change meanwhile. `advance` counts the image once.

    Raises:
        UsageError: the image is missing, empty, no file or device, too large, or changed; or `target` has no room.
    """
    with open_image(source) as image, whole_or_nothing(target, "artifact") as output:
        read = describe(image)
        memory = _encode(image, read, output, advance, encoding or Encoding())
        image.require_unchanged()
        length, sha256 = measure(output)
    return Artifact(target.name, length, sha256, read, memory=memory)


def unwatched(_count: int) -> None:
    """Nobody hears of it."""


def describe(image: ImageFile, advance: Advance = unwatched) -> Image:
    """Length and sha256 of `image`, by reading all of it. Raises: UsageError."""
    digest = hashlib.sha256()
    for piece in image.pieces():
        digest.update(piece)
        advance(len(piece))
    return Image(image.length, digest.hexdigest())


def measure(file: BufferedRandom | BufferedReader) -> tuple[int, str]:
    """Length and sha256 of an open file, by reading it from its start."""
    file.seek(0)
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return file.tell(), sha256


class _Passing:
    """The image on its way into the artifact, read in order: counted and hashed once more."""

    def __init__(self, image: ImageFile, advance: Advance) -> None:
        self._image = image
        self._advance = advance
        self._hash = hashlib.sha256()

    def pread(self, offset: int, length: int) -> bytes:
        data = self._image.pread(offset, length)
        self._hash.update(data)
        self._advance(len(data))
        return data

    def require(self, read: Image) -> None:
        """It was the same bytes again. Raises: UsageError."""
        if self._hash.hexdigest() != read.sha256:
            raise _changed(self._image)


def _encode(image: ImageFile, read: Image, output: BinaryIO, advance: Advance, encoding: Encoding) -> int:
    """Bytes of memory that a device takes to apply what was written."""
    passing, task = _Passing(image, advance), Task(read)
    spans = prove(cut_spans(whole_image(passing, read.length), WHOLE, 0), task, Pair(image))
    try:
        with _coders(encoding.threads) as pool:
            header = write_payload(output, task, _coded(pool, cut_frames(spans, WHOLE), encoding))
    except WrongSteps as error:
        raise _changed(image) from error
    passing.require(read)
    return header.terms.memory


def _changed(image: ImageFile) -> UsageError:
    return UsageError(f"image {image.path} changed while it was read; build again once it is finished")


@contextmanager
def _coders(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that do not begin another frame once the work has failed."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _coded(pool: ThreadPoolExecutor, frames: Iterable[PlainFrame], encoding: Encoding) -> Iterator[CodedFrame]:
    waiting: deque[Future[CodedFrame]] = deque()
    for frame in frames:
        waiting.append(pool.submit(code_frame, frame, encoding.coding))
        if len(waiting) > encoding.threads:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
