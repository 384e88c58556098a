"""The slot that runs, as what a delta starts from: read only, and no further than the image that it should hold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from agent.image.slotfile import SlotFile
from bridge.release.delta.errors import ForeignSource
from bridge.release.errors import SlotError
from bridge.release.image import Image

READ_BYTES = 1024 * 1024
WINDOW_BYTES = 128 * 1024
WINDOWS = 16
"""Kept in memory: the operations of a delta read a few bytes each, most of them near those before."""


class SlotSource:
    """The first `extent` bytes of `slot`; the Source of `bridge.release.delta.spans`."""

    def __init__(self, slot: SlotFile, extent: int) -> None:
        self._slot = slot
        self._extent = extent
        self._windows: dict[int, bytes] = {}

    def pread(self, offset: int, length: int) -> bytes:
        """`length` bytes at `offset`, fewer only where the extent or the slot ends.

        Raises: ForeignSource when the slot cannot be read there: another artifact may do.
        """
        number, at = divmod(offset, WINDOW_BYTES)
        if at + length <= WINDOW_BYTES and offset + length <= self._extent:
            window = self._windows.get(number) or self._window(number)
            if at + length <= len(window):
                return window[at : at + length]
        return self._exactly(offset, length)

    def _window(self, number: int) -> bytes:
        """The window of this number; none where a part of it cannot be read, which need not be the one wanted."""
        try:
            window = self._slot.read(number * WINDOW_BYTES, min(WINDOW_BYTES, self._extent - number * WINDOW_BYTES))
        except SlotError:
            return b""
        if len(self._windows) == WINDOWS:
            del self._windows[next(iter(self._windows))]
        self._windows[number] = window
        return window

    def _exactly(self, offset: int, length: int) -> bytes:
        data = bytearray()
        end = min(offset + length, self._extent)
        while offset + len(data) < end and (piece := self._read(offset + len(data), end - offset - len(data))):
            data += piece
        return bytes(data)

    def _read(self, offset: int, length: int) -> bytes:
        try:
            return self._slot.read(offset, length)
        except SlotError as error:
            raise ForeignSource(f"{error}; take the full artifact") from error


class NoSource:
    """What a full artifact starts from."""

    def pread(self, offset: int, length: int) -> bytes:  # noqa: ARG002 - the port's face
        """Nothing."""
        return b""


NO_SOURCE = NoSource()


def found_in(slot: SlotFile, images: Iterable[Image]) -> frozenset[Image]:
    """Those of `images` that `slot` begins with, by one reading of it. Raises: SlotError."""
    found: set[Image] = set()
    seen, offset = hashlib.sha256(), 0
    for image in sorted(images, key=lambda each: each.length):
        offset = _take(slot, offset, image.length, seen.update)
        if offset == image.length and seen.hexdigest() == image.sha256:
            found.add(image)
    return frozenset(found)


def _take(slot: SlotFile, offset: int, end: int, take: Callable[[bytes], None]) -> int:
    """Where the reading ended: at `end`, or before it with the slot."""
    while offset < end and (chunk := slot.read(offset, min(READ_BYTES, end - offset))):
        take(chunk)
        offset += len(chunk)
    return offset
