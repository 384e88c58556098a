"""Of several ways to make a group, the cheapest is taken part by part: the mixture still makes the group."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.delta.choosing import PART_BYTES, cheapest, way_of
from bridge.delta.pieces import NEW, pieces_of
from tests.bridge.delta.pairs import is_whole, noise

PART = PART_BYTES
BASE = noise(1, 4 * PART)


def way(data, *rows, base=BASE):
    """The way to make `data` by pieces with this length and source each."""
    at, placed = 0, []
    for length, source in rows:
        placed.append((at, length, source))
        at += length
    pieces = pieces_of(placed)
    return way_of(pieces, pieces, base, data)


def test_way_tells_differences_and_new_bytes():
    """Differences modulo 256 where there are old bytes, the bytes themselves where there are none."""
    found = way(b"\1\2\3\4", (2, 1), (2, NEW), base=b"\0\3\1")

    assert found.coded.tolist() == [254, 1, 3, 4]
    assert found.is_new.tolist() == [False, False, True, True]


def test_each_part_is_made_the_way_that_is_cheaper_there():
    """One way knows where the first half is, another where the second is: both are used, and nothing else."""
    data = BASE[PART : 2 * PART] + BASE[:PART]
    chosen = cheapest([way(data, (PART, PART), (PART, NEW)), way(data, (PART, NEW), (PART, 0))])

    assert chosen.rows() == [(0, PART, PART), (PART, PART, 0)]


def test_pieces_are_cut_where_parts_end():
    """A piece over the border of two parts is taken for one of them, from the old bytes that belong there."""
    data = BASE[:PART] + noise(2, PART)
    straight = way(data, (PART + 500, 0), (PART - 500, NEW))
    late = way(data, (PART - 500, NEW), (500, PART - 500), (PART, NEW))

    assert cheapest([late, straight]).rows() == [(0, PART, 0), (PART, PART, NEW)]


@pytest.mark.parametrize(
    ("length", "parts"),
    [
        (99, [99]),
        (PART - 1, [PART - 1]),
        (PART, [PART]),
        (PART + 1, [PART + 1]),
        (3 * PART, [PART] * 3),
        (3 * PART + 5, [PART, PART, PART + 5]),
        (4 * PART - 5, [PART, PART, PART, PART - 5]),
    ],
)
def test_groups_of_any_length_are_whole(length, parts):
    """Shorter than a part, exactly one, a byte more, which goes with it: all of them, of the cheap way."""
    data = BASE[:length]
    chosen = cheapest([way(data, (length, NEW)), way(data, (length, 0)), way(data, (length, NEW))])

    assert chosen.length.tolist() == parts
    assert chosen.source.tolist() == chosen.start.tolist()
    assert is_whole(chosen, length, length)


def test_empty_group_has_no_pieces():
    """Nothing to choose."""
    assert cheapest([way(b""), way(b"")]).rows() == []


def test_only_way_is_taken_as_it_is():
    """Not even cut."""
    assert cheapest([way(BASE, (len(BASE), 0))]).rows() == [(0, len(BASE), 0)]


def test_of_ways_that_tell_the_same_the_one_with_fewer_pieces_is_taken():
    """And the first of those."""
    base = bytes(100) + noise(3, 50) * 2
    data = base[100:200]
    parted, far = way(data, (50, 100), (50, 100), base=base), way(data, (100, 100), base=base)
    again = way(data, (50, 150), (50, 150), base=base)

    assert cheapest([parted, far, again]).rows() == far.pieces.rows()
    assert cheapest([parted, again]).rows() == parted.pieces.rows()
    assert cheapest([again, parted]).rows() == again.pieces.rows()


def test_first_of_equally_cheap_ways_is_taken():
    """So that the same images always give the same delta."""
    base = bytes(60) + bytes([7]) * 50 + bytes([9]) * 50
    ways = [way(bytes([1]) * 50, (50, source), base=base) for source in (60, 110)]

    assert cheapest(ways).rows() == [(0, 50, 60)]
    assert cheapest(ways[::-1]).rows() == [(0, 50, 110)]


def test_differences_to_zeros_are_not_taken_for_new_bytes():
    """They are the same bytes, but stand in another stream: where text follows text, it stays with it."""
    text = b" ".join(b"%d words" % number for number in range(800))
    base = bytes(len(text))
    half = len(text) // 2
    mixed = way(text, (half, 0), (len(text) - half, NEW), base=base)
    new = way(text, (half // 2, NEW), (len(text) - half // 2, NEW), base=base)

    assert mixed.coded.tolist() == new.coded.tolist()
    assert cheapest([mixed, new]).rows() == new.pieces.rows()


def test_new_bytes_have_no_source_to_tell():
    """A few of them between bytes that go on as before are told by two lengths: less than by differences."""
    data = b"".join(noise(seed, 3).join((BASE[at : at + 97], b"")) for seed, at in enumerate(range(0, PART, 100)))
    apart = way(data, *[(length, source) for at in range(0, PART, 100) for length, source in ((97, at), (3, NEW))])
    through = way(data, (len(data), 0))

    assert cheapest([through, apart]).rows() == apart.pieces.rows()


@st.composite
def ways(draw):
    """Some data, a base, and ways to make the one from the other that know nothing of what is good."""
    seed = random.Random(draw(st.integers(0, 2**32)))
    base = seed.randbytes(200) * 100
    data = (base[seed.randrange(100) :] + seed.randbytes(9000))[seed.randrange(20_000) :]
    return data, base, [any_way(seed, data, base) for _ in range(draw(st.integers(1, 4)))]


def any_way(seed, data, base):
    """Pieces of any length from anywhere."""
    rows, left = [], len(data)
    while left:
        length = min(left, seed.choice((1, 100, 5000, 19_000)))
        rows.append((length, seed.choice((NEW, seed.randrange(len(base) - length + 1)))))
        left -= length
    return way(data, *rows, base=base)


@settings(max_examples=60, deadline=None)
@given(ways())
def test_whatever_the_ways_the_choice_makes_the_data(drawn):
    """In order, without gap or overlap, each piece as one of the ways has it."""
    data, base, some = drawn
    chosen = cheapest(some)

    assert is_whole(chosen, len(data), len(base))
    assert told_by_one(chosen, some)


def told_by_one(chosen, some):
    """Whether each piece lies within one of some way."""
    return all(
        any(
            start >= first and start + length <= first + many and source in (NEW, origin + start - first)
            for way in some
            for first, many, origin in way.pieces.rows()
            if (origin == NEW) == (source == NEW)
        )
        for start, length, source in chosen.rows()
    )
