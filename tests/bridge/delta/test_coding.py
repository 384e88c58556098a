"""Streams are coded by the best of the codecs that they may use; little extra streams may use slow ones."""

from __future__ import annotations

import random
import struct
from concurrent.futures import ThreadPoolExecutor

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.delta import coding
from bridge.delta.coding import FULL, Brotli, Bz2, Coding, Lzma, Prefix, Zstd, code_frame
from bridge.delta.cutting import Limits, cut_frames, cut_spans
from bridge.delta.effort import TRIALS, Effort
from bridge.delta.steps import Add, Literal
from bridge.release.delta.brotlis import brotli_window_log
from bridge.release.delta.frame import Codec
from bridge.release.delta.streams import Held, Stream

PROSE = (
    b"The device asks the server whether there is an update for it, and downloads what it is offered. If the "
    b"connection is lost, it starts again where it was. <html><head><title>Information about the system</title>"
)
NOISE = random.Random(1).randbytes(4000)
EITHER = Coding(control=(), diff=(Lzma(),), extra=(Lzma(), Bz2(), Zstd()))


def frame_of(extra, diff=b""):
    """A frame with these streams."""
    limits = Limits(gap=1 << 20)
    steps = [step for step in (Add(diff, 0), Literal(extra)) if step.length]
    return next(cut_frames(cut_spans(steps, limits, 1 << 20), limits))


def decoded(coded, prefix=None):
    """Diff and extra, as a device decodes them."""
    head, at, made = coded.head, coded.head.control.stored, []
    for name, stream in (("diff", head.diff), ("extra", head.extra)):
        supply = Held(bytearray(coded.body[at : at + stream.stored]))
        dictionary = prefix.data if prefix and stream.codec is Codec.ZSTD_OLD else b""
        made.append(read(Stream(name, stream, supply, dictionary), stream.raw))
        at += stream.stored
    return tuple(made)


def read(stream, count):
    """All of it, and nothing follows."""
    made = b""
    for steps in (stream.read(count), stream.finish()):
        try:
            next(steps)
        except StopIteration as stop:
            made += stop.value or b""
    return made


def test_little_text_is_coded_by_what_knows_words():
    """No other codec makes so little of a page of prose; the device decodes it in the window declared."""
    coded = code_frame(frame_of(PROSE), EITHER)
    other = code_frame(frame_of(PROSE), Coding(EITHER.control, EITHER.diff, EITHER.extra, little=()))

    assert coded.head.extra.codec is Codec.BROTLI
    assert coded.head.extra.stored < other.head.extra.stored * 0.8
    assert decoded(coded) == (b"", PROSE)


@pytest.mark.parametrize("more", [0, 1])
def test_larger_streams_are_never_coded_by_it(monkeypatch, more):
    """It would take too long: up to the limit it may be used, one byte above not."""
    monkeypatch.setattr(coding, "LITTLE", len(PROSE))
    raw = (PROSE + b"!")[: len(PROSE) + more]

    assert (code_frame(frame_of(raw), EITHER).head.extra.codec is Codec.BROTLI) == (not more)


def test_only_extra_streams_are():
    """Others hold no words."""
    coded = code_frame(frame_of(b"", PROSE), EITHER)

    assert (coded.head.diff.codec, coded.head.extra.codec) == (Codec.LZMA, Codec.RAW)


def test_full_images_are_not():
    """They are to be decoded fast."""
    assert code_frame(frame_of(PROSE), FULL).head.extra.codec is Codec.ZSTD


@pytest.mark.parametrize("size", [1, 200, 1007, 1008, 1009, 2032, 2033, 4080, 4081, 70_000, 262_128, 262_129])
@pytest.mark.parametrize("most", [12, 16, 23])
def test_window_is_no_larger_than_it_must_be(size, most):
    """It holds the stream where it may be so large: the memory of devices follows from it."""
    raw = (PROSE * (size // len(PROSE) + 1))[:size]
    head, data = coding._coded(coding.Job(raw, Brotli(), most))

    assert head.second <= max(10, most)
    assert brotli_window_log(data[0]) <= head.second
    assert (1 << head.second) - 16 >= min(size, (1 << most) - 16)
    assert head.second == 10 or (1 << head.second - 1) - 16 < size
    assert brotli.decompress(data) == raw


@pytest.mark.parametrize("length", [8, 9, 100, 4000])
@pytest.mark.parametrize("is_little", [True, False])
def test_closer_matches_with_the_old_image_decode_in_the_same_window(monkeypatch, length, is_little):
    """However short the dictionary is; less is left to tell than with the usual matches."""
    monkeypatch.setattr(coding, "LITTLE", 1 << 20 if is_little else 0)
    prefix = Prefix(7, NOISE[:length])
    raw = b"?".join(NOISE[at : at + 5] for at in range(0, length, 11))
    head, data = coding._against(raw, prefix, 23)

    assert head.codec is Codec.ZSTD_OLD
    assert read(Stream("extra", head, Held(bytearray(data)), prefix.data), len(raw)) == raw


@pytest.mark.parametrize("count", [3000, 40_000, 80_000])
def test_closer_matches_take_no_more(monkeypatch, count):
    """Of records that return in another order, out of old bytes of many sizes: none is out of reach."""
    chosen = random.Random(2)
    rows = [struct.pack("<IIQ", chosen.randrange(1 << 12), 7, chosen.randrange(1 << 10)) for _ in range(count)]
    prefix, raw = Prefix(0, b"".join(rows)), b"".join(chosen.sample(rows, 3000))
    close = coding._against(raw, prefix, 23)[0].stored
    monkeypatch.setattr(coding, "LITTLE", 0)

    assert close <= coding._against(raw, prefix, 23)[0].stored


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_equal_frames_are_coded_alike_by_any_executor(seed, has_prefix):
    """One after the other, or at the same time; and decoded to what they were."""
    chosen = random.Random(seed)
    extra, diff = (b"".join(chosen.choices((PROSE, NOISE[:300], bytes(500)), k=chosen.randrange(4))) for _ in range(2))
    frame = frame_of(extra + b"x", diff)
    prefix = Prefix(3, NOISE) if has_prefix else None
    plain = code_frame(frame, EITHER, prefix)
    with ThreadPoolExecutor(3) as pool:
        assert code_frame(frame, EITHER, prefix, pool.map) == plain
    assert decoded(plain, prefix) == (diff, extra + b"x")


def test_every_effort_lets_little_streams_use_it():
    """Whoever made it, the device that gets it has the codec."""
    assert {Brotli() in TRIALS[effort].coding.little for effort in Effort} == {True}
