"""Groups of what is left of the new image: each is compared with its own window of the old one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bridge.delta.pieces import Column, Extents, Pieces, column


@dataclass(frozen=True, slots=True)
class Group:
    """Extents of the new image, and the shifts (old offset minus new) at which what is next to them was found."""

    extents: Extents
    shifts: Column


def groups_of(left: Extents, found: Pieces, size: int) -> Iterator[Group]:
    """`left` in groups of `size` bytes. `found`, in order, are the pieces that have a source."""
    if not len(left):
        return
    pieces = _cut(left, size)
    before = np.cumsum(pieces.end - pieces.start) - (pieces.end - pieces.start)
    edges = np.flatnonzero(np.diff(before // size, prepend=-1))
    for first, last in zip(edges.tolist(), [*edges[1:].tolist(), len(pieces)], strict=True):
        extents = pieces.slice(first, last)
        yield Group(extents, _shifts(extents, found))


def _cut(left: Extents, size: int) -> Extents:
    """`left` cut wherever a group is full."""
    lengths = left.end - left.start
    before = np.cumsum(lengths) - lengths
    parts = (before + lengths - 1) // size - before // size + 1
    index = np.repeat(np.arange(len(left)), parts)
    nth = np.arange(len(index)) - np.repeat(np.cumsum(parts) - parts, parts)
    full = (before[index] // size + nth) * size - before[index]
    start = left.start[index] + np.maximum(full, 0)
    end = left.start[index] + np.minimum(full + size, lengths[index])
    return Extents(start, end)


def _shifts(extents: Extents, found: Pieces) -> Column:
    """For each extent: none, that of the piece before it, that of the piece after."""
    if not len(found):
        return np.zeros((len(extents), 1), np.int64)
    shift = found.source - found.start
    after = np.searchsorted(found.start, extents.end, "left")
    last = len(found) - 1
    return np.stack(
        (column([0]).repeat(len(extents)), shift[np.maximum(after - 1, 0)], shift[np.minimum(after, last)]), axis=1
    )
