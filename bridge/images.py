"""Makes the full-image artifact of a release: a raw image in, a zstd stream of independent frames out.

Frames are compressed on several threads (zstd releases the interpreter lock; two threads take half the time of one)
and written in order, so that the same image at the same level always gives the same bytes. Memory is bounded by the
threads, not by the image: a frame's input and output for each, twice.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bridge.errors import UsageError
from bridge.release.manifest import MAX_IMAGE_BYTES, Artifact, Image
from bridge.release.payload import FRAME_BYTES

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, compress
else:
    from backports.zstd import CompressionParameter, compress

LEVELS = range(1, 23)
DEFAULT_LEVEL = 19
"""Made once, fetched by every device: about 9 per cent smaller than level 9, at some twenty times its time."""
WINDOW_LOG = FRAME_BYTES.bit_length() - 1
"""log2 of a frame: a larger window cannot help, and devices accept up to `bridge.release.manifest.MAX_WINDOW_LOG`."""
PARTIAL = ".partial"

Step = Callable[[int], None]
"""Called with the number of image bytes that were read since the last call."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to compress: zstd `level` (1 to 22) on so many `threads`."""

    level: int = DEFAULT_LEVEL
    threads: int = os.cpu_count() or 1

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise UsageError(f"compression level {self.level} is outside {LEVELS[0]} to {LEVELS[-1]}")


def artifact_name(release: str, version: str, hardware: str = "") -> str:
    """A file name for the full image of `release` at `version`; characters that a name may not hold become dashes."""
    parts = f"{release}-{version}.{hardware}" if hardware else f"{release}-{version}"
    return re.sub(r"[^A-Za-z0-9._-]", "-", f"{parts}.full.zst").lstrip("._-")


def build_artifact(source: Path, target: Path, step: Step, encoding: Encoding | None = None) -> Artifact:
    """Write the full-image artifact of the raw image `source` (a file or a block device) to `target`.

    `target` appears whole or not at all. The image must not change meanwhile.

    Raises:
        UsageError: the image is missing, empty, no file or device, too large, or changed; or `target` has no room.
    """
    with _open_image(source) as image, _whole_or_nothing(target) as output:
        length = _length_of(image, source)
        before = os.fstat(image.fileno())
        read, written = _encode(_read_frames(image, source, length, step), output, encoding or Encoding())
        _require_unchanged(source, before, os.fstat(image.fileno()), length, read.length)
    return Artifact(target.name, written.length, written.sha256, read)


@contextmanager
def _open_image(source: Path) -> Iterator[BinaryIO]:
    try:
        mode = source.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
            raise UsageError(f"image {source} is neither a file nor a block device")
        with source.open("rb") as image:
            yield image
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        raise UsageError(f"image {source} cannot be read: {error.strerror}") from error


def _length_of(image: BinaryIO, source: Path) -> int:
    """By seeking, since a block device has no size of its own in `stat`."""
    length = image.seek(0, os.SEEK_END)
    image.seek(0)
    if not 0 < length <= MAX_IMAGE_BYTES:
        raise UsageError(f"image {source} has {length} bytes; 1 to {MAX_IMAGE_BYTES} are possible")
    return length


def _require_unchanged(source: Path, before: os.stat_result, after: os.stat_result, length: int, read: int) -> None:
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size) or length != read:
        raise UsageError(f"image {source} changed while it was read; build again once it is finished")


@contextmanager
def _whole_or_nothing(target: Path) -> Iterator[BinaryIO]:
    partial = target.with_name(target.name + PARTIAL)
    try:
        with partial.open("wb") as output:
            yield output
            output.flush()
            os.fsync(output.fileno())
        partial.replace(target)
    except OSError as error:
        raise UsageError(f"artifact {target} cannot be written: {_why(error, target)}") from error
    finally:
        partial.unlink(missing_ok=True)


def _why(error: OSError, target: Path) -> str:
    if error.errno == errno.ENOSPC:
        return f"no space left in {target.parent}; free some, or give another --out"
    return error.strerror or str(error)


class _Count:
    """Length and sha256 of the bytes that passed."""

    def __init__(self) -> None:
        self._length = 0
        self._hash = hashlib.sha256()

    def take(self, data: bytes) -> bytes:
        self._length += len(data)
        self._hash.update(data)
        return data

    def image(self) -> Image:
        return Image(self._length, self._hash.hexdigest())


def _read_frames(image: BinaryIO, source: Path, length: int, step: Step) -> Iterator[bytes]:
    """Never more than `length` bytes, however fast the image grows."""
    for start in range(0, length, FRAME_BYTES):
        block = _read_frame(image, source, min(FRAME_BYTES, length - start))
        yield block
        step(len(block))


def _read_frame(image: BinaryIO, source: Path, size: int) -> bytes:
    try:
        return image.read(size)
    except OSError as error:
        raise UsageError(f"image {source} cannot be read near byte {image.tell()}: {error.strerror}") from error


def _encode(blocks: Iterator[bytes], output: BinaryIO, encoding: Encoding) -> tuple[Image, Image]:
    """Length and sha256 of what was read, and of what was written."""
    read, written = _Count(), _Count()
    with ThreadPoolExecutor(encoding.threads) as pool:
        waiting: deque[Future[bytes]] = deque()
        for block in blocks:
            waiting.append(pool.submit(_compress, read.take(block), encoding.level))
            if len(waiting) > encoding.threads:
                output.write(written.take(waiting.popleft().result()))
        output.writelines(written.take(frame.result()) for frame in waiting)
    return read.image(), written.image()


def _compress(block: bytes, level: int) -> bytes:
    options: dict[int, int] = {
        CompressionParameter.compression_level: level,
        CompressionParameter.window_log: WINDOW_LOG,
        CompressionParameter.checksum_flag: 1,
        CompressionParameter.content_size_flag: 1,
    }
    return bytes(compress(block, options=options))
