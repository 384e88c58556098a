"""Streams of zlib inside images: unpacked from the old image, packed again bit by bit, where this device can.

Deflate fixes how to unpack, not how to pack: another zlib may choose other matches. Each way of packing that a payload
uses therefore carries a probe, the checksum of a fixed text packed by the maker's zlib.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from bridge.release.delta.errors import ForeignZlib, MalformedPayload

DEFLATE = 1
"""The only method so far; other numbers are reserved for other codecs."""
WINDOW_BITS = frozenset((*range(9, 16), *range(-15, -8), *range(25, 32)))
LEVELS = range(10)
MEMORY_LEVELS = range(1, 10)
STRATEGIES = range(5)
PROBE_WORDS = 2048


@dataclass(frozen=True, slots=True)
class Packing:
    """How a stream is packed, in the words of `deflateInit2`; `probe` is the crc32 of `probe_text()` packed so."""

    level: int
    window_bits: int = 15
    memory_level: int = 8
    strategy: int = 0
    probe: int = 0

    WIRE: ClassVar[struct.Struct] = struct.Struct("<BBbBBI")

    @classmethod
    def probed(cls, level: int, window_bits: int = 15, memory_level: int = 8, strategy: int = 0) -> Packing:
        """The way of packing, with the probe that this program's zlib gives."""
        plain = cls(level, window_bits, memory_level, strategy)
        return cls(level, window_bits, memory_level, strategy, zlib.crc32(plain.pack(probe_text())))

    @classmethod
    def decode(cls, data: bytes) -> Packing:
        """From `WIRE.size` bytes. Raises: MalformedPayload."""
        method, level, window_bits, memory_level, strategy, probe = cls.WIRE.unpack(data)
        known = (
            method == DEFLATE
            and level in LEVELS
            and window_bits in WINDOW_BITS
            and memory_level in MEMORY_LEVELS
            and strategy in STRATEGIES
        )
        if not known:
            raise MalformedPayload(f"the payload packs in a way that does not exist: {tuple(data[:5])}")
        return cls(level, window_bits, memory_level, strategy, probe)

    def encode(self) -> bytes:
        """The inverse of `decode`."""
        return self.WIRE.pack(DEFLATE, self.level, self.window_bits, self.memory_level, self.strategy, self.probe)

    def pack(self, raw: bytes) -> bytes:
        """`raw` as one stream."""
        packer = zlib.compressobj(self.level, zlib.DEFLATED, self.window_bits, self.memory_level, self.strategy)
        return packer.compress(raw) + packer.flush()

    def unpack(self, stored: bytes, length: int) -> bytes:
        """The `length` bytes packed in `stored`, one whole stream. Raises: MalformedPayload; never makes more."""
        unpacker = zlib.decompressobj(self.window_bits)
        try:
            raw = unpacker.decompress(stored, length + 1)
        except zlib.error as error:
            raise MalformedPayload(f"the payload takes bytes for a zlib stream that are none: {error}") from error
        if len(raw) != length or not unpacker.eof or unpacker.unused_data:
            raise MalformedPayload(f"the payload takes {len(stored)} bytes for a zlib stream of {length} bytes")
        return raw

    def require_same(self) -> None:
        """This device's zlib packs as the maker's did. Raises: ForeignZlib."""
        if zlib.crc32(self.pack(probe_text())) != self.probe:
            raise ForeignZlib(
                f"zlib {zlib.ZLIB_RUNTIME_VERSION} of this device packs otherwise at level {self.level} than the "
                "maker's did, so the payload cannot be applied; take the full artifact"
            )


@cache
def probe_text() -> bytes:
    """A fixed text of words of hex digits and earlier passages (docs/payload-format.md, Probe)."""
    text = bytearray()
    for number in range(PROBE_WORDS):
        digest = hashlib.sha256(number.to_bytes(4, "little")).digest()
        text += digest.hex()[: 1 + digest[0] % 16].encode()
        start = (digest[1] + 256 * digest[2]) % len(text)
        text += text[start : start + digest[3] % 64]
    return bytes(text)
