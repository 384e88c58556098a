"""Frames forged to the last checksum: whatever they tell the applier to do, it keeps to its bounds."""

from __future__ import annotations

import random
import struct
import sys
import zlib
from dataclasses import replace

import pytest

from bridge.delta.coding import Coding, code_frame
from bridge.delta.cutting import PlainFrame
from bridge.release.delta.control import encode_control
from bridge.release.delta.errors import AlteredPayload, ForeignZlib, MalformedPayload
from bridge.release.delta.frame import Codec, FrameHead, StreamHead, decode_head
from bridge.release.delta.operations import Kind, Operation, Span
from tests.bridge.release.delta.payloads import PACKINGS, apply, coded, forge

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"a release that deltas well " * 40
STORED = PACKINGS[0].pack(TEXT)
OLD = random.Random(3).randbytes(300) + STORED + bytes(50)
NEW = b"x" * 8000
PLAIN = Coding(control=(), diff=(), extra=())


def span(*operations, target=None, source_check=None, target_check=1):
    """A span of these operations; its sums are as they would have to be for a believer."""
    made = sum(item.length for item in operations if item.kind < Kind.INFLATE)
    packed = sum(item.length - item.other for item in operations if item.kind == Kind.DEFLATE)
    sums = [sum(item.length for item in operations if item.kind == kind) for kind in (Kind.ADD, Kind.LITERAL)]
    target = made + packed if target is None else target
    source_check = zlib.crc32(b"") if source_check is None else source_check
    return Span(operations, target, *sums, source_check=source_check, target_check=target_check)


def apply_forged(*spans):
    """What the applier makes of one frame of `spans`, whose diff is all 1 and whose extra is all x."""
    diff, extra = (sum(getattr(item, name) for item in spans) for name in ("diff", "extra"))
    streams = encode_control(spans), b"\1" * diff, b"x" * extra
    heads = (StreamHead(stored=len(stream), raw=len(stream)) for stream in streams)
    head = FrameHead(sum(item.target for item in spans), len(spans), 4096, 4096, 16384, *heads)
    return apply(forge([coded(head, *streams)], NEW, OLD, packings=PACKINGS))


FILLER = span(Operation(Kind.LITERAL, 99), target_check=zlib.crc32(b"x" * 99))
"""Goes first, so that a frame makes something."""
COPY, ADD, LITERAL = Kind.COPY, Kind.ADD, Kind.LITERAL
UNPACK = Operation(Kind.INFLATE, len(TEXT), 300, len(STORED), 0)
END = len(OLD)
END_OF_SPAN = Operation(Kind.LITERAL, 1)


def crc(start, more):
    """Checksum of old bytes as many as the packed text has, and `more`."""
    return zlib.crc32(OLD[start : start + len(STORED) + more])


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ([Operation(COPY, 10, END - 9)], rf"reads 10 bytes at {END - 9}; the old image has {END}, and no stream"),
        ([Operation(COPY, 10, -1)], "reads 10 bytes at -1"),
        ([Operation(ADD, 10, 1 << 40)], f"reads 10 bytes at {1 << 40}"),
        ([Operation(COPY, 1, END)], f"reads 1 bytes at {END}"),
        ([UNPACK, Operation(COPY, 10, END - 5)], f"reads 10 bytes at {END - 5}"),
        ([UNPACK, Operation(COPY, 10, END + len(TEXT) - 9)], "no stream that was unpacked holds them"),
        ([UNPACK, UNPACK._replace(source=END), Operation(COPY, 1, END)], "unpacks .* outside the old image"),
        ([Operation(COPY, 0, 5), Operation(LITERAL, 1)], "an operation of the payload is empty"),
        ([Operation(6, 1)], "operation 6, which this program does not have"),
        ([], "no operation, or more than 16384"),
        ([Operation(LITERAL, 1)] * 16385, "no operation, or more than 16384"),
        ([Operation(LITERAL, 4097)], "makes 4097 bytes, its frame allows 4096"),
        ([Operation(LITERAL, 1), UNPACK], "unpacks after it began to make"),
        ([UNPACK._replace(packing=3), Operation(LITERAL, 1)], "in way 3"),
        ([UNPACK._replace(other=0), Operation(LITERAL, 1)], "packs 0 bytes"),
        ([*([UNPACK] * 400), Operation(LITERAL, 4000)], f"holds {400 * len(STORED)} bytes, its frame allows 16384"),
        ([UNPACK._replace(length=4097), Operation(LITERAL, 1)], "unpacks to 4097 bytes, its frame allows 4096"),
        ([Operation(Kind.DEFLATE, 9, 0, 4097), Operation(LITERAL, 4097)], "to 4097 bytes, its frame allows 4096"),
        ([UNPACK, UNPACK, Operation(COPY, 10, END + len(TEXT) - 5)], "no stream that was unpacked holds them"),
        ([UNPACK], "makes nothing"),
        ([Operation(Kind.DEFLATE, 9, 0, 5), Operation(LITERAL, 4)], "packs more than it makes"),
        ([Operation(Kind.DEFLATE, 9, 0, 5), Operation(LITERAL, 6)], "reaches over the end of what is packed"),
        (
            [Operation(Kind.DEFLATE, 9, 0, 5), Operation(Kind.DEFLATE, 9, 0, 5), Operation(LITERAL, 10)],
            "is being packed",
        ),
    ],
)
def test_forged_operations_are_refused(operations, message):
    """Out of range, out of order, overlapping, absurd: nothing of it is done."""
    with pytest.raises(MalformedPayload, match=message):
        apply_forged(FILLER, span(*operations))


