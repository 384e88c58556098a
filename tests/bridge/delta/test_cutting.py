"""Runs of equal bytes become copies, and the differences beside them keep their place modulo 8 in the diff stream."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.delta.cutting import cut_spans, without_runs
from bridge.delta.steps import Add, Copy, Literal, Packed, Zero
from bridge.release.delta.operations import Kind
from tests.bridge.release.delta.payloads import PACKINGS, SMALL, made_of, works

OLD = random.Random(4).randbytes(50_000)
GAP = 16


def diffs_of(*runs):
    """Differences: a 1, then so many zeros, and so on."""
    return b"".join(b"\1" + bytes(run) for run in runs)


def told(steps):
    """Each step as its kind and length."""
    return [(type(step).__name__, step.length) for step in steps]


@pytest.mark.parametrize(
    ("ahead", "copied"), [(0, 16), (1, 23), (7, 17), (6, 18)], ids=["nothing", "one", "seven", "six"]
)
def test_run_ends_where_the_streams_are_level_again(ahead, copied):
    """What a copy does not take of the run goes into the diff, as zeros: less than 8 bytes."""
    first, copy, rest = without_runs(Add(diffs_of(23, 3), 40), GAP, 8, ahead)

    assert (first, copy) == (Add(b"\1", 40), Copy(copied, 41))
    assert rest == Add(bytes(23 - copied) + diffs_of(3), 41 + copied)
    assert (ahead + copied) % 8 == 0


def test_without_alignment_the_whole_run_is_copied():
    """As it is best for data that has none."""
    assert told(without_runs(Add(diffs_of(23, 3), 0), GAP)) == [("Add", 1), ("Copy", 23), ("Add", 4)]


def test_run_at_the_end_is_copied_whole():
    """No difference of this step follows; the next run makes up for it."""
    assert told(without_runs(Add(diffs_of(23), 0), GAP, 8, 3)) == [("Add", 1), ("Copy", 23)]
    assert told(without_runs(Add(bytes(99), 0), GAP, 8, 3)) == [("Copy", 99)]
    assert told(without_runs(Add(diffs_of(23, 21), 0), GAP, 8, 3)) == [
        ("Add", 1),
        ("Copy", 21),
        ("Add", 3),
        ("Copy", 21),
    ]


def test_run_that_is_too_short_stays():
    """Below the gap, and below what levelling may take of it."""
    assert told(without_runs(Add(diffs_of(15, 3), 0), GAP, 8)) == [("Add", 20)]
    assert told(without_runs(Add(diffs_of(4, 7, 8, 1), 0), 4, 8, 7)) == [("Add", 14), ("Copy", 1), ("Add", 9)]


@pytest.mark.parametrize("step", [Zero(99), Literal(bytes(99)), Copy(99, 5)], ids=lambda step: type(step).__name__)
def test_other_steps_stay_as_they_are(step):
    """Only differences have runs."""
    assert list(without_runs(step, GAP, 8, 3)) == [step]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 60), max_size=12),
    st.integers(0, 9),
    st.integers(1, 40),
    st.sampled_from((1, 4, 8)),
    st.integers(0, 7),
)
def test_whatever_the_runs_the_bytes_are_the_same(runs, source, gap, align, ahead):
    """No step is empty, none is lost, and after each copy differences are where they would be in the image."""
    add = Add(diffs_of(*runs), source)
    parts = list(without_runs(add, gap, align, ahead % align)) if runs else []
    place, written, is_level = ahead % align, 0, False

    assert b"".join(made_of(part, OLD) for part in parts) == made_of(add, OLD)
    assert all(part.length > 0 for part in parts)
    for part in parts:
        if isinstance(part, Add):
            assert not is_level or (place - written) % align == 0
            written += part.length
        is_level = is_level or isinstance(part, Copy)
        place += part.length


@settings(max_examples=60, deadline=None)
@given(works())
def test_differences_keep_their_place_in_the_image(work):
    """Through all kinds of steps, also such that pack: whatever comes first, where differences of a step follow a run
    they stand in the stream as far on, modulo 8, as in the image."""
    steps, _, old, _ = work
    image = written = last = 0
    for plain in cut_spans([*steps, Add(diffs_of(60, 60, 1), 0)], SMALL, len(old)):
        image, written, last = levelled(plain.span, image, written)

    assert last % 8 == 0


def levelled(span, image, written):
    """Bytes of image and diff after `span`, and how far the image was ahead at the last difference."""
    ahead = packing = 0
    for item in span.operations:
        if item.kind == Kind.ADD:
            ahead = image - written
            written += item.length
        if item.kind == Kind.DEFLATE:
            image, packing = image + item.length, item.other
        elif item.kind != Kind.INFLATE:
            image, packing = (image, packing - item.length) if packing else (image + item.length, 0)
    return image, written, ahead


def test_packing_changes_how_far_the_image_is_ahead():
    """It makes fewer bytes of the image than it takes: differences after it are levelled with the image."""
    text = b"words that pack well, " * 9
    packed = Packed(0, len(PACKINGS[0].pack(text)), (Literal(text),))
    spans = cut_spans([packed, Add(diffs_of(50, 3), 0)], SMALL, len(OLD))
    adds = [levelled(plain.span, 0, 0) for plain in spans]

    assert (len(text) - packed.length) % 8 != 0
    assert [ahead % 8 for _, _, ahead in adds] == [0]
