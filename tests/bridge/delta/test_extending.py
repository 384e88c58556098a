"""New bytes between matches go to the match whose bytes they resemble: what that saves is more than it costs."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.delta.extending import extended
from bridge.delta.pieces import NEW, pieces_of
from tests.bridge.delta.pairs import is_whole, noise

BASE = noise(1, 3000)


def like(data, every):
    """`data`, of which one byte in so many is still the same: the first, and so on."""
    return bytes(byte if at % every == 0 else byte ^ 0x55 for at, byte in enumerate(data))


def rows_of(data, *rows, base=BASE):
    """The rows of what becomes of pieces with this length and source each."""
    at, placed = 0, []
    for length, source in rows:
        placed.append((at, length, source))
        at += length
    return extended(pieces_of(placed), base, data).rows()


def test_bytes_between_two_matches_go_to_the_one_that_they_fit():
    """To the one before, to the one after, or to none."""
    first, last = BASE[:100], BASE[2000:2100]
    for gap, made in (
        (like(BASE[100:150], 3), [(0, 149, 0), (149, 1, NEW), (150, 100, 2000)]),
        (like(BASE[1950:2000], 3), [(0, 100, 0), (100, 150, 1950)]),
        (noise(2, 50), [(0, 100, 0), (100, 50, NEW), (150, 100, 2000)]),
    ):
        assert rows_of(first + gap + last, (100, 0), (50, NEW), (100, 2000)) == made


def test_bytes_that_fit_both_in_part_are_shared():
    """The first ones to the match before, the last ones to the match after, those between to nobody."""
    gap = like(BASE[100:121], 4) + noise(2, 60) + BASE[1980:2000]

    assert rows_of(BASE[:100] + gap + BASE[2000:2100], (100, 0), (101, NEW), (100, 2000)) == [
        (0, 121, 0),
        (121, 60, NEW),
        (181, 120, 1980),
    ]


def test_where_two_matches_claim_the_same_bytes_they_part_at_the_best_place():
    """Each is right about some bytes of the other's: the border goes where most are equal."""
    early, late = bytearray(BASE[100:200]), BASE[1900:2000]
    early[60:] = late[60:]
    early[80], early[20] = BASE[180], late[20]
    data = BASE[:100] + bytes(early) + BASE[2000:2100]

    assert rows_of(data, (100, 0), (100, NEW), (100, 2000)) == [(0, 160, 0), (160, 140, 1960)]


@pytest.mark.parametrize(("every", "taken"), [(2, 399), (7, 400), (9, 1), (20, 1)])
def test_more_than_one_equal_byte_in_eight_pays(every, taken):
    """As much of the new bytes is taken as that holds for; bsdiff stops at one in two."""
    data = BASE[:100] + like(BASE[100:500], every)
    made = rows_of(data, (100, 0), (400, NEW))

    assert made == [(0, 100 + taken, 0), (100 + taken, 400 - taken, NEW)][: 1 if taken == 400 else 2]


def test_ends_of_the_group_have_one_neighbour():
    """New bytes at its start go to the match after, at its end to the one before."""
    data = like(BASE[500:540], 2)[::-1] + BASE[540:700] + like(BASE[700:740], 3)
    start = bytes(BASE[501:540]).rjust(40, b"!")

    assert rows_of(start + data[40:], (40, NEW), (160, 540), (40, NEW)) == [(0, 1, NEW), (1, 239, 501)]


def test_nothing_is_taken_from_outside_of_the_window():
    """Not before its first byte, not after its last."""
    base = BASE[:300]
    data = noise(2, 50) + base[20:280] + noise(3, 50)
    lead = base[:20].rjust(50, b"?") + base[20:280] + base[280:].ljust(50, b"?")

    assert rows_of(data, (50, NEW), (260, 20), (50, NEW), base=base)[1][1:] == (260, 20)
    assert rows_of(lead, (50, NEW), (260, 20), (50, NEW), base=base) == [(0, 30, NEW), (30, 300, 0), (330, 30, NEW)]


def test_matches_that_meet_become_one():
    """Where both of them go on over the same bytes, nothing parts them any more."""
    data = BASE[:100] + like(BASE[100:140], 3) + BASE[140:200]

    assert rows_of(data, (100, 0), (40, NEW), (60, 140)) == [(0, 200, 0)]


@pytest.mark.parametrize(
    ("data", "base", "rows"),
    [
        (b"", BASE, []),
        (b"something new", b"", [(13, NEW)]),
        (b"something new", BASE, [(13, NEW)]),
        (BASE, BASE, [(3000, 0)]),
    ],
    ids=["no bytes", "no window", "no match", "no new bytes"],
)
def test_where_there_is_nothing_to_extend_all_stays(data, base, rows):
    """Whether the group, the window or the matches are missing."""
    assert [(length, source) for _, length, source in rows_of(data, *rows, base=base)] == rows


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
@example(0)
def test_whatever_is_given_the_group_stays_whole(seed):
    """Few letters, so that much is equal: the same bytes are covered, by sources within the window, and what was old
    stays as it was."""
    chosen = random.Random(seed)
    base = bytes(chosen.choices(range(3), k=chosen.randrange(300)))
    rows, at = [], 0
    for _ in range(chosen.randrange(9)):
        length = chosen.randrange(1, 60)
        is_old = length <= len(base) and chosen.random() < 0.5
        rows.append((at, length, chosen.randrange(len(base) - length + 1) if is_old else NEW))
        at += length
    data = bytes(chosen.choices(range(3), k=at))
    made = extended(pieces_of(rows), base, data)

    assert is_whole(made, at, len(base))
    assert old_bytes(rows).items() <= old_bytes(made.rows()).items()


def old_bytes(rows):
    """Where each byte that is not new comes from."""
    return {start + at: source + at for start, length, source in rows if source != NEW for at in range(length)}
