"""Reads a slot back from its medium: what was written is what was signed, or it is never booted.

Most of it is read while the rest is still being written, as soon as it is durable; a medium that lost it again later,
or that is smaller than it says and wrote in circles, is found by a few pieces that are read once more at the end.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle

from agent.image.hose import Crew, Hose
from agent.image.slotfile import SlotMedium
from agent.medium import PIECE_BYTES, piece
from bridge.release.errors import FailureCode, SlotError
from bridge.release.image import Image

AHEAD = 4
"""Pieces read at most before they are hashed."""
STRIDE = 64
"""Of every so many pieces read early, the first is read again at the end."""
JOIN_SECONDS = 60.0


class SlotMismatch(SlotError):
    """The slot gave back other bytes than those that were signed."""

    code = FailureCode.SLOT_MISMATCH


@dataclass(frozen=True, slots=True)
class Sample:
    """What a piece of the slot was when it was read."""

    offset: int
    sha256: bytes


class Seen:
    """What the slot gave back so far, from its first byte on: how many bytes, and their sha256."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.offset = 0
        self.samples: list[Sample] = []

    def take(self, read: memoryview) -> None:
        """The next bytes."""
        if self.offset % (STRIDE * PIECE_BYTES) == 0:
            self.samples.append(Sample(self.offset, hashlib.sha256(read).digest()))
        self._hash.update(read)
        self.offset += len(read)

    def hexdigest(self) -> str:
        """The sha256 of all."""
        return self._hash.hexdigest()


class Trailing:
    """Reads back, on a thread of its own, what has become durable while more is written. Nothing is lost when it
    stops early, or meets an error: the check at the end reads what is missing, and meets the same."""

    def __init__(self, medium: SlotMedium) -> None:
        self._medium = medium
        self._changed = threading.Condition()
        self._durable = 0
        self._is_over = False
        self.seen = Seen()

    def durable(self, end: int) -> None:
        """The bytes before `end` are."""
        with self._changed:
            self._durable = end
            self._changed.notify()

    def stop(self) -> None:
        """`run` returns after the piece that it reads."""
        with self._changed:
            self._is_over = True
            self._changed.notify()

    def run(self) -> None:
        """Read, a whole piece at a time. Raises: SlotError."""
        buffer = piece()
        while self._is_wanted():
            if self._medium.read_into(buffer, self.seen.offset) < PIECE_BYTES:
                return
            self.seen.take(buffer)

    def _is_wanted(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._durable - self.seen.offset >= PIECE_BYTES)
            return not self._is_over


def check_image(medium: SlotMedium, image: Image, show: Callable[[int], None], seen: Seen | None = None) -> None:
    """Read `image` back from `medium`, after what was `seen` of it already, and compare its sha256; `show` is told the
    bytes read so far.

    Raises:
        SlotMismatch: the slot holds something else, or less.
        SlotError: the device failed.
    """
    seen = seen or Seen()
    early = seen.samples.copy()
    with closing(_read_ahead(medium, seen.offset, image.length)) as pieces:
        for read in pieces:
            seen.take(read)
            show(seen.offset)
    if seen.offset != image.length or seen.hexdigest() != image.sha256:
        raise SlotMismatch(
            f"the slot gave back {seen.offset} bytes with sha256 {seen.hexdigest()}; {image.length} bytes with sha256 "
            f"{image.sha256} were written: its medium may be failing"
        )
    for sample in early:
        _require_unchanged(medium, sample)


def _require_unchanged(medium: SlotMedium, sample: Sample) -> None:
    buffer = piece()
    count = medium.read_into(buffer, sample.offset)
    if hashlib.sha256(buffer[:count]).digest() != sample.sha256:
        raise SlotMismatch(
            f"the slot gives back other bytes at byte {sample.offset} than it did while the image was written: its "
            "medium may be failing, or smaller than it says"
        )


def _read_ahead(medium: SlotMedium, start: int, length: int) -> Generator[memoryview, None, None]:
    """From byte `start` to `length`, less where the slot ends; a piece holds until the next, none follows a close."""
    pieces: Hose[memoryview] = Hose(AHEAD, lambda _: 1)
    crew = Crew(pieces.break_off)
    crew.start("read back", lambda: _pour(medium, start, length, pieces))
    try:
        yield from pieces
    finally:
        pieces.break_off(GeneratorExit())  # of no effect after the end, or after another error
        crew.join(lambda: None, JOIN_SECONDS)


def _pour(medium: SlotMedium, start: int, length: int, pieces: Hose[memoryview]) -> None:
    """In turn into as many buffers as may wait, be hashed and be filled at one time."""
    buffers = cycle([piece() for _ in range(AHEAD + 2)])
    offset = start
    while offset < length and (count := medium.read_into(buffer := next(buffers), offset)):
        count = min(count, length - offset)
        offset += count
        pieces.put(buffer[:count])
    pieces.end(whole=True)
