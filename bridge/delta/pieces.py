"""Columns that tell where the bytes of the new image come from: millions of pieces without an object for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.int64]
Row = tuple[int, int, int]
NEW = -1
"""The source of bytes that the old image does not have."""
ZERO = -2
"""The source of zero bytes."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """`length` bytes of the new image from `start` on are like the old ones at `source`, or that is NEW or ZERO."""

    start: Column
    length: Column
    source: Column

    def __len__(self) -> int:
        return len(self.start)

    def where(self, chosen: npt.NDArray[np.bool_] | Column) -> Pieces:
        """The `chosen` ones: a mask, or their indices."""
        return Pieces(self.start[chosen], self.length[chosen], self.source[chosen])

    def rows(self) -> list[Row]:
        """Start, length and source of each."""
        return list(zip(self.start.tolist(), self.length.tolist(), self.source.tolist(), strict=True))

    @property
    def end(self) -> Column:
        """Where each ends in the new image."""
        return self.start + self.length

    @property
    def total(self) -> int:
        """Bytes in all of them."""
        return int(self.length.sum())

    def in_order(self) -> Pieces:
        """The same by their place in the new image."""
        return self.where(np.argsort(self.start, kind="stable"))


def column(values: Sequence[int]) -> Column:
    """A column of `values`."""
    return np.array(values, dtype=np.int64)


def pieces_of(rows: Sequence[Row]) -> Pieces:
    """The pieces with this start, length and source each."""
    return Pieces(column([row[0] for row in rows]), column([row[1] for row in rows]), column([row[2] for row in rows]))


def joined(parts: Sequence[Pieces]) -> Pieces:
    """All pieces of all `parts`, one part after the other."""
    if not parts:
        return pieces_of(())
    return Pieces(
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.length for part in parts]),
        np.concatenate([part.source for part in parts]),
    )


def split(pieces: Pieces, keys: Column, borders: Column) -> Pieces:
    """`pieces` cut wherever `keys`, a coordinate that runs along each piece from its key on, meets one of `borders`.

    `borders` is sorted. Sources below 0 stay as they are.
    """
    low = np.searchsorted(borders, keys, "right")
    high = np.searchsorted(borders, keys + pieces.length, "left")
    parts = high - low + 1
    index = np.repeat(np.arange(len(pieces)), parts)
    number = np.arange(len(index)) - np.repeat(np.cumsum(parts) - parts, parts)
    cuts = np.concatenate((borders, column([0])))
    begin = np.where(number == 0, keys[index], cuts[low[index] + number - 1])
    end = np.where(
        number == parts[index] - 1, (keys + pieces.length)[index], cuts[np.minimum(low[index] + number, len(borders))]
    )
    ahead = begin - keys[index]
    source = pieces.source[index]
    return Pieces(pieces.start[index] + ahead, end - begin, np.where(source < 0, source, source + ahead))


def merged(pieces: Pieces) -> Pieces:
    """`pieces`, in order, with neighbours that go on in the same way made one."""
    if len(pieces) < 2:  # noqa: PLR2004 - a neighbour
        return pieces
    kind = np.minimum(pieces.source, 0)
    goes_on = pieces.start[1:] == pieces.end[:-1]
    goes_on &= kind[1:] == kind[:-1]
    goes_on &= (kind[1:] < 0) | (pieces.source[1:] == pieces.source[:-1] + pieces.length[:-1])
    first = np.flatnonzero(np.concatenate((np.array([True]), ~goes_on)))
    return Pieces(pieces.start[first], np.add.reduceat(pieces.length, first), pieces.source[first])


@dataclass(frozen=True, slots=True)
class Extents:
    """Ranges of an image, sorted, disjoint, none empty: from `start` to `end`."""

    start: Column
    end: Column

    def __len__(self) -> int:
        return len(self.start)

    @property
    def total(self) -> int:
        """Bytes in all of them."""
        return int((self.end - self.start).sum())

    def slice(self, first: int, last: int) -> Extents:
        """Those from index `first` to before `last`."""
        return Extents(self.start[first:last], self.end[first:last])


def extents_of(mask: npt.NDArray[np.bool_], size: int) -> Extents:
    """Where blocks of `size` bytes are marked in `mask`."""
    edges = np.flatnonzero(np.diff(np.concatenate((np.zeros(1, bool), mask, np.zeros(1, bool))).astype(np.int8)))
    return Extents(edges[::2].astype(np.int64) * size, edges[1::2].astype(np.int64) * size)


def united(start: Column, end: Column, gap: int = 0) -> Extents:
    """The bytes that any of these ranges has, and those between two that are at most `gap` apart."""
    some = end > start
    start, end = start[some], end[some]
    if not len(start):
        return Extents(start, end)
    order = np.argsort(start, kind="stable")
    start, reach = start[order], np.maximum.accumulate(end[order])
    first = np.flatnonzero(np.concatenate((np.array([True]), start[1:] > reach[:-1] + gap)))
    return Extents(start[first], reach[np.concatenate((first[1:] - 1, column([len(start) - 1])))])


def gaps(taken: Pieces, length: int) -> Extents:
    """What of `length` bytes the pieces `taken`, sorted and disjoint, leave."""
    start = np.concatenate((column([0]), taken.end))
    end = np.concatenate((taken.start, column([length])))
    left = end > start
    return Extents(start[left], end[left])
