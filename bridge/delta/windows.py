"""Chooses what of the old image a group of the new one is compared with: where its anchors vote, and its neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.delta.anchors import FINEST, Matches
from bridge.delta.groups import Group
from bridge.delta.pieces import Column, Extents, column, extents_of, united
from bridge.delta.steps import BLOCK_BYTES
from bridge.delta.survey import Mask, Survey

BIN_BYTES = 16 << 10
"""Anchors vote for bins of the old image; half a bin before and after it comes along."""
GAP = 16 << 10
"""What lies between two parts of a window comes along if it is no more than this."""
BESIDE = 8 << 10
"""Bytes taken before and after the place that an extent's neighbours point to."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to choose: bins with at least `votes`, fewer where anchors are sparse, until the window has `size` bytes."""

    votes: int
    size: int


class Windows:
    """Chooses windows of the old image, of which blocks that say nothing, or the same as a block before, are left out
    in every window: they cost time, and bsdiff is quadratic in them."""

    def __init__(self, old: Survey, matches: Matches, shift: int = FINEST) -> None:
        self.length = old.image.length
        self._matches = matches
        self._hashes = old.hashes
        self._dull = old.monotonous
        self._sparse = shift - FINEST

    def window(self, group: Group, plan: Plan) -> Extents:
        """The window of `group` by `plan`: sorted extents of the old image."""
        near = self._near(group)
        voted = self._voted(group, plan, near.total)
        start = np.concatenate((near.start, voted * BIN_BYTES - BIN_BYTES // 2))
        end = np.concatenate((near.end, voted * BIN_BYTES + BIN_BYTES * 3 // 2))
        chosen = united(start.clip(0, self.length), end.clip(0, self.length), GAP)
        return self._telling(chosen)

    def whole(self) -> Extents:
        """All of the old image as a window."""
        return self._telling(Extents(column([0]), column([self.length])))

    def _near(self, group: Group) -> Extents:
        start = (group.extents.start[:, None] + group.shifts - BESIDE).ravel()
        end = (group.extents.end[:, None] + group.shifts + BESIDE).ravel()
        return united(start.clip(0, self.length), end.clip(0, self.length))

    def _voted(self, group: Group, plan: Plan, taken: int) -> Column:
        """Bins by their votes, as many as there is room for."""
        first = np.searchsorted(self._matches.new, group.extents.start, "left")
        last = np.searchsorted(self._matches.new, group.extents.end, "left")
        ranges = [self._matches.old[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True) if a < b]
        if not ranges:
            return column([])
        bins, votes = np.unique(np.concatenate(ranges) // BIN_BYTES, return_counts=True)
        order = np.argsort(-votes, kind="stable")
        order = order[votes[order] >= max(1, plan.votes >> self._sparse)]
        return bins[order[: max(0, plan.size - taken) // BIN_BYTES + 1]]

    def _telling(self, chosen: Extents) -> Extents:
        """`chosen` without blocks that are monotonous or occur earlier in it."""
        first, last = -(-chosen.start // BLOCK_BYTES), np.minimum(chosen.end // BLOCK_BYTES, len(self._hashes))
        whole = [np.arange(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True) if a < b]
        if not whole:
            return chosen
        blocks = np.concatenate(whole)
        keep = np.zeros(len(blocks), bool)
        keep[np.unique(self._hashes[blocks], return_index=True)[1]] = True
        drop = blocks[~keep | self._dull[blocks]]
        return _without(chosen, drop)


def _without(chosen: Extents, drop: Column) -> Extents:
    """`chosen` without these blocks, each of which lies in one of its extents."""
    start = np.concatenate((chosen.start, (drop + 1) * BLOCK_BYTES))
    end = np.concatenate((drop * BLOCK_BYTES, chosen.end))
    start, end = np.sort(start), np.sort(end)
    some = end > start
    return united(start[some], end[some])


def telling_extents(image: Survey) -> Extents:
    """What of an image is worth anchors: all but monotonous blocks and repetitions of earlier ones; its end that is no
    whole block too."""
    first: Mask = np.zeros(len(image.hashes), bool)
    first[np.unique(image.hashes, return_index=True)[1]] = True
    blocks = extents_of(first & ~image.monotonous, BLOCK_BYTES)
    rest = len(image.hashes) * BLOCK_BYTES
    return united(np.append(blocks.start, rest), np.append(blocks.end, image.image.length))
