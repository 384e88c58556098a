"""bsdiff's triples become pieces of the images: the pieces make the same bytes."""

from __future__ import annotations

import random
import struct
from itertools import pairwise

import pytest
from bsdiff4 import core
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.delta.child import stretched
from bridge.delta.comparing import LEASTS, read_extents
from bridge.delta.emission import steps_of
from bridge.delta.pieces import NEW, Extents, column, pieces_of
from bridge.delta.triples import placed, sourced, virtual_pieces
from tests.bridge.delta.pairs import is_whole, noise, program
from tests.bridge.release.delta.payloads import made_of


def extents(*ranges):
    """From pairs of start and end."""
    return Extents(column([a for a, _ in ranges]), column([b for _, b in ranges]))


def triples_of(window, target, stretch=1):
    """bsdiff's, of both stretched."""
    return core.diff(stretched(window, stretch), stretched(target, stretch))[0]


@pytest.mark.parametrize("stretch", [1, 2, 3])
@pytest.mark.parametrize("least", LEASTS)
def test_pieces_of_separate_extents_make_the_target(images_of, stretch, least):
    """Window and target put together from several ranges each: every piece lies in one of them. However often bsdiff
    saw each byte."""
    old = program(1, 40_000) + noise(2, 9_000)
    new = noise(3, 500) + program(1, 40_000, 64)[100:] + noise(2, 9_000)[50:]
    images = images_of(old, new)
    window, target = extents((64, 9_000), (12_000, 30_000), (33_001, 49_000)), extents((7, 20_000), (30_000, len(new)))
    data = read_extents(images.new, target)
    triples = triples_of(read_extents(images.old, window), data, stretch)
    virtual = virtual_pieces(triples, window.total, len(data), stretch, least)
    pieces = placed(sourced(virtual, window), target)
    made = b"".join(made_of(step, old) for step in steps_of(pieces, images))

    assert is_whole(virtual, len(data), window.total)
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


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from((1, 2, 3)), st.sampled_from((1, 5, 24)))
def test_whatever_bsdiff_finds_the_target_is_whole(seed, stretch, least):
    """Few letters, and bytes that are others turned round: pieces follow one another, none is shorter than it pays,
    none lies outside of the window."""
    chosen = random.Random(seed)
    letters = chosen.choice(((0, 255), (0, 1, 254), range(256)))
    window = bytes(chosen.choices(letters, k=chosen.randrange(600)))
    parts = [window[at : at + chosen.randrange(90)] for at in chosen.choices(range(600), k=9)]
    target = bytes(chosen.choices(letters, k=20)).join(parts)
    pieces = virtual_pieces(triples_of(window, target, stretch), len(window), len(target), stretch, least)

    assert is_whole(pieces, len(target), len(window))
    assert all(length >= least for _, length, source in pieces.rows() if source != NEW)


@pytest.mark.parametrize("stretch", [2, 3])
def test_stretched_match_is_one_of_whole_bytes(stretch):
    """The bytes of which a match has only a part are left out at either end; what it says of them is divided."""
    table = triple(60 * stretch + 1, 0, 9 * stretch, 30 * stretch, 10 * stretch - 1, 0)
    pieces = virtual_pieces(table, 200, 100, stretch)

    assert pieces.rows() == [(0, 60, 0), (60, 1, NEW), (61, 29, 70), (90, 10, NEW)]


@pytest.mark.parametrize(("stretch", "shifts"), [(2, [1, 3, 5]), (3, [1, 2, 4, 5])])
def test_matches_between_two_bytes_are_dropped(stretch, shifts):
    """They say that half a byte is like half of another."""
    for shift in shifts:
        table = triple(0, 0, shift, 50 * stretch, 0, 0)
        assert virtual_pieces(table, 200, 50, stretch).rows() == [(0, 50, NEW)]
    assert virtual_pieces(triple(0, 0, 7 * stretch, 50 * stretch, 0, 0), 200, 50, stretch).rows() == [(0, 50, 7)]


def test_turned_bytes_do_not_match_between_two_bytes():
    """A stretched run of one byte is as unlike itself, moved by half a byte, as can be."""
    assert stretched(b"ab\0", 2) == b"a\x9eb\x9d\0\xff"
    assert stretched(b"ab", 3) == b"a\x9eab\x9db"
    assert stretched(b"ab", 1) == b"ab"
    assert stretched(b"", 2) == b""
    wide = stretched(bytes([7]) * 100, 2)
    assert not any(a == b for a, b in pairwise(wide))


@pytest.mark.parametrize(("least", "old"), [(12, 52), (24, 40), (30, 40), (41, 0)])
def test_matches_of_less_than_the_least_are_new_bytes(least, old):
    """To tell of them would take more than they save."""
    pieces = virtual_pieces(triple(40, 3, 5, 12, 0, 0), 100, 55, least=least)

    assert sum(length for _, length, source in pieces.rows() if source != NEW) == old
    assert is_whole(pieces, 55, 100)


@pytest.mark.parametrize(("stretch", "told"), [(1, "32 bytes of 33"), (2, "32 bytes of 66")])
def test_triples_that_make_something_else_are_refused(stretch, told):
    """A child that lies is a fault, not a payload."""
    with pytest.raises(ValueError, match=f"bsdiff's triples make {told}"):
        virtual_pieces(triple(30, 2, 0), 60, 33, stretch)


def test_empty_window_leaves_all_new():
    """Nothing to compare with."""
    virtual = virtual_pieces(triples_of(b"", b"something new"), 0, 13)
    pieces = placed(sourced(virtual, extents()), extents((5, 9), (20, 29)))

    assert pieces.rows() == [(5, 4, NEW), (20, 9, NEW)]


def test_pieces_that_go_on_over_a_cut_become_one():
    """Wherever a group was cut for choosing, and in both images at once."""
    cut = pieces_of([(0, 30, 10), (30, 50, 40), (80, 9, NEW), (89, 1, NEW)])

    assert placed(sourced(cut, extents((100, 200))), extents((1000, 1090))).rows() == [(1000, 80, 110), (1080, 10, NEW)]
