"""Expanded views and back: whatever is done between the views, the images come out."""

from __future__ import annotations

import io
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.delta.contents.expanded import Expanded, write_expanded
from bridge.delta.contents.folding import fold
from bridge.delta.cutting import Limits
from bridge.delta.steps import Add, Copy, Inside, Literal, Packed, Stored, Zero
from bridge.release.delta.operations import MAX_OPERATIONS
from bridge.release.delta.packing import Packing
from tests.bridge.delta.contents.pictures import Picture, text
from tests.bridge.release.delta.payloads import apply, write

PACKINGS = (Packing.probed(9), Packing.lz4(9))
LIMITS = Limits(span=65536, window=65536, raw=65536, packing=65536, packing_window=90_000)
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def image_of(raws, seed):
    """An image with each of `raws` packed, other bytes between, and where the streams are."""
    chance, image, streams = random.Random(seed), bytearray(), []
    for number, raw in enumerate(raws):
        image += chance.randbytes(chance.choice((0, 2, 5000)))
        stored = PACKINGS[number % 2].pack(raw)
        streams.append(Stored(len(image), len(stored), len(raw), number % 2))
        image += stored
    return bytes(image) + chance.randbytes(100), tuple(streams)


RAWS = [text(seed, 3000 * seed + 100) for seed in range(6)]
OLD, OLD_STREAMS = image_of(RAWS, 1)
NEW, NEW_STREAMS = image_of([RAWS[2][:4000] + b"new" + RAWS[4], RAWS[3], RAWS[1][5:], RAWS[5] * 2], 2)


def both():
    """The views of both images."""
    return Expanded(Picture(OLD), OLD_STREAMS, PACKINGS), Expanded(Picture(NEW), NEW_STREAMS, PACKINGS)


def made_by(steps, limits=LIMITS):
    """The new image, as a device makes it from folded steps."""
    folded = list(fold(steps, *both(), limits))
    return folded, apply(write(folded, NEW, OLD, packings=PACKINGS, limits=limits))


def written(view):
    """The view as a file has it."""
    output = io.BytesIO()
    with ThreadPoolExecutor(2) as threads:
        write_expanded(view, output, threads)
    return output.getvalue()


def test_view_has_streams_unpacked_and_aligned():
    """Each stream at a multiple of 4096, the bytes between at their old place modulo 4096."""
    view = both()[0]
    whole = view.pread(0, view.length)

    assert whole == written(view)
    for region in view.regions:
        if region.stream:
            assert region.start % 4096 == 0
            assert whole[region.start : region.end] in RAWS
        else:
            assert (region.start - region.offset) % 4096 == 0
            assert whole[region.start : region.end] == OLD[region.offset :][: region.end - region.start]


@given(st.integers(0, 120_000), st.integers(0, 30_000))
def test_view_is_read_anywhere(offset, length):
    """Also across the borders of its regions, and beyond its end."""
    view = both()[0]

    assert view.pread(offset, length) == VIEW[offset : offset + length]


VIEW = written(both()[0])


def test_image_without_streams_is_its_own_view():
    """Nothing is moved."""
    view = Expanded(Picture(OLD), (), ())

    assert written(view) == OLD


@SLOW
@given(st.integers(0, 2**32))
def test_any_steps_between_views_make_the_image(seed):
    """Steps that read anywhere, over any border of either view."""
    chance, (old, new) = random.Random(seed), both()
    steps, at = [], 0
    while at < new.length:
        length = min(chance.choice((1, 30, 700, 9000)), new.length - at)
        steps.append(any_step(chance, old, new.pread(at, length)))
        at += length

    assert made_by(steps)[1] == NEW


def any_step(chance, old, wanted):
    """Some way to make `wanted`."""
    source = chance.randrange(old.length - len(wanted))
    base = old.pread(source, len(wanted))
    if base == wanted:
        return Copy(len(wanted), source)
    if not any(wanted):
        return Zero(len(wanted))
    if chance.random() < 0.3:
        return Literal(wanted)
    return Add(bytes((a - b) % 256 for a, b in zip(wanted, base, strict=True)), source)


