"""From pieces to the steps of a payload, with their bytes, in the order of the new image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.delta.image_file import READ_BYTES, ImageFile
from bridge.delta.moves import Images
from bridge.delta.pieces import NEW, ZERO, Pieces
from bridge.delta.steps import Add, Copy, Literal, Step, Zero

AT_ONCE = 1 << 14


def steps_of(pieces: Pieces, images: Images) -> Iterator[Step]:
    """What to do for `pieces`, which follow one another and make the new image whole.

    Old bytes that are as the new ones become copies. Raises: UsageError where an image cannot be read.
    """
    new = _Ahead(images.new)
    for first in range(0, len(pieces), AT_ONCE):
        for start, length, source in pieces.where(np.arange(first, min(first + AT_ONCE, len(pieces)))).rows():
            yield from _steps(start, length, source, new, images.old)


def _steps(start: int, length: int, source: int, new: _Ahead, old: ImageFile) -> Iterator[Step]:
    if source == ZERO:
        yield Zero(length)
        return
    for at in range(0, length, READ_BYTES):
        data = new.pread(start + at, min(READ_BYTES, length - at))
        yield Literal(data) if source == NEW else _matched(data, old, source + at)


def _matched(data: bytes, old: ImageFile, source: int) -> Step:
    base = old.pread(source, len(data))
    if base == data:
        return Copy(len(data), source)
    diff = np.frombuffer(data, np.uint8) - np.frombuffer(base, np.uint8)
    return Add(diff.tobytes(), source)


class _Ahead:
    """Reads an image in order, more than asked for, so that small pieces cost no system call each."""

    def __init__(self, image: ImageFile) -> None:
        self._image = image
        self._start = 0
        self._data = b""

    def pread(self, offset: int, length: int) -> bytes:
        at = offset - self._start
        if at < 0 or at + length > len(self._data):
            self._start, self._data = offset, self._image.pread(offset, max(length, READ_BYTES))
            at = 0
        return self._data[at : at + length]
