"""One group compared with its windows in several ways: of each part of it, what takes least."""

from __future__ import annotations

import random
import struct
from dataclasses import replace

import pytest

from bridge.delta.choosing import PART_BYTES
from bridge.delta.comparing import SENTINEL, compare
from bridge.delta.differencer import DEFAULT_BOUNDS, children
from bridge.delta.effort import TRIALS, Effort
from bridge.delta.emission import steps_of
from bridge.delta.making import Making
from bridge.delta.pieces import NEW, Extents, column
from tests.bridge.delta.pairs import noise, program
from tests.bridge.release.delta.payloads import made_of


def extents(*ranges):
    """From pairs of start and end."""
    return Extents(column([a for a, _ in ranges]), column([b for _, b in ranges]))


def table(count, moved=0, inserted=()):
    """Records of 24 bytes, as symbol tables have: a name, a kind, an address that `moved`, a length. Some are new."""
    chosen = random.Random(1)
    rows = [[chosen.randrange(1 << 16), chosen.randrange(1 << 16) << 4, chosen.randrange(256)] for _ in range(count)]
    for row in rows:
        row[1] += moved
    for at in inserted:
        rows.insert(at, [chosen.randrange(1 << 16), chosen.randrange(1 << 16) << 4, chosen.randrange(256)])
    return b"".join(struct.pack("<IIQQ", name, 0x50012, value, size) for name, value, size in rows)


def test_stretching_follows_records_that_were_inserted(pair_of, monkeypatch):
    """All records look alike, so that bsdiff, where it sees each byte once, stays with a record that is not the right
    one. Seen twice, it leaves it."""
    pair = pair_of(table(2000), table(2000, 64, (100, 500, 900, 1500)))
    sizes = {}
    for stretches in ((1,), (2,), (1, 2)):
        monkeypatch.setitem(TRIALS, Effort.DEFAULT, replace(TRIALS[Effort.DEFAULT], stretches=stretches))
        made = pair.make(Making(workers=1))
        sizes[stretches] = made.length
        assert pair.applied(made) == pair.new.read_bytes()

    assert sizes[1, 2] * 3 < sizes[(1,)]
    assert sizes[1, 2] <= sizes[(2,)]


def test_parts_come_from_different_windows(images_of):
    """What each window has is taken from it; in the new image, pieces follow one another."""
    first, last = program(1, 3 * PART_BYTES), program(2, 3 * PART_BYTES)
    images = images_of(noise(1, 999) + first + noise(2, 5000) + last, first[:-500] + last[500:])
    middle = 999 + len(first) + 2500
    windows = extents((0, middle)), extents((middle, images.old.length))
    with children() as differencer:
        found = compare(extents((0, images.new.length)), windows, images, differencer, (1, 2))

    used = sum(length for _, length, source in found.pieces.rows() if source != NEW)
    assert used > images.new.length - PART_BYTES // 2
    assert {source < middle for source in found.pieces.source.tolist() if source != NEW} == {True, False}


@pytest.mark.parametrize("stretches", [(1,), (1, 2), (2, 3)])
@pytest.mark.parametrize("length", [1, 20, 5000, PART_BYTES, 3 * PART_BYTES + 1])
def test_chosen_pieces_make_the_group(images_of, length, stretches):
    """Shorter than any match, than a part, and longer: out of ranges of both images, byte for byte."""
    code = program(1, 100_000)
    new = noise(1, 100) + program(1, 100_000, 64)
    images = images_of(code, new)
    windows = extents((0, 9000), (16_384, 90_000)), extents((5, 40_001))
    target = extents((90, 90 + length)) if length == 1 else extents((90, 90 + length // 2), (50_000, 50_000 + length))
    with children() as differencer:
        found = compare(target, windows, images, differencer, stretches)

    data = b"".join(new[a:b] for a, b in zip(target.start, target.end, strict=True))
    assert b"".join(made_of(step, code) for step in steps_of(found.pieces, images)) == data
    assert found.gave_up == 0


def test_empty_window_leaves_the_group_new(images_of):
    """Only the sentinel is compared, and it is no part of the old image."""
    images = images_of(b"old", SENTINEL * 9)
    with children() as differencer:
        found = compare(extents((0, 50), (70, 144)), (extents(),), images, differencer, (1, 2, 3))

    assert found.pieces.rows() == [(0, 50, NEW), (70, 74, NEW)]


def test_run_at_the_end_of_a_window_is_compared_in_no_time(images_of):
    """Behind the sentinel it does not end there: no child is killed for what it would take."""
    images = images_of(bytes([9]) * (1 << 19), bytes([9]) * (1 << 19))
    whole = extents((0, 1 << 19))
    with children(replace(DEFAULT_BOUNDS, seconds=1.0)) as differencer:
        found = compare(whole, (whole,), images, differencer)

    assert (found.gave_up, found.pieces.rows()) == (0, [(0, 1 << 19, 0)])


def test_way_that_cannot_be_compared_does_not_spoil_the_others(images_of):
    """Stretched, the same bytes take too much memory: it is counted, and the others are used."""
    images = images_of(noise(1, 4 << 20), noise(1, 4 << 20)[5000:9000])
    with children(replace(DEFAULT_BOUNDS, memory=120 << 20)) as differencer:
        found = compare(extents((0, 4000)), (extents((0, 4 << 20)),), images, differencer, (1, 3))

    assert found.gave_up == 1
    assert found.pieces.rows() == [(0, 4000, 5000)]
