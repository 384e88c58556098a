"""The way of an image into a slot and back out for the check. Memory stays bounded whatever the image's size."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.disk import BlockFile, Disk
from bridge.release.errors import FailureCode, SlotError
from bridge.release.manifest import Artifact, Image
from bridge.release.payload import ImageDecoder, Mark

CHECKPOINT_BYTES = 32 * 1024 * 1024
"""Image bytes between two marks in the journal: what a power cut costs at most, beside the frame it hits."""
READ_BYTES = 1024 * 1024


class SlotMismatch(SlotError):
    """The slot gave back other bytes than those that were signed."""

    code = FailureCode.SLOT_MISMATCH


class SlotFile:
    """One slot, open; every fault of its device is a SlotError that names it."""

    def __init__(self, path: Path, file: BlockFile) -> None:
        self._path = path
        self._file = file

    def write(self, offset: int, data: bytes) -> None:
        """Write `data` at byte `offset`. Raises: SlotError."""
        with _naming(self._path, f"cannot be written at byte {offset}"):
            self._file.write(offset, data)

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`. Raises: SlotError."""
        with _naming(self._path, f"cannot be read at byte {offset}"):
            return self._file.read(offset, length)

    def length(self) -> int:
        """Bytes of room. Raises: SlotError."""
        with _naming(self._path, "does not tell its length"):
            return self._file.length()

    def sync(self) -> None:
        """Make all that was written durable. Raises: SlotError."""
        with _naming(self._path, "could not be synced"):
            self._file.sync()


@contextmanager
def opened(disk: Disk, path: Path) -> Iterator[SlotFile]:
    """The slot at `path`, closed at the end. Raises: SlotError."""
    with _naming(path, "cannot be opened"):
        file = disk.open_slot(path)
    try:
        yield SlotFile(path, file)
    finally:
        file.close()


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a mark is kept: after `count` bytes of image, or with fewer after `seconds` by `clock`."""

    count: int
    seconds: float
    clock: Callable[[], float]

    def is_due(self, gained: int, since: float) -> bool:
        """Whether `gained` bytes, the last mark having been kept at `since`, are worth one."""
        return gained >= self.count or (gained > 0 and self.clock() - since >= self.seconds)


class ImageWriter:
    """Writes one artifact's image, from `start` on.

    `keep` is called with each mark before which everything is durable, whenever `pace` finds it due.
    """

    def __init__(
        self, slot: SlotFile, artifact: Artifact, start: Mark, pace: Pace, keep: Callable[[Mark], None]
    ) -> None:
        self._slot = slot
        self._decoder = ImageDecoder(artifact, start)
        self._pace = pace
        self._kept = start
        self._kept_at = pace.clock()
        self._keep = keep
        self._offset = start.image

    def write(self, chunks: Iterable[bytes], show: Callable[[int], None]) -> Mark:
        """Write all of `chunks`, the artifact's bytes from the start to the end; the mark at its end, durable.

        `show` is called with the image bytes written so far.

        Raises:
            AlteredRelease: the bytes are not those that were signed.
            SlotError: the device failed. Beside these, what `chunks`, `keep` and `show` raise.
        """
        for chunk in chunks:
            self._write(chunk)
            show(self._offset)
        self._decoder.finish()
        self._slot.sync()
        return self._decoder.mark

    def _write(self, chunk: bytes) -> None:
        for piece in self._decoder.feed(chunk):
            self._slot.write(self._offset, piece)
            self._offset += len(piece)
            self._checkpoint()

    def _checkpoint(self) -> None:
        mark = self._decoder.mark
        if self._pace.is_due(mark.image - self._kept.image, self._kept_at):
            self._slot.sync()
            self._keep(mark)
            self._kept, self._kept_at = mark, self._pace.clock()


def check_image(slot: SlotFile, image: Image, show: Callable[[int], None]) -> None:
    """Read `image` back from `slot` and compare its sha256; `show` is told the bytes read so far.

    Raises:
        SlotMismatch: the slot holds something else, or less.
        SlotError: the device failed.
    """
    seen = hashlib.sha256()
    offset = 0
    while chunk := slot.read(offset, min(READ_BYTES, image.length - offset)):
        seen.update(chunk)
        offset += len(chunk)
        show(offset)
    if offset != image.length or seen.hexdigest() != image.sha256:
        raise SlotMismatch(
            f"the slot gave back {offset} bytes with sha256 {seen.hexdigest()}; {image.length} bytes with sha256 "
            f"{image.sha256} were written: its medium may be failing"
        )


@contextmanager
def _naming(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SlotError(f"{path} {what}: {error.strerror or error}") from error
