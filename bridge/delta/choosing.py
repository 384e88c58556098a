"""Of several ways to make the bytes of a group, takes the cheapest for each part of it.

bsdiff stays with an alignment while another one is no more than some bytes better. How many are right depends on the
content, and changes within an image: few in tables of small records, more in code.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bridge.delta.pieces import NEW, Column, Pieces, column, joined, split

PART_BYTES = 16 << 10
"""The last part of a group has up to half of that more, or less: few bytes alone would cost more than what goes on into
them."""
FILTERS = ({"id": lzma.FILTER_LZMA1, "preset": 1, "dict_size": 1 << 16},)
"""Quick, and near enough to what the streams will take."""


@dataclass(frozen=True, slots=True)
class Way:
    """`pieces` make a group's bytes, put one after the other, from the old image.

    `coded`: for each byte, what a payload tells of it: its difference to the old one, or where there is none itself;
    `is_new` marks those.
    """

    pieces: Pieces
    coded: npt.NDArray[np.uint8]
    is_new: npt.NDArray[np.bool_]


def way_of(sourced: Pieces, virtual: Pieces, base: bytes, data: bytes) -> Way:
    """The way to make `data` by `virtual` pieces of the window `base`; `sourced` are the same of the old image."""
    old, coded = np.frombuffer(base, np.uint8), np.frombuffer(data, np.uint8).copy()
    is_new = np.zeros(len(coded), bool)
    for start, length, source in virtual.rows():
        if source == NEW:
            is_new[start : start + length] = True
        else:
            coded[start : start + length] -= old[source : source + length]
    return Way(sourced, coded, is_new)


def cheapest(ways: Sequence[Way]) -> Pieces:
    """Of each part the pieces of the way that takes least there, the first of equals."""
    if len(ways) == 1:
        return ways[0].pieces
    columns = [list(_parts(way)) for way in ways]
    return joined([_cheapest(candidates) for candidates in zip(*columns, strict=True)])


def _parts(way: Way) -> Iterator[Way]:
    count = max(1, round(len(way.coded) / PART_BYTES))
    borders = np.append(np.arange(count) * PART_BYTES, len(way.coded))
    pieces = split(way.pieces, way.pieces.start, borders[1:-1])
    first: list[int] = np.searchsorted(pieces.start, borders).tolist()
    for number, (start, end) in enumerate(zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)):
        some = pieces.where(np.arange(first[number], first[number + 1]))
        yield Way(some, way.coded[start:end], way.is_new[start:end])


def _cheapest(parts: Sequence[Way]) -> Pieces:
    if all(_tells_same(part, parts[0]) for part in parts[1:]):
        return min((part.pieces for part in parts), key=len)
    return min(parts, key=_size).pieces


def _tells_same(part: Way, other: Way) -> bool:
    return np.array_equal(part.coded, other.coded) and np.array_equal(part.is_new, other.is_new)


def _size(part: Way) -> int:
    """About what it takes in a payload, in bytes."""
    streams = _told(part.pieces), part.coded[~part.is_new].tobytes(), part.coded[part.is_new].tobytes()
    return sum(len(lzma.compress(stream, lzma.FORMAT_RAW, filters=FILTERS)) for stream in streams if stream)


def _told(pieces: Pieces) -> bytes:
    """What a control stream tells of them; new bytes have no source there."""
    is_old = pieces.source != NEW
    shifts: Column = np.diff((pieces.source - pieces.start)[is_old], prepend=column([0]))
    return pieces.length.tobytes() + shifts.tobytes()
