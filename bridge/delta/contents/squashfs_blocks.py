"""Where the packed blocks of a squashfs are: its inodes and tables say it. Bounded, whatever they say."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bridge.delta.contents.squashfs import Index, Squashfs
from bridge.delta.contents.squashfs_inodes import Extent, extents_of
from bridge.release.delta.errors import MalformedPayload
from bridge.release.delta.spans import Source

METADATA_BYTES = 8192
"""Of a metadata block, unpacked."""
PLAIN_METADATA = 1 << 15
"""Set in the size of a metadata block that is stored as it is."""
PLAIN_BLOCK = 1 << 24
"""Set in the size of another block that is stored as it is."""
MAX_TABLE = 256 << 20
"""Bytes of a table, unpacked: some eight million files."""
MAX_BLOCKS = 1 << 21
SIZE_BYTES = 2
"""Of the head of a metadata block."""
_FRAGMENT = struct.Struct("<QII")

Unpack = Callable[[bytes], bytes]
"""One metadata block. Raises: MalformedPayload where it is none."""
Block = tuple[int, int, int]
"""Offset in the image, bytes as stored, and the most that it unpacks to."""


class Damaged(ValueError):
    """Not a squashfs after all, or a broken one."""


@dataclass(slots=True)
class _Table:
    """What metadata blocks unpack to, and those of them that are packed."""

    data: bytearray = field(default_factory=bytearray)
    blocks: list[Block] = field(default_factory=list)


def packed_blocks(image: Source, found: Squashfs, unpack: Unpack) -> list[Block]:
    """Its packed blocks of data, fragments and metadata, in order, none over another. Raises: Damaged."""
    known: set[Block] = set()
    try:
        for block in _Reader(image, found, unpack).blocks():
            known.add(block)
            if len(known) > MAX_BLOCKS:
                raise Damaged(f"more than {MAX_BLOCKS} blocks")
    except (struct.error, ValueError, MalformedPayload) as error:
        raise Damaged(f"the squashfs at byte {found.offset} contradicts itself: {error}") from error
    return list(_disjoint(sorted(known)))


def _disjoint(blocks: list[Block]) -> Iterator[Block]:
    end = 0
    for block in blocks:
        if block[0] >= end:
            yield block
            end = block[0] + block[1]


class _Reader:
    def __init__(self, image: Source, found: Squashfs, unpack: Unpack) -> None:
        self._image = image
        self._found = found
        self._unpack = unpack

    def blocks(self) -> Iterator[Block]:
        """Each packed block, in no order, some more than once."""
        found = self._found
        inodes = self._walk(found.inodes, found.directories)
        places = [self._places(index) for index in (found.fragments, *found.others)]
        directories = self._walk(found.directories, min(place for row in places for place in row))
        fragments, *others = (self._named(row) for row in places)
        for table in (inodes, directories, fragments, *others):
            yield from table.blocks
        yield from self._fragments(fragments.data)
        for extent in extents_of(bytes(inodes.data), found.block):
            yield from self._data(extent)

    def _read(self, offset: int, length: int) -> bytes:
        if not self._found.offset <= offset <= offset + length <= self._found.end:
            raise Damaged(f"{length} bytes at {offset} lie outside")
        data = self._image.pread(offset, length)
        if len(data) != length:
            raise Damaged(f"the image ends before byte {offset + length}")
        return data

    def _walk(self, place: int, end: int) -> _Table:
        """Metadata blocks one after the other."""
        table = _Table()
        while place < end:
            place = self._metadata(place, table)
        return table

    def _named(self, places: array[int]) -> _Table:
        table = _Table()
        for place in places:
            self._metadata(place, table)
        return table

    def _places(self, index: Index) -> array[int]:
        """Of its metadata blocks."""
        if not index.count:
            return array("Q")
        places = array("Q", self._read(index.place, 8 * index.count))
        return array("Q", (self._found.offset + place for place in places if place < self._found.length))

    def _metadata(self, place: int, table: _Table) -> int:
        """Take in the metadata block at `place`; where the next one is."""
        size = int.from_bytes(self._read(place, SIZE_BYTES), "little")
        length = size & ~PLAIN_METADATA
        if not 0 < length <= METADATA_BYTES or len(table.data) > MAX_TABLE:
            raise Damaged(f"a metadata block of {length} bytes at {place}")
        data = self._read(place + SIZE_BYTES, length)
        if not size & PLAIN_METADATA:
            data = self._unpack(data)
            table.blocks.append((place + SIZE_BYTES, length, METADATA_BYTES))
        table.data += data
        return place + SIZE_BYTES + length

    def _fragments(self, table: bytearray) -> Iterator[Block]:
        count = min(self._found.fragment_count, len(table) // _FRAGMENT.size)
        for start, size, _ in _FRAGMENT.iter_unpack(table[: count * _FRAGMENT.size]):
            yield from self._data(Extent(start, (size,)))

    def _data(self, extent: Extent) -> Iterator[Block]:
        """The packed ones of blocks one after the other."""
        at = self._found.offset + extent.start
        for size in extent.sizes:
            length = size & ~PLAIN_BLOCK
            if length > self._found.block or at + length > self._found.end:
                raise Damaged(f"a block of {length} bytes at {at}")
            if length and not size & PLAIN_BLOCK:
                yield at, length, self._found.block
            at += length
