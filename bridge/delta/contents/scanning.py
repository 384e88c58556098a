"""Where an image holds the first bytes of packed formats."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from enum import Enum
from functools import partial

import numpy as np

from bridge.release.delta.spans import Source

CHUNK_BYTES = 4 << 20
WAITING = 16
"""Chunks in hand at once."""
ZLIB_SECONDS = (0x01, 0x5E, 0x9C, 0xDA)
"""Second bytes of zlib streams with a window of 32 KiB, by level."""
ZLIB_FIRST = 0x78


class Magic(Enum):
    """The first bytes of a format, and what their place must be a multiple of."""

    SQUASHFS = b"hsqs", 4096
    LZ4_LEGACY = b"\x02\x21\x4c\x18", 1
    GZIP = b"\x1f\x8b\x08", 1
    XZ = b"\xfd7zXZ\0", 1
    ZSTD = b"\x28\xb5\x2f\xfd", 1
    LUKS = b"LUKS\xba\xbe", 512
    ZLIB = b"", 1

    @property
    def text(self) -> bytes:
        """The bytes."""
        return self.value[0]

    @property
    def alignment(self) -> int:
        """Of their place, in bytes."""
        return self.value[1]


Places = dict[Magic, list[int]]
OVERLAP = max(len(magic.text) for magic in Magic) - 1


def scan(image: Source, length: int, executor: Executor) -> Places:
    """The places of each magic, in order."""
    places: Places = {magic: [] for magic in Magic}
    starts = range(0, length, CHUNK_BYTES)
    for at in range(0, len(starts), WAITING):
        for found in executor.map(partial(_chunk, image, length), starts[at : at + WAITING]):
            for magic, row in found.items():
                places[magic] += row
    return places


def _chunk(image: Source, length: int, start: int) -> Places:
    data = image.pread(start, min(CHUNK_BYTES + OVERLAP, length - start))
    found = {magic: [start + at for at in _finds(data, magic)] for magic in Magic if magic.text}
    found[Magic.ZLIB] = [start + int(at) for at in _zlib(data)]
    return found


def _finds(data: bytes, magic: Magic) -> Iterator[int]:
    at = data.find(magic.text, 0)
    while 0 <= at < CHUNK_BYTES:
        if at % magic.alignment == 0:
            yield at
        at = data.find(magic.text, at + 1)


def _zlib(data: bytes) -> list[int]:
    row = np.frombuffer(data, np.uint8)[: CHUNK_BYTES + 1]
    firsts = np.flatnonzero(row[:-1] == ZLIB_FIRST)
    known = np.isin(row[firsts + 1], np.array(ZLIB_SECONDS, np.uint8))
    return [int(at) for at in firsts[known]]
