"""Ways to make a small image, of which the smallest is taken: trying is cheap there. A large one has one way."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bridge.delta.coding import Prefix
from bridge.delta.comparison import Workshop
from bridge.delta.cutting import Limits
from bridge.delta.effort import Trial
from bridge.delta.image_file import ImageFile
from bridge.delta.layout import Surveys, lay_out
from bridge.delta.pieces import Extents, Pieces, column, joined, merged
from bridge.delta.triples import all_new

MEBIBYTE = 1 << 20
PREFIX_BYTES = 8 * MEBIBYTE
"""Old images up to this serve the extra stream as a dictionary."""
TRIED_BYTES = MEBIBYTE
"""New images up to this are also tried without any comparing."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How differences are cut: `gap` and `align` of `Limits`."""

    gap: int
    align: int


USUAL = Shape(512, 8)
SHAPES = USUAL, Shape(512, 1), Shape(48, 1)
"""Data without any alignment wants none; what has few and far differences wants them apart."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Pieces that make the new image whole, old bytes to code the extra stream against, and how to cut."""

    pieces: Pieces
    prefix: Prefix | None = None
    shape: Shape = USUAL

    def limits(self, limits: Limits) -> Limits:
        """`limits` with this shape."""
        return replace(limits, gap=self.shape.gap, align=self.shape.align)


def candidates_of(surveys: Surveys, trial: Trial, shop: Workshop, old: ImageFile) -> tuple[list[Candidate], int]:
    """The candidates, at least one, and how many comparisons killed their child. `old` is the real image."""
    layout = lay_out(shop.images, surveys, trial, shop.progress, shop.cancelled)
    compared = shop.compare_all(layout.groups)
    pieces = merged(joined([layout.known, compared.pieces]).in_order())
    if old.length > PREFIX_BYTES:
        return [Candidate(pieces)], compared.gave_up
    prefix = Prefix(0, old.pread(0, old.length))
    is_small = surveys.new.image.length <= PREFIX_BYTES and trial.tries
    candidates = [Candidate(pieces, prefix, shape) for shape in (SHAPES if is_small else (USUAL,))]
    if surveys.new.image.length <= TRIED_BYTES and trial.tries:
        whole = all_new(Extents(column([0]), column([surveys.new.image.length])))
        candidates.append(Candidate(whole, prefix))
    return candidates, compared.gave_up
