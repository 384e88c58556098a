"""bsdiff's triples become pieces of the images: the pieces make the same bytes."""

from __future__ import annotations

import struct

import pytest
from bsdiff4 import core
from hypothesis import given
from hypothesis import strategies as st

from bridge.delta.comparing import read_extents
from bridge.delta.emission import steps_of
from bridge.delta.pieces import NEW, Extents, column
from bridge.delta.triples import actual_pieces, virtual_pieces
from tests.bridge.delta.pairs import noise, program
from tests.bridge.release.delta.payloads import made_of


def extents(*ranges):
    """From pairs of start and end."""
    return Extents(column([a for a, _ in ranges]), column([b for _, b in ranges]))


def test_pieces_of_separate_extents_make_the_target(images_of):
    """Window and target put together from several ranges each: every piece lies in one of them."""
    old = program(1, 40_000) + noise(2, 9_000)
    new = noise(3, 500) + program(1, 40_000, 64)[100:] + noise(2, 9_000)[50:]
    images = images_of(old, new)
    window, target = extents((64, 9_000), (12_000, 30_000), (33_001, 49_000)), extents((7, 20_000), (30_000, len(new)))
    data = read_extents(images.new, target)
    triples, _, _ = core.diff(read_extents(images.old, window), data)
    pieces = actual_pieces(virtual_pieces(triples, window.total, len(data)), window, target)
    made = b"".join(made_of(step, old) for step in steps_of(pieces, images))

    assert made == data
    assert sum(length for _, length, source in pieces.rows() if source != NEW) > len(data) * 0.7
    for start, length, source in pieces.rows():
        assert any(a <= start and start + length <= b for a, b in zip(target.start, target.end, strict=True))
        assert source == NEW or any(
            a <= source and source + length <= b for a, b in zip(window.start, window.end, strict=True)
        )


def triple(*numbers):
    """In bsdiff's signed magnitudes."""
    return b"".join(struct.pack("<Q", abs(number) | (number < 0) << 63) for number in numbers)


@given(st.integers(0, 100))
def test_matches_outside_the_window_and_short_ones_are_new_bytes(seek):
    """What bsdiff says is not taken on trust."""
    pieces = virtual_pieces(triple(30, 2, seek - 60, 10, 5, 0, 40, 0, 0), 60, 87)

    assert pieces.rows()[0] == (0, 30, 0)
    assert all(source == NEW or 0 <= source <= 20 for _, _, source in pieces.rows())
    assert sum(pieces.length) == 87


def test_triples_that_make_something_else_are_refused():
    """A child that lies is a fault, not a payload."""
    with pytest.raises(ValueError, match="bsdiff's triples make 32 bytes of 33"):
        virtual_pieces(triple(30, 2, 0), 60, 33)


def test_empty_window_leaves_all_new():
    """Nothing to compare with."""
    triples, _, _ = core.diff(b"", b"something new")
    virtual = virtual_pieces(triples, 0, 13)

    assert actual_pieces(virtual, extents(), extents((5, 9), (20, 29))).rows() == [(5, 4, NEW), (20, 9, NEW)]
