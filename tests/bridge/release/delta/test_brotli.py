"""Streams of brotli: decoded in bounded pieces however they arrive, and refused where they are not what they say."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.delta.coding import Brotli, Coding, Prefix
from bridge.delta.steps import Add, Copy, Literal
from bridge.release.delta.brotlis import BrotliDecoder, brotli_window_log
from bridge.release.delta.errors import MalformedPayload
from bridge.release.delta.frame import Codec, FrameHead, StreamHead
from bridge.release.delta.memory import decoder
from bridge.release.delta.streams import Arriving, Held, Intake, Stream
from tests.bridge.release.delta.payloads import apply, coded, forge, words, write
from tests.independent_decoder import decode

ONLY = Coding(control=(), diff=(), extra=(), little=(Brotli(),))
TEXT = (
    b"A gate opens when the tally of a stage says so; until then the rollout waits, and every device of the stage "
    b"stays with the release that it has. When it opens, the next stage is offered the release.\n"
)
LOGS = range(10, 25)
BROKEN = r"the extra stream of a frame (is broken|does not end)"


def run(steps):
    """What a generator of a whole supply returns."""
    try:
        next(steps)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("waits for bytes that will not come")


def read_all(stream):
    """Read as much as `TEXT` has, and no more may follow."""
    made = yield from stream.read(len(TEXT))
    yield from stream.finish()
    return made


def stream_of(data, raw, log=24):
    """The stream whose stored bytes are `data`, all there."""
    return Stream("extra", StreamHead(Codec.BROTLI, 0, log, len(data), raw), Held(bytearray(data)))


def literal_frame(data, log=24):
    """A frame of one LITERAL that makes x, whose extra stream is `data`."""
    control = struct.pack("<3B", 1, 3, 1) + bytes(4) + zlib.crc32(b"x").to_bytes(4, "little")
    plain = StreamHead(stored=len(control), raw=len(control))
    extra = StreamHead(Codec.BROTLI, 0, log, len(data), 1)
    return coded(FrameHead(1, 1, 4096, 0, 0, plain, StreamHead(), extra), control, data)


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_text_goes_through_brotli_and_back(size):
    """By the applier, in whatever chunks it arrives, and by the independent decoder."""
    old = random.Random(1).randbytes(500)
    new = TEXT + old[:100] + TEXT[::-1] + bytes(byte ^ 1 for byte in old[:50])
    diff = bytes(((byte ^ 1) - byte) % 256 for byte in old[:50])
    steps = [Literal(TEXT), Copy(100, 0), Literal(TEXT[::-1]), Add(diff, 0)]
    made = write(steps, new, old, coding=ONLY, prefix=Prefix(0, old))

    assert len(made.data) < len(write(steps, new, old, coding=Coding(little=())).data)
    assert apply(made, size=size) == new
    assert decode(made.data, old) == new


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("quality", [2, 9, 11])
def test_window_that_a_stream_asks_for_is_told_by_its_first_byte(log, quality):
    """Of every window there is: it passes where so much is declared, and not where one step less is."""
    data = brotli.compress(TEXT, quality=quality, lgwin=log)

    assert brotli_window_log(data[0]) == log
    assert run(stream_of(data, len(TEXT), log).read(len(TEXT))) == TEXT
    if log > LOGS[0]:
        with pytest.raises(
            MalformedPayload, match=rf"extra stream .* its window is larger than 2 \*\* {log - 1} bytes"
        ):
            run(stream_of(data, len(TEXT), log - 1).read(1))


def test_streams_of_the_large_window_kind_are_refused():
    """Their first byte asks for a window that no other stream has; the library, asked for none, refuses them."""
    data = bytes([0x11, 24 | 0b11 << 6])

    assert brotli_window_log(data[0]) < LOGS[0]
    with pytest.raises(MalformedPayload, match="the extra stream of a frame is broken"):
        run(stream_of(data, 1).read(1))


@pytest.mark.parametrize("log", [0, 9, 25, 30])
def test_heads_declare_windows_that_exist(log):
    """10 to 24; and no first parameter."""
    with pytest.raises(MalformedPayload, match="stream that cannot be"):
        StreamHead(Codec.BROTLI, 0, log, 5, 5)
    with pytest.raises(MalformedPayload, match="stream that cannot be"):
        StreamHead(Codec.BROTLI, 1, 20, 5, 5)


X = brotli.compress(b"x")


@pytest.mark.parametrize(
    "data",
    [
        brotli.compress(b"x" * 50_000_000),
        X * 2,
        X + b"\0",
        X[:-1],
        X[:1],
        brotli.compress(b""),
        b"no such stream",
        b"\xff",
        brotli.compress(b"xx"),
    ],
    ids=["bomb", "two", "a byte more", "cut", "begun", "empty", "none", "byte", "longer"],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_streams_that_are_not_what_they_say_are_refused(data, size):
    """All at once, and byte by byte; the same frame with the right stream passes."""
    assert apply(forge([literal_frame(X)], b"x"), size=size) == b"x"

    with pytest.raises(MalformedPayload, match=r"the extra stream of a frame (is|does not end)"):
        apply(forge([literal_frame(data)], b"x"), size=size)


def test_every_cut_is_refused():
    """A stream that stops anywhere has not ended, also where all bytes have been made."""
    data = brotli.compress(TEXT)
    for end in range(1, len(data)):
        stream = stream_of(data[:end], len(TEXT))
        with pytest.raises(MalformedPayload, match=BROKEN):
            run(read_all(stream))


@pytest.mark.parametrize("at", [0, 1, 2, 40])
def test_bytes_after_the_end_are_refused_whenever_they_arrive(at):
    """With the last bytes of the stream, or long after them."""
    data, intake = brotli.compress(TEXT), Intake()
    stream = Stream(
        "extra", StreamHead(Codec.BROTLI, 0, 24, len(data) + 40, len(TEXT)), Arriving(intake, len(data) + 40)
    )
    intake.add(data + bytes(at))
    intake.add(bytes(40 - at))
    with pytest.raises(MalformedPayload, match=BROKEN):
        run(read_all(stream))


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(0, 11),
    st.sampled_from(LOGS),
    st.sampled_from((1, 3, 100, 65_536)),
    st.sampled_from((1, 17, 5000, 40_000, 1 << 20)),
)
def test_however_it_arrives_and_is_read_the_bytes_are_the_same(seed, quality, log, chunk, piece):
    """Also where a few bytes make many: output is left while nothing more will come."""
    chosen = random.Random(seed)
    raw = b"".join(
        chosen.choice((words(chosen, 300), chosen.randbytes(200), bytes(chosen.randrange(70_000))))
        for _ in range(chosen.randrange(1, 6))
    )[: 3000 if piece == 1 else None]
    data, intake, made, at = brotli.compress(raw, quality=quality, lgwin=log), Intake(), bytearray(), 0
    stream = Stream("extra", StreamHead(Codec.BROTLI, 0, 24, len(data), len(raw)), Arriving(intake, len(data)))
    reading = (stream.read(min(piece, len(raw) - start)) for start in range(0, len(raw), piece))
    for step in (*reading, stream.finish()):
        while True:
            try:
                next(step)
            except StopIteration as stop:
                made += stop.value or b""
                break
            intake.add(data[at : at + chunk])
            at += chunk

    assert made == raw


@pytest.mark.parametrize("limit", [1, 2, 1000, 40_000])
def test_no_more_is_handed_out_than_was_asked_for(limit):
    """Whatever the library gives at once."""
    raw = TEXT * 500
    given = BrotliDecoder(24)
    parts = [given.decompress(brotli.compress(raw), limit)]
    parts += [given.decompress(b"", limit) for _ in range(len(raw) // limit // 2)]

    assert max(len(part) for part in parts) == limit
    assert raw.startswith(b"".join(parts))
    assert not given.eof


def test_bomb_takes_no_memory():
    """16 MiB of which one byte is asked for: some tens of KiB are made."""
    data = brotli.compress(bytes(16 << 20), lgwin=24)
    tracemalloc.start()
    stream = stream_of(data, 1)
    made = run(stream.read(1))
    with pytest.raises(MalformedPayload, match="longer than its head declares"):
        run(stream.finish())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert made == b"\0"
    assert peak < 1 << 20


def test_frame_that_takes_more_memory_than_declared_is_refused():
    """16 MiB of window where the header declares less: before anything is decoded."""
    frame = literal_frame(X, 24)
    declared = forge([literal_frame(X, 10)], b"x").header.terms.memory

    assert decoder(frame.head.extra) >= 16 << 20
    with pytest.raises(MalformedPayload, match=rf"frame 0 of the payload takes \d+ bytes.*declares {declared}"):
        apply(forge([frame], b"x", memory=declared))