def test_streams_that_stayed_are_copied_as_they_are():
    """However their unpacked bytes were said to be made, what the old image has bit by bit is not packed again."""
    folded, image = made_by([Literal(both()[1].pread(0, both()[1].length))])
    stayed = OLD_STREAMS[3]

    assert image == NEW
    assert [step for step in folded if isinstance(step, Copy)] == [Copy(stayed.length, stayed.offset)]
    assert [step.length for step in folded if isinstance(step, Packed)] == [
        stream.length for stream in NEW_STREAMS if stream.length != stayed.length
    ]


def two_sources():
    """Steps that make the first new stream of two old ones: 4000 bytes of one, and all of the other."""
    old, new = both()
    starts = {region.stream: region.start for region in old.regions}
    (first,) = (region for region in new.regions if region.stream == NEW_STREAMS[0])
    return [
        Literal(new.pread(0, first.start)),
        Copy(4000, starts[OLD_STREAMS[2]]),
        Literal(b"new"),
        Copy(len(RAWS[4]), starts[OLD_STREAMS[4]]),
        Literal(new.pread(first.end, new.length - first.end)),
    ]


def sources(folded):
    """Of the first packing, the streams that it reads and the bytes of each."""
    first = next(step for step in folded if isinstance(step, Packed))
    inside = [part for part in first.parts if isinstance(part, Copy | Add) and isinstance(part.source, Inside)]
    return {part.source.stream: part.length for part in inside}


ENOUGH = sum(OLD_STREAMS[index].length for index in (2, 4)) + 6100 + len(RAWS[4])


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (ENOUGH, {OLD_STREAMS[2]: 4000, OLD_STREAMS[4]: len(RAWS[4])}),
        (ENOUGH - 3000, {OLD_STREAMS[4]: len(RAWS[4])}),
        (OLD_STREAMS[4].length + 100, {}),
    ],
    ids=["all", "the most used", "none"],
)
def test_sources_that_a_device_cannot_hold_become_new_bytes(room, kept):
    """The stream that is used least goes first; the image comes out the same."""
    folded, image = made_by(two_sources(), replace(LIMITS, window=1, packing_window=room))

    assert sources(folded) == kept
    assert image == NEW


def test_of_a_stream_that_does_not_fit_the_busiest_part_is_kept():
    """Rather some of its bytes than none."""
    steps = two_sources()
    start = steps[1].source
    cut = [Copy(1000, start), Copy(1500, start + 1000), Copy(1500, start + 2500)]
    room = ENOUGH - 6100 + 2600
    folded, image = made_by([steps[0], *cut, *steps[2:]], replace(LIMITS, window=1, packing_window=room))
    first = next(step for step in folded if isinstance(step, Packed))

    assert [type(part) for part in first.parts] == [Copy, Copy, Literal, Copy]
    assert image == NEW


def test_operations_stay_within_those_of_a_span():
    """Where a stream would take more steps than a span may have, the shortest become new bytes."""
    raw = random.Random(3).randbytes(40_000)
    old_image, new_image = PACKINGS[0].pack(raw), PACKINGS[0].pack(raw + b"!")
    streams = [(Stored(0, len(image), length, 0),) for image, length in ((old_image, 40_000), (new_image, 40_001))]
    old, new = (Expanded(Picture(i), s, PACKINGS) for i, s in zip((old_image, new_image), streams, strict=True))
    steps = [step for at in range(0, 40_000, 2) for step in (Copy(1, at), Literal(raw[at + 1 : at + 2]))]
    (packed,) = fold([*steps, Literal(b"!")], old, new, LIMITS)

    assert len(steps) > MAX_OPERATIONS > len(packed.parts)
    made = write([packed], new_image, old_image, packings=PACKINGS, limits=LIMITS)
    assert apply(made) == new_image


def test_short_pieces_of_large_streams_are_not_worth_unpacking():
    """A device would unpack all of a stream for a few bytes outside any packing."""
    raw = text(1, 60_000)
    image = PACKINGS[0].pack(raw)
    old = Expanded(Picture(image), (Stored(0, len(image), len(raw), 0),), PACKINGS)
    wanted = raw[500:600] + raw[:30_000]
    steps = [Copy(100, 500), Copy(30_000, 0)]
    folded = list(fold(steps, old, Expanded(Picture(wanted), (), ()), LIMITS))

    assert [type(step) for step in folded] == [Literal, Copy]
    assert apply(write(folded, wanted, image, packings=PACKINGS, limits=LIMITS)) == wanted
