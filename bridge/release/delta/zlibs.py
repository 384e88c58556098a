"""Streams of zlib: unpacked within bounds, and packed in the words of `deflateInit2`."""

from __future__ import annotations

import zlib
from typing import NamedTuple

from bridge.release.delta.errors import MalformedPayload

LEVELS = range(10)
WINDOW_BITS = frozenset((*range(9, 16), *range(-15, -8), *range(25, 32)))
MEMORY_LEVELS = range(1, 10)
STRATEGIES = range(5)
NAME = f"zlib {zlib.ZLIB_RUNTIME_VERSION}"


class Words(NamedTuple):
    """Of `deflateInit2`. Window bits: 9 to 15 zlib, -15 to -9 raw deflate, 25 to 31 gzip."""

    level: int
    window_bits: int = 15
    memory_level: int = 8
    strategy: int = 0

    @property
    def exist(self) -> bool:
        """Whether zlib knows them."""
        return (
            self.level in LEVELS
            and self.window_bits in WINDOW_BITS
            and self.memory_level in MEMORY_LEVELS
            and self.strategy in STRATEGIES
        )


def pack(raw: bytes | bytearray, words: Words) -> bytes:
    """`raw` as one stream."""
    packer = zlib.compressobj(words.level, zlib.DEFLATED, words.window_bits, words.memory_level, words.strategy)
    return packer.compress(raw) + packer.flush()


def unpack(stored: bytes, window_bits: int, most: int) -> bytes:
    """What `stored`, one whole stream, holds. Raises: MalformedPayload where it is none, or holds more than `most`."""
    unpacker = zlib.decompressobj(window_bits)
    try:
        raw = unpacker.decompress(stored, most + 1)
    except zlib.error as error:
        raise MalformedPayload(f"the payload takes bytes for a zlib stream that are none: {error}") from error
    if len(raw) > most or not unpacker.eof or unpacker.unused_data:
        raise MalformedPayload(f"the payload takes {len(stored)} bytes for a zlib stream of {most} bytes")
    return raw
