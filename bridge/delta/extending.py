"""Extends matches into the new bytes beside them, further than bsdiff does.

bsdiff goes on while half of the bytes are equal, which is right where new bytes compress well. Where they do not, as in
packed content, more than one equal byte in eight still saves some.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bridge.delta.pieces import NEW, Column, Pieces, Row, merged, pieces_of

WORTH = 8
"""One equal byte pays for so many."""
Bytes = npt.NDArray[np.uint8]


def extended(pieces: Pieces, base: bytes, data: bytes) -> Pieces:
    """`pieces`, which make `data` from `base`, with new bytes given to the matches beside them as far as they pay."""
    old, new = np.frombuffer(base, np.uint8), np.frombuffer(data, np.uint8)
    rows = merged(pieces).rows()
    around = [None, *rows, None]
    made: list[Row] = []
    for before, row, after in zip(around[:-2], rows, around[2:], strict=True):
        made += _shared(row, before, after, old, new) if row[2] == NEW else [row]
    return merged(pieces_of(made))


def _shared(gap: Row, before: Row | None, after: Row | None, old: Bytes, new: Bytes) -> Iterator[Row]:
    """The new bytes of `gap`: some as the match before goes on, new ones, some as the match after begins."""
    start, length, _ = gap
    forth = before[2] + before[1] if before else len(old)
    back = after[2] - length if after else -length
    head, tail = _ends(new[start : start + length], old, forth, back)
    if head:
        yield start, head, forth
    if head + tail < length:
        yield start + head, length - head - tail, NEW
    if tail:
        yield start + length - tail, tail, back + length - tail


def _ends(data: Bytes, old: Bytes, forth: int, back: int) -> tuple[int, int]:
    """How many of the first bytes of `data` go with the old ones from `forth` on, and of the last with `back`.

    Neither ends with a byte that is not equal, so neither reaches outside; where both claim the same, they part inside.
    """
    first, last = _gains(_equal(data, old, forth)), _gains(_equal(data, old, back)[::-1])
    head, tail = int(np.argmax(first)), int(np.argmax(last))
    if head + tail > len(data):
        least, most = max(0, -back), min(len(data), len(old) - forth)
        head = least + int(np.argmax((first + last[::-1])[least : most + 1]))
        tail = len(data) - head
    return head, tail


def _equal(data: Bytes, old: Bytes, source: int) -> npt.NDArray[np.bool_]:
    """Which bytes are as the old ones from `source` on, which may lie partly outside."""
    equal = np.zeros(len(data), bool)
    first, last = max(0, -source), min(len(data), len(old) - source)
    if first < last:
        equal[first:last] = data[first:last] == old[source + first : source + last]
    return equal


def _gains(equal: npt.NDArray[np.bool_]) -> Column:
    """What it gains to take none, the first, the first two and so on."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(equal * WORTH - 1)))
