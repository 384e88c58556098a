"""Columns of pieces: cut, merged and completed without losing or inventing a byte."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.delta.pieces import NEW, ZERO, column, extents_of, gaps, merged, pieces_of, split, united
from bridge.delta.triples import filled

ROWS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 40)), max_size=20)


def chain(lengths_and_sources):
    """Pieces one after the other."""
    at, rows = 0, []
    for length, source in lengths_and_sources:
        rows.append((at, length, source))
        at += length
    return pieces_of(rows)


def bytes_of(pieces):
    """The source of each byte of the new image."""
    return {
        start + at: source + at if source >= 0 else source
        for start, length, source in pieces.rows()
        for at in range(length)
    }


@given(ROWS, st.lists(st.integers(0, 60), max_size=6))
def test_cutting_and_merging_change_no_byte(rows, borders):
    """Cut at borders of the old image and merged again: what stands where is the same, and no piece spans a border."""
    pieces, borders = chain(rows), sorted(set(borders))
    cut = split(pieces, pieces.source, column(borders))

    assert bytes_of(cut) == bytes_of(pieces) == bytes_of(merged(cut))
    assert not [1 for _, length, source in cut.rows() for border in borders if source < border < source + length]
    assert len(merged(cut)) <= len(pieces)


def test_neighbours_merge_only_where_they_go_on():
    """In the same way, at the place that follows."""
    rows = [(0, 4, 10), (4, 4, 14), (8, 4, 19), (12, 2, NEW), (14, 2, NEW), (16, 2, ZERO), (20, 2, ZERO), (22, 1, 0)]

    assert merged(pieces_of(rows)).rows() == [
        (0, 8, 10),
        (8, 4, 19),
        (12, 4, NEW),
        (16, 2, ZERO),
        (20, 2, ZERO),
        (22, 1, 0),
    ]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=12))
def test_union_has_the_bytes_of_all_ranges(ranges):
    """Sorted, disjoint, and apart by more than the gap allowed."""
    start, end = column([a for a, _ in ranges]), column([b for _, b in ranges])
    found = united(start, end)
    near = united(start, end, 3)

    assert {at for a, b in zip(found.start, found.end, strict=True) for at in range(a, b)} == {
        at for a, b in ranges for at in range(a, b)
    }
    assert all(after - before > 0 for before, after in zip(found.end[:-1], found.start[1:], strict=True))
    assert all(after - before > 3 for before, after in zip(near.end[:-1], near.start[1:], strict=True))


def test_what_pieces_leave_is_found_and_filled():
    """At the start, between, and at the end; nothing where pieces touch."""
    pieces = pieces_of([(2, 3, 7), (5, 1, 0), (9, 1, 4)])
    left = gaps(pieces, 12)

    assert (left.start.tolist(), left.end.tolist(), left.total) == ([0, 6, 10], [2, 9, 12], 7)
    assert filled(pieces, 12).rows() == [(0, 2, NEW), (2, 3, 7), (5, 1, 0), (6, 3, NEW), (9, 1, 4), (10, 2, NEW)]


def test_marked_blocks_become_extents():
    """Runs of marks, at the edges too."""
    found = extents_of(column([1, 1, 0, 1]).astype(bool), 10)

    assert (found.start.tolist(), found.end.tolist()) == ([0, 30], [20, 40])
