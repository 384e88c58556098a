"""What no device packs again bit by bit: streams of xz and zstd, and encrypted volumes. For advice alone."""

from __future__ import annotations

import lzma
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.delta.contents.candidates import Image

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

READ_BYTES = 64 << 10
MAX_RAW = 256 << 20
"""Bytes unpacked of all streams of one format, to learn how long they are."""
MEMORY = 96 << 20
"""That an xz stream may take to unpack; `xz -9` takes 65 MiB."""
WINDOW_LOG = 26
_FAULTS = (lzma.LZMAError, ZstdError, EOFError, ValueError, MemoryError)


@dataclass(frozen=True, slots=True)
class Foreign:
    """`count` streams, the first at byte `first`, of at least `length` bytes as stored."""

    first: int
    count: int
    length: int


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def xz() -> _Unpacker:
    """Unpacks one xz stream."""
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, MEMORY)


def zstd() -> _Unpacker:
    """Unpacks one zstd frame."""
    return ZstdDecompressor(options={DecompressionParameter.window_log_max: WINDOW_LOG})


def measure(image: Image, places: Sequence[int], unpacker: Callable[[], _Unpacker]) -> Foreign | None:
    """The streams at `places`, where such a one really begins. Costs no more than to unpack `MAX_RAW` bytes."""
    found: list[tuple[int, int]] = []
    left, end = MAX_RAW, 0
    for place in places:
        if place < end:
            continue
        length, raw = _length(image, place, unpacker(), left)
        if raw:
            found.append((place, length))
            end = place + length
        left -= raw
    if not found:
        return None
    return Foreign(found[0][0], len(found), sum(length for _, length in found))


def _length(image: Image, place: int, unpacker: _Unpacker, most: int) -> tuple[int, int]:
    """Bytes as stored and unpacked, as far as it goes; of nonsense none."""
    at, raw = place, 0
    try:
        while not unpacker.eof and raw <= most:
            data = image.pread(at, READ_BYTES) if unpacker.needs_input else b""
            if unpacker.needs_input and not data:
                return 0, 0
            at += len(data)
            raw += len(unpacker.decompress(data, READ_BYTES * 16))
    except _FAULTS:
        return 0, 0
    return at - place - len(unpacker.unused_data), raw
