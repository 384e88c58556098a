"""The writer of payloads: what the maker hands over comes out proved, cut within limits, and always the same."""

from __future__ import annotations

import io
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from bridge.delta.coding import FULL, Bz2, Coding, Lzma, Prefix, Zstd, code_frame
from bridge.delta.container import Pair, Task, WrongSteps, prove, write_payload
from bridge.delta.cutting import Limits, cut_frames, cut_spans
from bridge.delta.steps import Add, Copy, Inside, Literal, Packed, Stored, Zero, whole_image
from bridge.release.delta.frame import Codec
from bridge.release.delta.memory import DEVICE_MEMORY, needed
from bridge.release.delta.operations import MAX_OPERATIONS, Kind
from tests.bridge.release.delta.payloads import PACKINGS, QUICK, SMALL, Memory, apply, image_of, works, write

OLD = random.Random(4).randbytes(50_000)
TEXT = b"words that pack well, " * 300


def spans_of(steps):
    """The spans of `steps`, unproved."""
    return [plain.span for plain in cut_spans(steps, SMALL, len(OLD))]


def kinds_of(span):
    """Kind and length of each operation."""
    return [(Kind(item.kind), item.length) for item in span.operations]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(works())
def test_spans_and_frames_keep_the_limits(work):
    """Whatever the steps: nothing makes, unpacks or holds more than it may, and nothing is lost between two spans."""
    steps, new, old, _ = work
    plain = list(cut_spans(steps, SMALL, len(old)))
    frames = list(cut_frames(plain, SMALL))

    for span in (item.span for item in plain):
        assert span.is_zero or max(span.target, span.raw) <= SMALL.span
        assert span.held <= SMALL.window
        assert len(span.operations) <= MAX_OPERATIONS
    for frame in frames:
        assert len(frame.spans) == 1 or len(frame.diff) + len(frame.extra) <= SMALL.frame
        assert len(frame.spans) == 1 or sum(len(span.operations) for span in frame.spans) <= SMALL.operations
    assert sum(item.span.target for item in plain) == len(new)


def test_equal_work_gives_equal_bytes_whoever_does_it():
    """Frames may be coded by any number of workers, in any order of completion."""
    steps = [step for at in range(0, 40_000, 900) for step in (Copy(500, at), Literal(OLD[at : at + 300]), Zero(99))]
    new = b"".join(OLD[at : at + 500] + OLD[at : at + 300] + bytes(99) for at in range(0, 40_000, 900))
    task = Task(image_of(new), image_of(OLD))
    plain = prove(cut_spans(steps, SMALL, len(OLD)), task, Pair(Memory(new), Memory(OLD)))
    output = io.BytesIO()
    with ThreadPoolExecutor(4) as pool:
        write_payload(output, task, pool.map(lambda frame: code_frame(frame, QUICK), cut_frames(plain, SMALL)))

    assert output.getvalue() == write(steps, new, OLD).data
    assert apply(write(steps, new, OLD)) == new


def test_header_declares_what_the_largest_frame_takes():
    """No more and no less: devices are refused for it."""
    made = write([Literal(OLD[:9000]), Copy(3000, 5)], OLD[:9000] + OLD[5:3005], OLD)
    plain = prove(
        cut_spans([Literal(OLD[:9000]), Copy(3000, 5)], SMALL, len(OLD)),
        Task(image_of(made.new), image_of(OLD)),
        Pair(Memory(made.new), Memory(OLD)),
    )
    heads = [code_frame(frame, QUICK).head for frame in cut_frames(plain, SMALL)]
    terms = made.header.terms

    assert terms.frames == len(heads) > 1
    assert terms.memory == max(needed(head) for head in heads)


def test_default_limits_fit_a_device():
    """Even where nothing can be compressed, and the largest dictionaries are used."""
    limits, noise = Limits(), random.Random(9).randbytes(1 << 20)
    steps = [Add(noise, 0)] * 4 + [Literal(noise)] * 4
    new = bytes((a + b) % 256 for a, b in zip(noise, noise, strict=True)) * 4 + noise * 4
    made = write(steps, new, noise, limits=limits, coding=Coding((Lzma(),), (Bz2(),), (Bz2(), Zstd(3))))

    assert made.header.terms.memory <= DEVICE_MEMORY


