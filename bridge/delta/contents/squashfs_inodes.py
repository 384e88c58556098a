"""The inode table of a squashfs: where the blocks of its files are."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NO_FRAGMENT = (1 << 32) - 1
_KIND = struct.Struct("<H")
_FILE = struct.Struct("<16x4I")
_LONG_FILE = struct.Struct("<16x3Q4I")
_SYMLINK = struct.Struct("<20xI")
_LONG_DIRECTORY = struct.Struct("<32xH6x")
_NAME = struct.Struct("<8xI")
FILE, LONG_FILE, SYMLINK, LONG_DIRECTORY, LONG_SYMLINK = 2, 9, 3, 8, 10
_FIXED = {1: 32, 4: 24, 5: 24, 6: 20, 7: 20, 11: 28, 12: 28, 13: 24, 14: 24}
"""Bytes of the inodes without a variable part: directories, devices, pipes and sockets."""
_XATTR_BYTES = 4


@dataclass(frozen=True, slots=True)
class Extent:
    """Blocks one after the other from byte `start` of the squashfs on, each with its size word; 0 is a hole."""

    start: int
    sizes: Sequence[int]


def extents_of(table: bytes, block: int) -> Iterator[Extent]:
    """The blocks of each file; `block` is their size before packing, in bytes.

    Raises: ValueError, struct.error where the table is none.
    """
    at = 0
    while at < len(table):
        (kind,) = _KIND.unpack_from(table, at)
        if kind in (FILE, LONG_FILE):
            extent, at = _file(table, at, kind, block)
            yield extent
        else:
            at = _skip(table, at, kind)


def _file(table: bytes, at: int, kind: int, block: int) -> tuple[Extent, int]:
    if kind == FILE:
        start, fragment, _, length = _FILE.unpack_from(table, at)
        at += _FILE.size
    else:
        start, length, _, _, fragment, _, _ = _LONG_FILE.unpack_from(table, at)
        at += _LONG_FILE.size
    count = -(-length // block) if fragment == NO_FRAGMENT else length // block
    if count > (len(table) - at) // 4:
        raise ValueError(f"a file of {count} blocks at byte {at} of the inodes")
    return Extent(start, array("I", table[at : at + 4 * count])), at + 4 * count


def _skip(table: bytes, at: int, kind: int) -> int:
    """Where the next inode begins."""
    if kind in _FIXED:
        return at + _FIXED[kind]
    if kind in (SYMLINK, LONG_SYMLINK):
        (length,) = _SYMLINK.unpack_from(table, at)
        return at + _SYMLINK.size + int(length) + (_XATTR_BYTES if kind == LONG_SYMLINK else 0)
    if kind != LONG_DIRECTORY:
        raise ValueError(f"an inode of kind {kind} at byte {at}")
    (names,) = _LONG_DIRECTORY.unpack_from(table, at)
    at += _LONG_DIRECTORY.size
    for _ in range(names):
        (length,) = _NAME.unpack_from(table, at)
        at += _NAME.size + length + 1
    return at
