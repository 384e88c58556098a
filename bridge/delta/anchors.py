"""Content anchors: places that their own 16 bytes pick out, so that equal content is found wherever it moved.

Which places are picked depends on nothing but those bytes: in two images the same content has the same anchors, at any
shift. One in 2 ** `shift` places is an anchor; none is where 8 bytes repeat,
as in a run of zero bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bridge.delta.image_file import READ_BYTES, ImageFile
from bridge.delta.pieces import Column, Extents
from bridge.delta.survey import Hashes

ANCHOR_BYTES = 16
FINEST, COARSEST = 6, 20
INDEX_ANCHORS = 1 << 23
"""In an index, about: 128 MiB of it."""
POPULAR = 4
"""An anchor in more places than this tells nothing."""
FIRST, SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


@dataclass(frozen=True, slots=True)
class Anchors:
    """Hash and offset of each anchor."""

    hashes: Hashes
    offsets: Column


@dataclass(frozen=True, slots=True)
class Matches:
    """Pairs of anchors with equal hashes: offset in the new image, offset in the old one, and the new anchor's number
    among those that are not popular, found or not: it tells whether an anchor lies between two others."""

    new: Column
    old: Column
    number: Column

    def where(self, chosen: npt.NDArray[np.bool_] | Column) -> Matches:
        """The `chosen` ones: a mask, or their indices."""
        return Matches(self.new[chosen], self.old[chosen], self.number[chosen])


def shift_for(length: int) -> int:
    """How sparse anchors must be so that `length` bytes give an index of bounded size."""
    return min(COARSEST, max(FINEST, (length // INDEX_ANCHORS).bit_length()))


def sample(image: ImageFile, extents: Extents, shift: int) -> Anchors:
    """The anchors of `extents` of `image`, in order."""
    parts = [_anchors(data, at, shift) for data, at in _pieces(image, extents)]
    none = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    hashes, offsets = zip(none, *parts, strict=True)
    return Anchors(np.concatenate(hashes), np.concatenate(offsets))


def _pieces(image: ImageFile, extents: Extents) -> Iterator[tuple[bytes, int]]:
    for start, end in zip(extents.start.tolist(), extents.end.tolist(), strict=True):
        for at in range(start, end, READ_BYTES):
            yield image.pread(at, min(READ_BYTES + ANCHOR_BYTES - 1, end - at)), at


def _anchors(data: bytes, base: int, shift: int) -> tuple[Hashes, Column]:
    """Of each of the 8 alignments in turn, then sorted by offset."""
    found = [_aligned(data, phase, shift) for phase in range(8)]
    hashes = np.concatenate([item[0] for item in found])
    offsets = np.concatenate([item[1] for item in found])
    order = np.argsort(offsets, kind="stable")
    return hashes[order], offsets[order] + base


def _aligned(data: bytes, phase: int, shift: int) -> tuple[Hashes, Column]:
    count = (len(data) - phase) // 8
    if count < 2:  # noqa: PLR2004 - words of an anchor
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    words = np.frombuffer(data, "<u8", count, phase)
    hashes = words[:-1] * FIRST
    hashes ^= hashes >> np.uint64(29)
    hashes += words[1:] * SECOND
    hashes ^= hashes >> np.uint64(32)
    hashes *= FIRST
    index = np.flatnonzero(hashes < np.uint64(1 << (64 - shift)))
    index = index[words[index] != words[index + 1]]
    return hashes[index], index * 8 + phase


class AnchorIndex:
    """The anchors of the old image by their hash."""

    def __init__(self, anchors: Anchors) -> None:
        order = np.argsort(anchors.hashes, kind="stable")
        self._hashes = anchors.hashes[order]
        self._offsets = anchors.offsets[order]

    def matches(self, new: Anchors) -> Matches:
        """Each of `new` with each of its places in the old image, unless it has more than POPULAR. Sorted by the
        offset in the new image, then in the old one."""
        low = np.searchsorted(self._hashes, new.hashes, "left")
        count = np.searchsorted(self._hashes, new.hashes, "right") - low
        telling = np.flatnonzero(count <= POPULAR)
        low, count = low[telling], count[telling]
        index = np.repeat(np.arange(len(telling)), count)
        nth = np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)
        return Matches(new.offsets[telling[index]], self._offsets[low[index] + nth], index)
