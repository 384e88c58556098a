"""A small image is made in several ways, and the smallest payload is taken: no way is best for all images."""

from __future__ import annotations

import random
import struct

import pytest

from bridge.delta import candidates
from bridge.delta.candidates import SHAPES, USUAL, Candidate, Shape
from bridge.delta.cutting import Limits
from bridge.delta.effort import Effort
from bridge.delta.making import Making
from bridge.delta.pieces import pieces_of
from bridge.delta.progress import Silence
from tests.bridge.delta.pairs import noise, program

ALONE = Making(workers=1)


def moved(size, places):
    """An image with addresses at these `places` times four, and one where all of them have moved."""
    old, chosen = bytearray(noise(1, size)), random.Random(5)
    new = bytearray(old)
    for place in places:
        address = chosen.randrange(1 << 20)
        struct.pack_into("<I", old, place * 4, address)
        struct.pack_into("<I", new, place * 4, address + 64)
    return bytes(old), bytes(new)


def scattered():
    """Few addresses, far from one another."""
    return moved(400_000, random.Random(5).sample(range(100_000), 400))


def tables():
    """Many addresses, in tables with code between them."""
    chosen = random.Random(5)
    starts = sorted(chosen.sample(range(0, 50_000, 400), 100))
    return moved(200_000, [start + place for start in starts for place in chosen.sample(range(200), 60)])


def crowded():
    """An image in which bits change here and there, close together, at places that nothing divides."""
    old, chosen = noise(1, 50_000), random.Random(0)
    new = bytearray(old)
    for start in range(0, 50_000, 2000):
        for place in chosen.sample(range(start, start + 900), 90):
            new[place] = (new[place] + 1 + place % 9) % 256
    return old, bytes(new)


@pytest.mark.parametrize(
    ("images", "best"),
    [(tables(), USUAL), (scattered(), Shape(48, 1)), (crowded(), Shape(512, 1))],
    ids=["tables", "few and far differences", "no alignment"],
)
def test_shape_that_fits_the_differences_is_taken(pair_of, monkeypatch, images, best):
    """Each of them is the smallest for some image; of all, that one is taken, and the device makes the image."""
    pair, sizes = pair_of(*images), {}
    monkeypatch.setattr(candidates, "TRIED_BYTES", 0)
    for shape in SHAPES:
        monkeypatch.setattr(candidates, "SHAPES", (shape,))
        sizes[shape] = pair.make(ALONE).length
    monkeypatch.setattr(candidates, "SHAPES", SHAPES)
    made = pair.make(ALONE)

    assert min(sizes, key=sizes.__getitem__) == best
    assert made.length == sizes[best]
    assert pair.applied(made) == images[1]


def test_few_and_far_differences_make_a_smaller_delta_than_in_the_usual_shape(pair_of, monkeypatch):
    """Where only what differs is in the diff, and not half a KiB around it: a fifth less."""
    pair = pair_of(*scattered())
    made = pair.make(ALONE)
    monkeypatch.setattr(candidates, "SHAPES", (USUAL,))

    assert made.length * 1.2 < pair.make(ALONE).length


class Counting(Silence):
    """Notes in how many ways the image is coded."""

    def begin(self, phase, total):
        if phase == "code":
            self.coded = total


@pytest.mark.parametrize(
    ("effort", "bounds", "count"),
    [
        (Effort.DEFAULT, {}, len(SHAPES) + 1),
        (Effort.MAX, {}, len(SHAPES) + 1),
        (Effort.DEFAULT, {"TRIED_BYTES": 19_999}, len(SHAPES)),
        (Effort.DEFAULT, {"PREFIX_BYTES": 19_999}, 1),
        (Effort.FAST, {}, 1),
    ],
    ids=["small", "small at most effort", "not so small", "large", "fast"],
)
def test_trying_is_for_small_images(pair_of, monkeypatch, effort, bounds, count):
    """All shapes, and without any comparing; a large image, or a quick maker, has one way."""
    for name, value in bounds.items():
        monkeypatch.setattr(candidates, name, value)
    pair, seen = pair_of(program(1, 20_000), program(1, 20_000, 64)), Counting()
    pair.make(Making(effort, 1), seen)

    assert seen.coded == count * 20_000


def test_shape_changes_nothing_but_how_differences_are_cut():
    """What devices are asked for stays as it was."""
    limits = Limits(span=4096, frame=8192, gap=99, align=2)

    assert Candidate(pieces_of(()), shape=Shape(48, 1)).limits(limits) == Limits(span=4096, frame=8192, gap=48, align=1)
    assert Candidate(pieces_of(())).limits(Limits()) == Limits()
