"""Reads a slot back from its medium: what was written is what was signed, or it is never booted.

One thread reads ahead while the other hashes; a device is rarely so slow that only one of the two counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import cycle

from agent.hose import Crew, Hose
from agent.medium import piece
from agent.slotfile import SlotMedium
from bridge.release.errors import FailureCode, SlotError
from bridge.release.image import Image

AHEAD = 4
"""Pieces read at most before they are hashed."""
JOIN_SECONDS = 60.0


class SlotMismatch(SlotError):
    """The slot gave back other bytes than those that were signed."""

    code = FailureCode.SLOT_MISMATCH


def check_image(medium: SlotMedium, image: Image, show: Callable[[int], None]) -> None:
    """Read `image` back from `medium` and compare its sha256; `show` is told the bytes read so far.

    Raises:
        SlotMismatch: the slot holds something else, or less.
        SlotError: the device failed.
    """
    seen = hashlib.sha256()
    offset = 0
    with closing(_read_ahead(medium, image.length)) as pieces:
        for read in pieces:
            seen.update(read)
            offset += len(read)
            show(offset)
    if offset != image.length or seen.hexdigest() != image.sha256:
        raise SlotMismatch(
            f"the slot gave back {offset} bytes with sha256 {seen.hexdigest()}; {image.length} bytes with sha256 "
            f"{image.sha256} were written: its medium may be failing"
        )


def _read_ahead(medium: SlotMedium, length: int) -> Generator[memoryview, None, None]:
    """The first `length` bytes, fewer where the slot ends, each piece until the next; none is read after a close."""
    pieces: Hose[memoryview] = Hose(AHEAD, lambda _: 1)
    crew = Crew(pieces.break_off)
    crew.start("read back", lambda: _pour(medium, length, pieces))
    try:
        yield from pieces
    finally:
        pieces.break_off(GeneratorExit())  # of no effect after the end, or after another error
        crew.join(lambda: None, JOIN_SECONDS)


def _pour(medium: SlotMedium, length: int, pieces: Hose[memoryview]) -> None:
    """In turn into as many buffers as may wait, be hashed and be filled at one time."""
    buffers = cycle([piece() for _ in range(AHEAD + 2)])
    offset = 0
    while offset < length and (count := medium.read_into(buffer := next(buffers), offset)):
        count = min(count, length - offset)
        offset += count
        pieces.put(buffer[:count])
    pieces.end(whole=True)
