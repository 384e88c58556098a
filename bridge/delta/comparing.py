"""Compares one group with its windows, and keeps the smallest result."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.delta.differencer import Difference, Differencer
from bridge.delta.image_file import ImageFile
from bridge.delta.moves import Images
from bridge.delta.pieces import Extents, Pieces
from bridge.delta.triples import actual_pieces, all_new, virtual_pieces

SENTINEL = bytes.fromhex("2f9d0a61c74be83584f21b6ed05c39a7")
"""Stands after each window: bsdiff is quadratic in a run that ends where its window does, and in no other."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The pieces of a group; `gave_up` tells how many comparisons killed their child."""

    pieces: Pieces
    gave_up: int = 0


def compare(target: Extents, windows: Sequence[Extents], images: Images, differencer: Differencer) -> Compared:
    """The extents `target` of the new image from whichever of `windows` gives the least; all new if none can."""
    data = read_extents(images.new, target)
    best: tuple[int, Pieces] | None = None
    gave_up = 0
    for window in windows:
        found = differencer.difference(read_extents(images.old, window) + SENTINEL, data)
        if found is None:
            gave_up += 1
            continue
        size = _size(found) if len(windows) > 1 else 0
        if best is None or size < best[0]:
            virtual = virtual_pieces(found.triples, window.total, len(data))
            best = size, actual_pieces(virtual, window, target)
    return Compared(best[1] if best else all_new(target), gave_up)


def read_extents(image: ImageFile, extents: Extents) -> bytes:
    """The bytes of `extents`, one after the other."""
    ranges = zip(extents.start.tolist(), extents.end.tolist(), strict=True)
    return b"".join(image.pread(start, end - start) for start, end in ranges)


def _size(found: Difference) -> int:
    """About what it takes in a payload, in bytes."""
    parts = len(zlib.compress(found.triples, 6)), len(zlib.compress(found.diff, 6))
    return sum(parts) + len(lzma.compress(found.extra, preset=1))
