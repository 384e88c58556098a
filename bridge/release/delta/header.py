"""The head of a payload: what it makes, from what, and what that takes (docs/payload-format.md, Header)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from bridge.release.delta.errors import MalformedPayload
from bridge.release.delta.packing import Packing
from bridge.release.image import MAX_IMAGE_BYTES

MAGIC = b"\x89OTB"
VERSION = 1
MAX_PACKINGS = 4
MAX_FRAMES = 1 << 20
NO_IMAGE = bytes(32)
"""Stands for the old image's sha256 where there is none."""

_FIXED = struct.Struct("<4sBBQQ32s32sII")
_CHECK = struct.Struct("<I")
_TERMS = struct.Struct("<QQIII")
FIXED_BYTES = _FIXED.size
"""Of the header; `rest_of_header` tells from them how many follow."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What must be known to apply any frame of a payload. Lengths in bytes.

    `memory` is the ceiling that no frame exceeds (`bridge.release.delta.memory`); `identity` ties frames to their
    payload.
    """

    old_length: int
    new_length: int
    memory: int
    frames: int
    identity: int
    packings: tuple[Packing, ...] = ()

    def __post_init__(self) -> None:
        self._require(max(self.old_length, self.new_length) <= MAX_IMAGE_BYTES, "an image", "length")
        self._require(self.frames <= MAX_FRAMES, f"{self.frames} frames", "count")
        self._require(len(self.packings) <= MAX_PACKINGS, f"{len(self.packings)} ways of packing", "count")

    def encode(self) -> bytes:
        """At most 64 bytes, for a checkpoint."""
        fixed = (self.old_length, self.new_length, self.memory, self.frames, self.identity)
        return _TERMS.pack(*fixed) + b"".join(packing.encode() for packing in self.packings)

    @classmethod
    def decode(cls, data: bytes) -> Terms:
        """The inverse of `encode`. Raises: MalformedPayload."""
        if len(data) < _TERMS.size or (len(data) - _TERMS.size) % Packing.WIRE.size:
            raise MalformedPayload(f"the terms of a payload do not have {len(data)} bytes")
        old, new, memory, frames, identity = _TERMS.unpack_from(data)
        return cls(old, new, memory, frames, identity, _packings(data[_TERMS.size :]))

    def _require(self, holds: bool, what: str, which: str) -> None:  # noqa: FBT001 - reads as a sentence
        if not holds:
            raise MalformedPayload(f"the payload declares {what} outside the limit of its {which}")


@dataclass(frozen=True, slots=True)
class Header:
    """The terms, and the sha256 of both images; `old_sha256` is `NO_IMAGE` for a full image."""

    terms: Terms
    old_sha256: bytes
    new_sha256: bytes

    def encode(self) -> bytes:
        """The bytes that a payload starts with."""
        terms = self.terms
        fixed = _FIXED.pack(
            MAGIC,
            VERSION,
            len(terms.packings),
            terms.old_length,
            terms.new_length,
            self.old_sha256,
            self.new_sha256,
            terms.memory,
            terms.frames,
        )
        body = fixed + b"".join(packing.encode() for packing in terms.packings)
        return body + _CHECK.pack(zlib.crc32(body))


def rest_of_header(fixed: bytes) -> int:
    """Bytes that follow the `FIXED_BYTES` first ones. Raises: MalformedPayload for what is no payload."""
    if fixed[: len(MAGIC)] != MAGIC:
        raise MalformedPayload(f"this is no payload: it begins with {fixed[:4].hex(' ')}, not {MAGIC.hex(' ')}")
    version, packings = fixed[4], fixed[5]
    if version != VERSION:
        raise MalformedPayload(
            f"the payload has version {version}, this program reads {VERSION}: update the agent first"
        )
    if packings > MAX_PACKINGS:
        raise MalformedPayload(f"the payload declares {packings} ways of packing, {MAX_PACKINGS} are possible")
    return packings * Packing.WIRE.size + _CHECK.size


def decode_header(data: bytes) -> Header:
    """The whole header, as long as `rest_of_header` said. Raises: MalformedPayload."""
    body = data[: -_CHECK.size]
    if _CHECK.unpack(data[-_CHECK.size :])[0] != zlib.crc32(body):
        raise MalformedPayload("the header of the payload does not match its checksum: it was damaged on the way")
    _, _, _, old_length, new_length, old, new, memory, frames = _FIXED.unpack_from(body)
    if (old == NO_IMAGE) != (old_length == 0):
        raise MalformedPayload("the payload names an old image without bytes, or bytes without an old image")
    packings = _packings(body[_FIXED.size :])
    terms = Terms(old_length, new_length, memory, frames, identity_of(old, new), packings)
    return Header(terms, old, new)


def identity_of(old_sha256: bytes, new_sha256: bytes) -> int:
    """Ties frames to the pair of images that they are about: crc32 of both hashes."""
    return zlib.crc32(old_sha256 + new_sha256)


def _packings(data: bytes) -> tuple[Packing, ...]:
    size = Packing.WIRE.size
    return tuple(Packing.decode(data[at : at + size]) for at in range(0, len(data), size))
