"""Ways of packing: streams inside images, unpacked from the old image, packed again bit by bit, where this device can.

Formats fix how to unpack, not how to pack: another library may choose other matches. Each way of packing that a
payload uses therefore carries a probe, the checksum of a fixed text packed by the maker's library.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from typing import ClassVar

from bridge.release.delta import lz4s, zlibs
from bridge.release.delta.errors import ForeignLz4, ForeignZlib, MalformedPayload

PROBE_WORDS = 2048


class Method(IntEnum):
    """What packs. Numbers are never reused."""

    DEFLATE = 1
    LZ4 = 2


@dataclass(frozen=True, slots=True)
class Packing:
    """How a stream is packed. `probe` is the crc32 of `probe_text()` packed so.

    DEFLATE is in the words of `deflateInit2`. LZ4 has a level alone, 0 for the fast mode, else of HC; it makes blocks
    without a head.
    """

    level: int
    window_bits: int = 15
    memory_level: int = 8
    strategy: int = 0
    probe: int = 0
    method: Method = Method.DEFLATE

    WIRE: ClassVar[struct.Struct] = struct.Struct("<BBbBBI")

    @classmethod
    def probed(cls, level: int, window_bits: int = 15, memory_level: int = 8, strategy: int = 0) -> Packing:
        """A way of zlib, with the probe that this program's zlib gives."""
        return cls(level, window_bits, memory_level, strategy).with_probe()

    @classmethod
    def lz4(cls, level: int) -> Packing:
        """A way of LZ4, with the probe that this program's LZ4 gives. Raises: ForeignLz4 where there is none."""
        return cls(level, 0, 0, method=Method.LZ4).with_probe()

    def with_probe(self) -> Packing:
        """This way, with the probe of this program's library."""
        return replace(self, probe=zlib.crc32(self.pack(probe_text())))

    @classmethod
    def decode(cls, data: bytes) -> Packing:
        """From `WIRE.size` bytes. Raises: MalformedPayload."""
        method, level, window_bits, memory_level, strategy, probe = cls.WIRE.unpack(data)
        if method in set(Method):
            found = cls(level, window_bits, memory_level, strategy, probe, Method(method))
            if found.exists:
                return found
        raise MalformedPayload(f"the payload packs in a way that does not exist: {tuple(data[:5])}")

    @property
    def exists(self) -> bool:
        """Whether the library knows it."""
        if self.method is Method.DEFLATE:
            return self._words.exist
        return self.level in lz4s.LEVELS and self._words[1:] == (0, 0, 0)

    def unpacks_like(self, other: Packing) -> bool:
        """Whether both unpack the same streams, however they pack them."""
        return (self.method, self.window_bits) == (other.method, other.window_bits)

    def encode(self) -> bytes:
        """The inverse of `decode`."""
        return self.WIRE.pack(self.method, *self._words, self.probe)

    def pack(self, raw: bytes | bytearray) -> bytes:
        """`raw` as one stream. Raises: ForeignLz4 where it is to be LZ4, and there is none."""
        return zlibs.pack(raw, self._words) if self.method is Method.DEFLATE else lz4s.pack(raw, self.level)

    def unpack_up_to(self, stored: bytes, most: int) -> bytes:
        """What is packed in `stored`, one whole stream. Raises: as `pack`; MalformedPayload; never makes more."""
        if self.method is Method.DEFLATE:
            return zlibs.unpack(stored, self.window_bits, most)
        return lz4s.unpack(stored, most)

    def unpack(self, stored: bytes, length: int) -> bytes:
        """The `length` bytes packed in `stored`. Raises: as `unpack_up_to`."""
        raw = self.unpack_up_to(stored, length)
        if len(raw) != length:
            raise MalformedPayload(f"the payload takes {len(stored)} bytes for a stream of {length}, not {len(raw)}")
        return raw

    def require_same(self) -> None:
        """This device's library packs as the maker's did. Raises: ForeignZlib, ForeignLz4."""
        if zlib.crc32(self.pack(probe_text())) != self.probe:
            raise self.foreign(f"packs otherwise at level {self.level} than the maker's did")

    def foreign(self, what: str) -> ForeignZlib | ForeignLz4:
        """The refusal that tells what this device's library does otherwise."""
        if self.method is Method.DEFLATE:
            return ForeignZlib(f"{zlibs.NAME} of this device {what}; take the full artifact")
        return ForeignLz4(f"{lz4s.name()} of this device {what}; take the full artifact")

    @property
    def _words(self) -> zlibs.Words:
        return zlibs.Words(self.level, self.window_bits, self.memory_level, self.strategy)


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