def test_long_runs_of_equal_bytes_need_no_diff():
    """Where the difference is zero for long, the old bytes are copied; short runs stay in the diff."""
    diff = b"\1" * 5 + bytes(SMALL.gap) + b"\2" + bytes(SMALL.gap - 1) + b"\3"
    spans = spans_of([Add(diff, 40)])

    assert [kinds_of(span) for span in spans] == [[(Kind.ADD, 5), (Kind.COPY, 16), (Kind.ADD, 17)]]
    assert [item.source for item in spans[0].operations] == [40, 45, 61]


def test_long_zeros_and_copies_stand_alone():
    """Spans that cost nothing to make; zero bytes are not even bound by the limit."""
    spans = spans_of([Literal(b"a"), Zero(5000), Zero(5000), Literal(b"b"), Copy(9000, 0), Literal(b"c")])

    assert [kinds_of(span) for span in spans] == [
        [(Kind.LITERAL, 1)],
        [(Kind.ZERO, 10_000)],
        [(Kind.LITERAL, 1)],
        [(Kind.COPY, 4096)],
        [(Kind.COPY, 4096)],
        [(Kind.COPY, 808)],
        [(Kind.LITERAL, 1)],
    ]


def test_streams_are_unpacked_once_a_span_those_kept_least_first():
    """However often and in whatever order steps refer to them: what unpacking takes comes on top of what is kept."""
    first, second = Stored(10, 50, 700, 0), Stored(100, 60, 900, 1)
    parts = (Copy(9, Inside(second, 5)), Copy(8, Inside(first, 0)), Add(b"\7" * 7, Inside(second, 1)))
    (span,) = spans_of([Packed(1, 20, parts), Copy(3, Inside(first, 697))])

    assert [tuple(item) for item in span.operations] == [
        (Kind.INFLATE, 900, 100, 60, 1),
        (Kind.INFLATE, 700, 10, 50, 0),
        (Kind.DEFLATE, 20, 0, 24, 1),
        (Kind.COPY, 9, len(OLD) + 5, 0, 0),
        (Kind.COPY, 8, len(OLD) + 900, 0, 0),
        (Kind.ADD, 7, len(OLD) + 1, 0, 0),
        (Kind.COPY, 3, len(OLD) + 1597, 0, 0),
    ]
    assert (span.kept, span.held, span.raw) == ((range(1, 14), range(900, 1600)), 50 + 60 + 13 + 700, 900)


@pytest.mark.parametrize(
    "step",
    [
        Packed(0, 9, (Zero(5000),)),
        Packed(0, 9, (Zero(1),) * MAX_OPERATIONS),
        Packed(0, 9, ()),
        Copy(1, Inside(Stored(0, 9, 20_000, 0), 0)),
        Copy(1, Inside(Stored(0, 20_000, 9, 0), 0)),
    ],
    ids=["makes too much", "too many parts", "makes nothing", "unpacks too much", "reads too much"],
)
def test_step_that_no_span_can_hold_is_refused(step):
    """The maker must take another way, such as new bytes."""
    with pytest.raises(
        ValueError, match=r"needs a larger span or window than Limits\(span=4096|nothing that a span can do"
    ):
        spans_of([step])


def test_frame_that_devices_would_refuse_is_refused_here():
    """Much unpacked for next to nothing, over and over: the maker must send new bytes instead."""
    text = TEXT[:4000]
    stored = PACKINGS[0].pack(text)
    limits = replace(SMALL, operations=9999, alone=1)
    steps = [step for at in range(30) for step in (Copy(1, Inside(Stored(0, len(stored), 4000, 0), at)), Zero(1))]
    new = b"".join(text[at : at + 1] + b"\0" for at in range(30))

    with pytest.raises(ValueError, match="a frame unpacks and packs 120000 bytes for 60, which devices refuse"):
        write(steps, new, stored, limits=limits, packings=PACKINGS)


