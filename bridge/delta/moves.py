"""Long ranges of the new image that the old one has at any offset, byte by byte: content that moved as it is.

Compressed content moves so, at every alignment. Anchors that agree one after the other tell where to look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bridge.delta.anchors import ANCHOR_BYTES, Matches
from bridge.delta.image_file import READ_BYTES, ImageFile
from bridge.delta.pieces import Extents, Pieces, Row, pieces_of

SKIP = 64
"""Bytes after a difference until equal ones are sought again, forward and back."""
STRIDE = 256
"""What is compared first when a range is extended; then twice as much, and so on."""


@dataclass(frozen=True, slots=True)
class Images:
    """Both images."""

    old: ImageFile
    new: ImageFile

    def agree(self, new: int, old: int, length: int) -> int:
        """How many of `length` bytes from `new` on are as those from `old` on."""
        done, stride = 0, STRIDE
        while done < length:
            count = min(stride, length - done)
            same = _prefix(self.new.pread(new + done, count), self.old.pread(old + done, count))
            done += same
            if same < count:
                break
            stride = min(stride * 2, READ_BYTES)
        return done

    def agree_back(self, new: int, old: int, length: int) -> int:
        """How many of `length` bytes before `new` are as those before `old`."""
        done, stride = 0, STRIDE
        length = min(length, old)
        while done < length:
            count = min(stride, length - done)
            ours = self.new.pread(new - done - count, count)
            same = _prefix(ours[::-1], self.old.pread(old - done - count, count)[::-1])
            done += same
            if same < count:
                break
            stride = min(stride * 2, READ_BYTES)
        return done


def _prefix(ours: bytes, theirs: bytes) -> int:
    if ours == theirs:
        return len(ours)
    length = min(len(ours), len(theirs))
    differing = np.frombuffer(ours, np.uint8, length) != np.frombuffer(theirs, np.uint8, length)
    return int(differing.argmax()) if differing.any() else length


def exact_moves(matches: Matches, extents: Extents, images: Images, least: int, margin: int) -> Pieces:
    """Ranges of at least `least` bytes of `extents` that the old image has, in order and disjoint.

    `margin` bytes at each end that is no end of an extent are left to what tells finer differences: they show it where
    to go on.
    """
    rows: list[Row] = []
    done = 0
    for run in _candidates(matches, extents, least):
        at = max(run.start, done)
        while run.end - at >= least // 2:
            start, length, _ = row = _around(at, max(run.first, done), run, images)
            if length >= least:
                rows.append(_within(row, max(run.first, done), run.last, margin))
                done = start + length
            at = max(at, start + length) + SKIP
    return pieces_of(rows)


def _around(at: int, first: int, run: _Run, images: Images) -> Row:
    """What is equal before and after byte `at` of the new image, from `first` on, at the shift of `run`."""
    count = images.agree(at, at + run.shift, run.last - at)
    back = images.agree_back(at, at + run.shift, at - first)
    return at - back, count + back, at - back + run.shift


def _within(row: Row, first: int, last: int, margin: int) -> Row:
    start, length, source = row
    before = margin if start > first else 0
    after = margin if start + length < last else 0
    return start + before, length - before - after, source + before


@dataclass(frozen=True, slots=True)
class _Run:
    """Bytes `start` to `end` of the new image seem to be those of the old one, `shift` further on; `first` and `last`
    are the borders of their extent."""

    start: int
    end: int
    shift: int
    first: int
    last: int


def _candidates(matches: Matches, extents: Extents, least: int) -> Iterator[_Run]:
    """Runs of anchors with one shift and no other anchor between, in order; of those that start together the longest
    first."""
    if not len(matches.new):
        return
    home = np.searchsorted(extents.start, matches.new, "right") - 1
    shift = matches.old - matches.new
    order = np.lexsort((matches.number, shift))
    number, shift, home = matches.number[order], shift[order], home[order]
    breaks = (np.diff(number) != 1) | (np.diff(shift) != 0) | (np.diff(home) != 0)
    first = np.flatnonzero(np.concatenate((np.array([True]), breaks)))
    last = np.concatenate((first[1:], np.array([len(order)]))) - 1
    start, end = matches.new[order[first]], matches.new[order[last]] + ANCHOR_BYTES
    long = np.flatnonzero(end - start >= least // 2)
    long = long[np.lexsort((-end[long], start[long]))]
    home = home[first[long]]
    columns = (start[long], end[long], shift[first[long]], extents.start[home], extents.end[home])
    yield from map(_Run, *(values.tolist() for values in columns))