@pytest.mark.parametrize(
    ("forged", "message"),
    [
        (span(UNPACK._replace(source=299), END_OF_SPAN, source_check=crc(299, 0)), "for a zlib stream"),
        (span(UNPACK._replace(length=5), END_OF_SPAN, source_check=crc(300, 0)), "for a zlib stream of 5 bytes"),
        (span(UNPACK._replace(other=len(STORED) + 1), END_OF_SPAN, source_check=crc(300, 1)), "stream of 1080 bytes"),
        (span(Operation(LITERAL, 9), source_check=7), "a checksum of nothing"),
        (span(Operation(Kind.ZERO, 9), target_check=7), "a checksum of nothing"),
        (span(Operation(COPY, 9), source_check=zlib.crc32(OLD[:9]), target_check=7), "a checksum of nothing"),
    ],
)
def test_forged_spans_are_refused(forged, message):
    """Streams that are none, or longer than said; checksums that say nothing."""
    with pytest.raises(MalformedPayload, match=message):
        apply_forged(forged)


def test_span_that_makes_other_bytes_is_refused():
    """The target's checksum decides before anything is handed out."""
    with pytest.raises(AlteredPayload, match="9 bytes at byte 0 of the image came out otherwise"):
        apply_forged(span(Operation(LITERAL, 9), target_check=7))


def test_zlib_that_packs_to_another_length_is_found():
    """Where the probe did not see the difference, the length does."""
    packing = Operation(Kind.DEFLATE, 9, 0, 50)
    with pytest.raises(ForeignZlib, match=r"packs 50 bytes to \d+, the maker's to 9"):
        apply_forged(span(packing, Operation(LITERAL, 50)))


def test_image_of_wrong_bytes_is_refused_at_the_end():
    """All checksums hold, but it is not the image that was signed."""
    wrong = NEW[1:] + b"y"
    halves = [wrong[:4000], wrong[4000:]]
    spans = tuple(span(Operation(LITERAL, len(half)), target_check=zlib.crc32(half)) for half in halves)
    frame = code_frame(PlainFrame(spans, b"", wrong), PLAIN)

    with pytest.raises(AlteredPayload, match=r"the image came out with sha256 [0-9a-f]{64}, signed was"):
        apply(forge([frame], NEW, OLD))


def test_little_work_with_much_unpacking_is_refused():
    """A kilobyte of payload shall not keep a device busy for hours."""
    once = [UNPACK] * 12
    spans = [span(*once, END_OF_SPAN, source_check=zlib.crc32(STORED * 12), target_check=zlib.crc32(b"x"))] * 40

    with pytest.raises(MalformedPayload, match="unpacks far more than it makes"):
        apply_forged(*spans)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (b"\x80\0", "needless zeros"),
        (b"\x81\x80\0", "needless zeros"),
        (b"\xff" * 8, "above 562949953421311"),
        (b"\1\3", "the control stream of the payload is shorter than"),
        (b"\1\0\5\5", "the control stream of the payload is longer than"),
        (b"\1\xff\xff\xff\xff\xff\xff\x7f\1", "operation 562949953421311"),
        (b"\xff\xff\xff\xff\xff\xff\x7f\1", "no operation, or more than 16384"),
        (b"\1", "cannot hold 1 spans"),
    ],
)
def test_forged_control_stream_is_refused(numbers, message):
    """One way to write each number, and exactly as many as the operations take."""
    control = numbers + bytes(8)
    head = FrameHead(5, 1, 4096, 0, 0, StreamHead(stored=len(control), raw=len(control)), StreamHead(), StreamHead())

    with pytest.raises(MalformedPayload, match=message):
        apply(forge([coded(head, control)], NEW, OLD))


