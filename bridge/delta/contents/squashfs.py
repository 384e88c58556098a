"""Superblocks of squashfs images (version 4.0), wherever in an image they are.

Layout: https://dr-emann.github.io/squashfs/. Images are our own, yet a superblock may be stray bytes: it is held
against the length of the image.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from bridge.release.delta.spans import Source

MAGIC = b"hsqs"
ALIGNMENT = 4096
"""Partitions and loop mounts begin at multiples of it."""
NO_TABLE = (1 << 64) - 1
HAS_OPTIONS = 0x0400
VERSION = (4, 0)
BLOCK_LOGS = range(12, 21)
OPTIONS_BYTES = 8
"""Of those that matter here, which stand unpacked behind the superblock and the u16 of their block."""
FRAGMENTS_A_BLOCK = 512
EXPORTS_A_BLOCK = 1024
IDS_A_BLOCK = 2048


class Compressor(IntEnum):
    """How the blocks of a squashfs are packed."""

    GZIP = 1
    LZMA = 2
    LZO = 3
    XZ = 4
    LZ4 = 5
    ZSTD = 6


@dataclass(frozen=True, slots=True)
class Index:
    """A list of `count` offsets of metadata blocks, at byte `place` of the image."""

    place: int
    count: int


@dataclass(frozen=True, slots=True)
class Squashfs:
    """What the superblock at byte `offset` of an image says. `length` and `block` in bytes, places in the image.

    `options` are the compressor's, empty where they are the usual ones.
    """

    WIRE: ClassVar[struct.Struct] = struct.Struct("<4s4I6H8Q")

    offset: int
    length: int
    block: int
    compressor: Compressor
    inodes: int
    directories: int
    fragments: Index
    others: tuple[Index, ...]
    fragment_count: int
    options: bytes

    @property
    def end(self) -> int:
        """The first byte of the image behind it."""
        return self.offset + self.length


def find_squashfs(image: Source, offset: int, end: int) -> Squashfs | None:
    """The squashfs whose superblock is at `offset` of an image of `end` bytes, if there is one."""
    data = image.pread(offset, Squashfs.WIRE.size + 2 + OPTIONS_BYTES)
    if len(data) < Squashfs.WIRE.size:
        return None
    magic, inodes, _, block, fragments, kind, log, flags, ids, *rest = Squashfs.WIRE.unpack_from(data)
    major, minor, _, length, id_table, _, *tables = rest
    names_itself = magic == MAGIC and (major, minor) == VERSION and kind in set(Compressor)
    fits = log in BLOCK_LOGS and block == 1 << log and Squashfs.WIRE.size < length <= end - offset
    if not names_itself or not fits or not Squashfs.WIRE.size <= tables[0] < tables[1] <= length:
        return None
    indices = (
        _index(offset, tables[2], -(-fragments // FRAGMENTS_A_BLOCK)),
        _index(offset, tables[3], -(-inodes // EXPORTS_A_BLOCK)),
        _index(offset, id_table, -(-ids // IDS_A_BLOCK)),
    )
    options = data[Squashfs.WIRE.size + 2 :] if flags & HAS_OPTIONS else b""
    places = offset + tables[0], offset + tables[1]
    return Squashfs(offset, length, block, Compressor(kind), *places, indices[0], indices[1:], fragments, options)


def _index(offset: int, table: int, count: int) -> Index:
    return Index(offset + table, 0 if table == NO_TABLE else count)
