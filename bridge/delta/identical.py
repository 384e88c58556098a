"""Blocks of the new image that the old one has: at the same offset, going on from the block before, or anywhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.delta.image_file import READ_BYTES, ImageFile
from bridge.delta.pieces import ZERO, Column, Pieces, Row, extents_of, merged, pieces_of
from bridge.delta.steps import BLOCK_BYTES
from bridge.delta.survey import Hashes, Survey

NOWHERE = -1


def zero_pieces(new: Survey) -> Pieces:
    """The zero blocks of the new image."""
    found = extents_of(new.zero, BLOCK_BYTES)
    return Pieces(found.start, found.end - found.start, np.full(len(found), ZERO))


def identical_pieces(old: Survey, new: Survey) -> Pieces:
    """Where the new image has blocks with the hashes of old ones. In order; zero blocks are not among them."""
    where = _sources(old.hashes, new)
    at = np.flatnonzero(where != NOWHERE)
    pieces = Pieces(at * BLOCK_BYTES, np.full(len(at), BLOCK_BYTES), where[at] * BLOCK_BYTES)
    return merged(pieces)


def _sources(old: Hashes, new: Survey) -> Column:
    where = np.full(len(new.hashes), NOWHERE)
    shared = min(len(old), len(where))
    same = np.flatnonzero((new.hashes[:shared] == old[:shared]) & ~new.zero[:shared])
    where[same] = same
    wanted = np.flatnonzero((where == NOWHERE) & ~new.zero)
    order = np.argsort(old, kind="stable")
    place = np.searchsorted(old, new.hashes[wanted], sorter=order)
    found = np.flatnonzero(place < len(old))
    found = found[old[order[place[found]]] == new.hashes[wanted[found]]]
    where[wanted[found]] = order[place[found]]
    _go_on(where, wanted[found], old, new.hashes, 1)
    _go_on(where, wanted[found][::-1], old, new.hashes, -1)
    return where


def _go_on(where: Column, blocks: Column, old: Hashes, new: Hashes, step: int) -> None:
    """Let each of `blocks` follow its neighbour's source, where that is as good: fewer, longer pieces."""
    for block in blocks.tolist():
        neighbour = block - step
        if not 0 <= neighbour < len(where) or where[neighbour] == NOWHERE:
            continue
        source = where[neighbour] + step
        if 0 <= source < len(old) and old[source] == new[block]:
            where[block] = source


def verified(pieces: Pieces, old: ImageFile, new: ImageFile) -> Pieces:
    """Those parts of `pieces`, whole blocks, whose bytes are indeed equal."""
    rows = [part for row in pieces.rows() for part in _equal_parts(*row, old, new)]
    return merged(pieces_of(rows))


def _equal_parts(start: int, length: int, source: int, old: ImageFile, new: ImageFile) -> Iterator[Row]:
    for at in range(0, length, READ_BYTES):
        count = min(READ_BYTES, length - at)
        ours, theirs = new.pread(start + at, count), old.pread(source + at, count)
        if ours == theirs:
            yield start + at, count, source + at
        else:
            yield from _equal_blocks(start + at, source + at, ours, theirs)


def _equal_blocks(start: int, source: int, ours: bytes, theirs: bytes) -> Iterator[Row]:
    for at in range(0, len(ours), BLOCK_BYTES):
        if ours[at : at + BLOCK_BYTES] == theirs[at : at + BLOCK_BYTES]:
            yield start + at, BLOCK_BYTES, source + at
