"""Bytes of an image that look like a packed stream, before anything is proved of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Protocol

from bridge.release.delta.packing import Packing
from bridge.release.delta.spans import Source


class Image(Source, Protocol):
    """An image that is read from any thread."""

    @property
    def length(self) -> int:
        """In bytes."""


class What(StrEnum):
    """What a stream is, in people's words."""

    SQUASHFS = "squashfs blocks"
    LZ4 = "LZ4 blocks"
    ZLIB = "zlib streams"
    GZIP = "gzip members"


@dataclass(frozen=True, slots=True)
class Candidate:
    """`length` bytes at `offset` that unpack to at most `most`, packed in one of `ways`, the most likely first.

    All ways unpack alike.
    """

    offset: int
    length: int
    most: int
    ways: tuple[Packing, ...]
    what: What

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to: candidates, sorted and disjoint, and notes for people."""

    candidates: list[Candidate] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@cache
def zlib_way(level: int, window_bits: int = 15, strategy: int = 0) -> Packing:
    """A way of zlib, probed once."""
    return Packing.probed(level, window_bits, 8, strategy)


@cache
def lz4_way(level: int) -> Packing:
    """A way of LZ4, probed once."""
    return Packing.lz4(level)
