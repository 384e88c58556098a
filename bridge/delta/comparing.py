"""Compares one group with its windows, in several ways, and keeps what takes least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.delta.choosing import Way, cheapest, way_of
from bridge.delta.differencer import Differencer
from bridge.delta.extending import extended
from bridge.delta.image_file import ImageFile
from bridge.delta.moves import Images
from bridge.delta.pieces import Extents, Pieces
from bridge.delta.triples import all_new, placed, sourced, virtual_pieces

SENTINEL = bytes.fromhex("2f9d0a61c74be83584f21b6ed05c39a7")
"""Stands after each window: bsdiff is quadratic in a run that ends where its window does, and in no other."""
LEASTS = 24, 12
"""Bytes below which a match costs more to tell than its bytes: where those compress well, and where they do not."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The pieces of a group; `gave_up` tells how many comparisons killed their child."""

    pieces: Pieces
    gave_up: int = 0


def compare(
    target: Extents,
    windows: Sequence[Extents],
    images: Images,
    differencer: Differencer,
    stretches: Sequence[int] = (1,),
) -> Compared:
    """The extents `target` of the new image from `windows`, each compared at every one of `stretches`: of each part
    what takes least. All new if none can be compared."""
    data = read_extents(images.new, target)
    ways: list[Way] = []
    gave_up = 0
    for window in windows:
        base = read_extents(images.old, window)
        for stretch in stretches:
            triples = differencer.triples(base + SENTINEL, data, stretch)
            if triples is None:
                gave_up += 1
            else:
                virtual = _virtual(triples, base, data, stretch)
                ways += [way_of(sourced(pieces, window), pieces, base, data) for pieces in virtual]
    return Compared(placed(cheapest(ways), target) if ways else all_new(target), gave_up)


def _virtual(triples: bytes, base: bytes, data: bytes, stretch: int) -> list[Pieces]:
    """What bsdiff found, by each of `LEASTS`, and the last of them extended."""
    found = [virtual_pieces(triples, len(base), len(data), stretch, least) for least in LEASTS]
    return [*found, extended(found[-1], base, data)]


def read_extents(image: ImageFile, extents: Extents) -> bytes:
    """The bytes of `extents`, one after the other."""
    ranges = zip(extents.start.tolist(), extents.end.tolist(), strict=True)
    return b"".join(image.pread(start, end - start) for start, end in ranges)