def literal_frame(head, data, count=1):
    """A frame of one LITERAL whose extra stream is `data` as `head` says."""
    control = struct.pack("<4B", 1, 3, count, 0)[:3] + bytes(4) + zlib.crc32(b"x" * count).to_bytes(4, "little")
    plain = StreamHead(stored=len(control), raw=len(control))
    return coded(FrameHead(count, 1, 4096, 0, 0, plain, StreamHead(), head), control, data)


@pytest.mark.parametrize(
    ("codec", "second", "data"),
    [
        (Codec.ZSTD, 20, zstd.compress(b"x" * 50_000_000)),
        (Codec.ZSTD, 10, zstd.compress(b"x" + random.Random(1).randbytes(9000))),
        (Codec.ZSTD, 20, zstd.compress(b"x") * 2),
        (Codec.ZSTD, 20, zstd.compress(b"x")[:-1]),
        (Codec.ZSTD, 20, b"no such stream"),
        (Codec.BZ2, 0, b"BZh9"),
        (Codec.BZ2, 0, b"no such stream"),
        (Codec.LZMA, 12, b"no such stream"),
        (Codec.ZSTD, 20, zstd.compress(b"")),
    ],
)
def test_streams_that_are_not_what_they_say_are_refused(codec, second, data):
    """Bombs, windows beyond the declared one, two streams in one, cut ones, and no streams at all."""
    frame = literal_frame(StreamHead(codec, 0, second, len(data), 1), data)

    with pytest.raises(MalformedPayload, match=r"the extra stream of a frame (is|does not end)"):
        apply(forge([frame], b"x"))


@pytest.mark.parametrize(
    "fields",
    [
        {"first": 1},
        {"codec": Codec.ZERO, "stored": 1, "raw": 5},
        {"stored": 4, "raw": 5},
        {"codec": Codec.ZSTD, "second": 28, "stored": 5, "raw": 5},
        {"codec": Codec.LZMA, "first": 225, "second": 20, "stored": 5, "raw": 5},
        {"codec": Codec.LZMA, "first": 13, "second": 20, "stored": 5, "raw": 5},
        {"codec": Codec.LZMA, "second": 27, "stored": 5, "raw": 5},
        {"codec": Codec.BZ2, "stored": 5, "raw": 0},
        {"stored": (1 << 28) + 1, "raw": (1 << 28) + 1},
    ],
)
def test_stream_heads_have_one_form(fields):
    """Parameters out of range, or fields that contradict each other."""
    with pytest.raises(MalformedPayload, match="stream that cannot be"):
        StreamHead(**fields)


def test_frame_that_takes_more_memory_than_declared_is_refused():
    """Before anything of it is decoded: 8 MiB of window where the header declares almost none."""
    data = zstd.compress(b"x")
    frame = literal_frame(StreamHead(Codec.ZSTD, 0, 23, len(data), 1), data)
    declared = forge([literal_frame(StreamHead(stored=1, raw=1), b"x")], b"x").header.terms.memory

    with pytest.raises(
        MalformedPayload, match=rf"frame 0 of the payload takes \d+ bytes of memory.*declares {declared}"
    ):
        apply(forge([frame], b"x", memory=declared))


def test_frames_out_of_turn_are_refused():
    """Twice the same, or exchanged: each is sealed with its place."""
    frame = literal_frame(StreamHead(stored=1, raw=1), b"x")
    made = forge([frame, frame], b"xx")
    size = len(frame.head.encode(0)) + len(frame.body)
    start = len(made.data) - 2 * size
    assert apply(made) == b"xx"

    swapped = made.data[:start] + made.data[start + size :] + made.data[start : start + size]
    with pytest.raises(MalformedPayload, match="frame 0 of the payload does not match its checksum"):
        apply(replace(made, data=swapped))


@pytest.mark.parametrize(
    ("count", "message"),
    [(1, "the frames make 1 bytes, the header declares 2"), (3, "makes 1 bytes, 0 of them done, where 0 are left")],
)
def test_frames_cover_the_image_exactly(count, message):
    """One too few, one too many."""
    frame = literal_frame(StreamHead(stored=1, raw=1), b"x")
    with pytest.raises(MalformedPayload, match=message):
        apply(forge([frame] * count, b"xx"))


def test_unknown_codec_asks_for_a_newer_agent():
    """Formats grow; an old agent says so."""
    frame = literal_frame(StreamHead(stored=1, raw=1), b"x")
    head = frame.head.encode(0)
    told = bytes(StreamHead(stored=1, raw=1).numbers)
    body = head[:-4].replace(told, told[:1] + b"\x09" + told[2:])

    with pytest.raises(MalformedPayload, match="codec 9, which this program does not have: update the agent"):
        decode_head(body + zlib.crc32(body).to_bytes(4, "little"), 0, 0)