def test_span_is_not_overfilled_by_what_packs_badly():
    """The image bytes count as well as those before packing."""
    noise = OLD[:4000]
    packed = PACKINGS[0].pack(noise)
    made = write(
        [Packed(0, len(packed), (Copy(4000, 0),)), Literal(TEXT[:99])], packed + TEXT[:99], OLD, packings=PACKINGS
    )

    spans = cut_spans([Packed(0, len(packed), (Copy(4000, 0),)), Literal(TEXT[:99])], SMALL, len(OLD))
    assert [plain.span.target for plain in spans] == [4096, len(packed) + 99 - 4096]
    assert apply(made) == made.new


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([Literal(b"abd"), Zero(5000)], "other bytes than the new image has at 0 to 3"),
        ([Literal(b"abc"), Zero(4999)], "the steps make 5002 bytes, the new image has 5003"),
        ([Literal(b"abc"), Zero(5001)], "the steps make zero bytes where the new image has none"),
        ([Copy(3, 0), Zero(5000)], "other bytes than the new image has at 0 to 3"),
        ([Zero(5003)], "the steps make zero bytes where the new image has none"),
    ],
)
def test_wrong_steps_are_found_before_anything_is_published(steps, message):
    """Each span is made as a device makes it, and compared."""
    with pytest.raises(WrongSteps, match=message):
        write(steps, b"abc" + bytes(5000), OLD)


def test_each_stream_takes_its_best_codec():
    """Noise stays raw, zeros take nothing, text is packed, and what the old image has is referred to."""
    noise = random.Random(6).randbytes(3000)
    coding = Coding(control=(Lzma(),), diff=(Bz2(),), extra=(Lzma(), Zstd(19)), little=())

    assert head_of([Literal(noise)], noise, coding).extra.codec is Codec.RAW
    assert head_of([Literal(bytes(3000))], bytes(3000), coding).extra.codec is Codec.ZERO
    assert head_of([Literal(TEXT[:3000])], TEXT[:3000], coding).extra.codec in (Codec.LZMA, Codec.ZSTD)
    known = head_of([Literal(OLD[90:3000])], OLD[90:3000], coding, Prefix(0, OLD))
    assert (known.extra.codec, known.dictionary.offset, known.dictionary.length) == (Codec.ZSTD_OLD, 0, len(OLD))
    assert known.extra.stored < 100
    assert head_of([Literal(noise)], noise, coding, Prefix(0, OLD)).dictionary is None


def head_of(steps, new, coding, prefix=None):
    """The head of the one frame of `steps`."""
    plain = prove(cut_spans(steps, SMALL, len(OLD)), Task(image_of(new), image_of(OLD)), Pair(Memory(new), Memory(OLD)))
    return code_frame(next(cut_frames(plain, SMALL)), coding, prefix).head


def test_full_image_skips_its_zero_blocks():
    """Blocks of 4 KiB; the last one may be shorter."""
    new = b"boot" + bytes(4092) + bytes(3 * 4096) + TEXT[:4096] + bytes(100)
    steps = list(whole_image(Memory(new), len(new)))

    assert steps == [Literal(new[:4096]), Zero(3 * 4096), Literal(TEXT[:4096]), Zero(100)]


def test_full_image_of_many_frames():
    """As a maker would write it: long window, and a frame wherever the limit asks for one."""
    new = TEXT * 30 + bytes(40_000) + TEXT[::-1] * 20
    limits = replace(SMALL, frame=50_000)
    made = write(whole_image(Memory(new), len(new)), new, limits=limits, coding=FULL)

    assert made.header.terms.frames > 4
    assert len(made.data) < len(new) // 50
    assert apply(made) == new


def test_packings_are_probed_by_the_zlib_that_made_them():
    """The probe in a payload is what this very zlib gives."""
    assert all(packing.probe for packing in PACKINGS)
    for packing in PACKINGS:
        packing.require_same()
