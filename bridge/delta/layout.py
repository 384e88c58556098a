"""First half of the maker: what is zero, identical or moved, and groups of the rest with all that windows need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bridge.delta.anchors import AnchorIndex, sample, shift_for
from bridge.delta.effort import Trial
from bridge.delta.groups import Group, groups_of
from bridge.delta.identical import identical_pieces, verified, zero_pieces
from bridge.delta.moves import Images, exact_moves
from bridge.delta.pieces import NEW, Extents, Pieces, extents_of, gaps, joined
from bridge.delta.progress import Cancelled, Progress, require_wanted
from bridge.delta.steps import BLOCK_BYTES
from bridge.delta.survey import Survey, survey
from bridge.delta.windows import Windows, telling_extents


@dataclass(frozen=True, slots=True)
class Layout:
    """`known` pieces, in order; `groups` of the rest, each with its windows, one a plan."""

    known: Pieces
    groups: Sequence[tuple[Group, tuple[Extents, ...]]]


@dataclass(frozen=True, slots=True)
class Surveys:
    """Of both images."""

    old: Survey
    new: Survey


def survey_both(images: Images, advance: Callable[[int], None] | None, cancelled: Cancelled) -> Surveys:
    """Read both images, telling `advance` each number of bytes read. Raises: UsageError, MakingCancelled."""

    def tell(count: int) -> None:
        if advance:
            advance(count)
        require_wanted(cancelled)

    return Surveys(survey(images.old, tell), survey(images.new, tell))


def lay_out(images: Images, surveys: Surveys, trial: Trial, progress: Progress, cancelled: Cancelled) -> Layout:
    """Match all of the new image that can be matched exactly, and choose windows for the rest."""
    progress.begin("match", 4)
    known = _blocks(images, surveys)
    _advance(progress, cancelled)
    left = gaps(known, surveys.new.image.length)
    old_extents = telling_extents(surveys.old)
    shift = shift_for(old_extents.total)
    index = AnchorIndex(sample(images.old, old_extents, shift))
    _advance(progress, cancelled)
    matches = index.matches(sample(images.new, left, shift))
    del index
    moves = exact_moves(matches, left, images, trial.least_move, trial.margin)
    known = joined([known, moves]).in_order()
    _advance(progress, cancelled)
    groups = _windowed(gaps(known, surveys.new.image.length), known, Windows(surveys.old, matches, shift), trial)
    _advance(progress, cancelled)
    return Layout(known, groups)


def _advance(progress: Progress, cancelled: Cancelled) -> None:
    progress.advance(1)
    require_wanted(cancelled)


def _blocks(images: Images, surveys: Surveys) -> Pieces:
    """Zero blocks, identical ones, and monotonous ones that the old image does not have: those are new bytes, which
    compress to nothing."""
    same = verified(identical_pieces(surveys.old, surveys.new), images.old, images.new)
    dull = surveys.new.monotonous & ~surveys.new.zero
    for start, length, _ in same.rows():
        dull[start // BLOCK_BYTES : (start + length) // BLOCK_BYTES] = False
    found = extents_of(dull, BLOCK_BYTES)
    news = Pieces(found.start, found.end - found.start, np.full(len(found), NEW))
    return joined([zero_pieces(surveys.new), same, news]).in_order()


def _windowed(left: Extents, known: Pieces, windows: Windows, trial: Trial) -> list[tuple[Group, tuple[Extents, ...]]]:
    found = known.where(known.source >= 0)
    whole = windows.whole() if windows.length <= trial.small else None
    return [
        (group, (whole,) if whole else _distinct([windows.window(group, plan) for plan in trial.plans]))
        for group in groups_of(left, found, trial.group)
    ]


def _distinct(windows: list[Extents]) -> tuple[Extents, ...]:
    """Plans may come to the same window."""
    seen = {(window.start.tobytes(), window.end.tobytes()): window for window in windows}
    return tuple(seen.values())
