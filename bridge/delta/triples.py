"""From bsdiff's triples, which speak of a window and a group, to pieces, which speak of the images."""

from __future__ import annotations

import numpy as np

from bridge.delta.pieces import NEW, Column, Extents, Pieces, column, joined, merged, split

TRIPLE = 3
LEAST = 24


def virtual_pieces(triples: bytes, window: int, target: int, stretch: int = 1, least: int = LEAST) -> Pieces:
    """The pieces of a target of `target` bytes, with sources inside a window of `window` bytes, or NEW.

    The triples speak of both stretched so many times. Matches of less than `least` bytes are left out.

    Raises: ValueError where the triples make another number of bytes.
    """
    table = _numbers(triples).reshape(-1, TRIPLE)
    added, new, seek = table[:, 0], table[:, 1], table[:, 2]
    start = np.cumsum(added + new) - (added + new)
    source = np.cumsum(added + seek) - (added + seek)
    if int((added + new).sum()) != target * stretch:
        raise ValueError(f"bsdiff's triples make {int((added + new).sum())} bytes of {target * stretch}")
    first, end = -(-start // stretch), (start + added) // stretch
    length, shift = end - first, source - start
    origin = first + shift // stretch
    good = (length >= least) & (shift % stretch == 0) & (origin >= 0) & (origin + length <= window)
    return filled(Pieces(first[good], length[good], origin[good]), target)


def _numbers(triples: bytes) -> Column:
    """bsdiff's integers: sign and magnitude."""
    raw = np.frombuffer(triples, "<u8")
    magnitude = (raw & np.uint64((1 << 63) - 1)).astype(np.int64)
    return np.where(raw >> np.uint64(63), -magnitude, magnitude)


def filled(matches: Pieces, length: int) -> Pieces:
    """`matches`, in order and disjoint, and NEW wherever they leave some of `length` bytes."""
    start = np.concatenate((column([0]), matches.end))
    end = np.concatenate((matches.start, column([length])))
    some = end > start
    news = Pieces(start[some], (end - start)[some], np.full(int(some.sum()), NEW))
    return joined([matches, news]).in_order()


def sourced(virtual: Pieces, window: Extents) -> Pieces:
    """`virtual` pieces with sources in the old image, given the extents that the window was put together from."""
    lengths = window.end - window.start
    borders = np.cumsum(lengths) - lengths
    pieces = split(virtual, np.where(virtual.source < 0, window.total, virtual.source), borders)
    home = np.searchsorted(borders, pieces.source, "right") - 1
    old = pieces.source >= 0
    source = pieces.source.copy()
    source[old] += (window.start - borders)[home[old]]
    return Pieces(pieces.start, pieces.length, source)


def placed(pieces: Pieces, target: Extents) -> Pieces:
    """`pieces` with places in the new image, given the extents that the target was put together from."""
    lengths = target.end - target.start
    borders = np.cumsum(lengths) - lengths
    pieces = split(pieces, pieces.start, borders)
    home = np.searchsorted(borders, pieces.start, "right") - 1
    return merged(Pieces(pieces.start + (target.start - borders)[home], pieces.length, pieces.source))


def all_new(target: Extents) -> Pieces:
    """Nothing of `target` is old."""
    return Pieces(target.start, target.end - target.start, np.full(len(target), NEW))
