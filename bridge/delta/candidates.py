"""Ways to make a small image, of which the smallest is taken: trying is cheap there. A large one has one way."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.delta.coding import Prefix
from bridge.delta.comparison import Workshop
from bridge.delta.effort import Trial
from bridge.delta.image_file import ImageFile
from bridge.delta.layout import Surveys, lay_out
from bridge.delta.pieces import Extents, Pieces, column, joined, merged
from bridge.delta.triples import all_new

MEBIBYTE = 1 << 20
PREFIX_BYTES = 8 * MEBIBYTE
"""Old images up to this serve the extra stream as a dictionary."""
TRIED_BYTES = MEBIBYTE
"""New images up to this are also tried without any comparing, and more closely."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Pieces that make the new image whole, and old bytes to code the extra stream against."""

    pieces: Pieces
    prefix: Prefix | None = None


def candidates_of(surveys: Surveys, trial: Trial, shop: Workshop, old: ImageFile) -> tuple[list[Candidate], int]:
    """The candidates, at least one, and how many comparisons killed their child. `old` is the real image."""
    layout = lay_out(shop.images, surveys, trial, shop.progress, shop.cancelled)
    compared = shop.compare_all(layout.groups)
    pieces = merged(joined([layout.known, compared.pieces]).in_order())
    if old.length > PREFIX_BYTES:
        return [Candidate(pieces)], compared.gave_up
    prefix = Prefix(0, old.pread(0, old.length))
    candidates = [Candidate(pieces, prefix)]
    if surveys.new.image.length <= TRIED_BYTES and trial.tries:
        whole = all_new(Extents(column([0]), column([surveys.new.image.length])))
        candidates.append(Candidate(whole, prefix))
    return candidates, compared.gave_up
