"""Codes the streams of a frame: each with the smallest of the codecs that it may use."""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.delta.cutting import PlainFrame
from bridge.release.delta.control import encode_control
from bridge.release.delta.frame import DICTIONARY_BYTES, Codec, Dictionary, FrameHead, StreamHead
from bridge.release.delta.operations import WORK, Kind, Span
from bridge.release.delta.streams import lzma_filter

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, ZstdDict, compress
else:
    from backports.zstd import CompressionParameter, ZstdDict, compress

LZMA_PRESET = 9 | lzma.PRESET_EXTREME
MAX_DICTIONARY_LOG = 23
"""8 MiB: on real images larger dictionaries cost the device more than they save."""
MAX_WINDOW_LOG = 23


@dataclass(frozen=True, slots=True)
class Lzma:
    """Raw LZMA1 with these literal context, literal position and position bits."""

    lc: int = 3
    lp: int = 0
    pb: int = 2


@dataclass(frozen=True, slots=True)
class Bz2:
    """bzip2 in its largest blocks."""


@dataclass(frozen=True, slots=True)
class Zstd:
    """One zstd frame, its window no larger than the stream or 2 ** `window_log` bytes."""

    level: int = 19
    window_log: int = MAX_WINDOW_LOG


@dataclass(frozen=True, slots=True)
class Prefix:
    """Bytes of the old image, at `offset`, that an extra stream may refer to as if they came before it."""

    offset: int
    data: bytes


Coder = Lzma | Bz2 | Zstd
COMMON = tuple(Lzma(lc, lp, pb) for lc, lp, pb in ((3, 0, 2), (0, 0, 0), (1, 0, 0), (3, 0, 0), (0, 2, 2), (2, 0, 1)))


@dataclass(frozen=True, slots=True)
class Coding:
    """The codecs that each stream of a frame may use; it is stored as it is where none makes it smaller."""

    control: tuple[Coder, ...] = COMMON
    diff: tuple[Coder, ...] = (Lzma(), Lzma(0, 0, 0), Bz2())
    extra: tuple[Coder, ...] = (Lzma(), Lzma(3, 0, 0), Bz2())


FULL = Coding(extra=(Zstd(),))
"""For full images: fast to decode."""


@dataclass(frozen=True, slots=True)
class CodedFrame:
    """A frame as it goes into a payload, but for the checksum of its head. `span` and `window` are the most that one
    of its spans makes and unpacks, in bytes."""

    head: FrameHead
    body: bytes
    span: int
    window: int


def code_frame(frame: PlainFrame, coding: Coding, prefix: Prefix | None = None) -> CodedFrame:
    """`frame` with each stream coded by the best codec of `coding`, the extra stream also against `prefix`.

    A pure function of its arguments: run it in any worker.

    Raises: ValueError where it unpacks and packs so much for so few bytes that devices refuse it.
    """
    control = _smallest(encode_control(frame.spans), coding.control)
    diff = _smallest(frame.diff, coding.diff)
    extra = _smallest(frame.extra, coding.extra)
    dictionary = None
    if (
        prefix is not None
        and len(prefix.data) in DICTIONARY_BYTES
        and frame.extra
        and (found := _against(frame.extra, prefix, extra[0].stored))
    ):
        extra, dictionary = found
    target = sum(span.target for span in frame.spans)
    head = FrameHead(target, len(frame.spans), control[0], diff[0], extra[0], dictionary)
    largest = max((max(span.made, span.target) for span in frame.spans if not span.is_zero), default=0)
    window = max(max(span.window, _stored(span)) for span in frame.spans)
    _require_worth(frame, target, window)
    return CodedFrame(head, control[1] + diff[1] + extra[1], largest, window)


def _require_worth(frame: PlainFrame, target: int, window: int) -> None:
    packed = sum(item.other for span in frame.spans for item in span.operations if item.kind == Kind.DEFLATE)
    work = packed + sum(span.window for span in frame.spans)
    if work > WORK * target + window:
        raise ValueError(
            f"a frame unpacks and packs {work} bytes for {target}, which devices refuse: use new bytes there"
        )


def _stored(span: Span) -> int:
    """Bytes that a span's window has while it is still packed: more than unpacked, where they do not pack well."""
    return sum(operation.other for operation in span.operations if operation.kind == Kind.INFLATE)


def _smallest(raw: bytes, coders: tuple[Coder, ...]) -> tuple[StreamHead, bytes]:
    """Of the smallest the first, so that equal streams are always coded alike."""
    if not raw.strip(b"\0"):
        codec = Codec.ZERO if raw else Codec.RAW
        return StreamHead(codec, raw=len(raw)), b""
    return min(_candidates(raw, coders), key=lambda candidate: len(candidate[1]))


def _candidates(raw: bytes, coders: tuple[Coder, ...]) -> Iterator[tuple[StreamHead, bytes]]:
    yield StreamHead(Codec.RAW, stored=len(raw), raw=len(raw)), raw
    for coder in coders:
        yield _coded(raw, coder)


def _coded(raw: bytes, coder: Coder) -> tuple[StreamHead, bytes]:
    match coder:
        case Lzma(lc, lp, pb):
            properties, log = (pb * 5 + lp) * 9 + lc, _log(len(raw), 12, MAX_DICTIONARY_LOG)
            options = lzma_filter(properties, log) | {"preset": LZMA_PRESET}
            data = lzma.compress(raw, lzma.FORMAT_RAW, filters=[options])
            return StreamHead(Codec.LZMA, properties, log, len(data), len(raw)), data
        case Bz2():
            data = bz2.compress(raw)
            return StreamHead(Codec.BZ2, stored=len(data), raw=len(raw)), data
        case Zstd(level, window_log):
            log = _log(len(raw), 10, window_log)
            data = compress(raw, options=_zstd(level, log))
            return StreamHead(Codec.ZSTD, 0, log, len(data), len(raw)), data


def _against(raw: bytes, prefix: Prefix, best: int) -> tuple[tuple[StreamHead, bytes], Dictionary] | None:
    """The extra stream coded against old bytes, if that saves more than the head of the dictionary takes."""
    log = _log(len(raw) + len(prefix.data), 10, MAX_WINDOW_LOG)
    known = ZstdDict(prefix.data, is_raw=True)
    data = compress(raw, options=_zstd(22, log), zstd_dict=known.as_prefix)
    if len(data) + Dictionary.WIRE.size >= best:
        return None
    head = StreamHead(Codec.ZSTD_OLD, 0, log, len(data), len(raw))
    return (head, data), Dictionary(prefix.offset, len(prefix.data), zlib.crc32(prefix.data))


def _zstd(level: int, window_log: int) -> dict[int, int]:
    return {
        CompressionParameter.compression_level: level,
        CompressionParameter.window_log: window_log,
        CompressionParameter.content_size_flag: 0,
        CompressionParameter.checksum_flag: 0,
        CompressionParameter.dict_id_flag: 0,
    }


def _log(length: int, least: int, most: int) -> int:
    """log2 of the smallest power of two that holds `length`, kept within bounds."""
    return max(least, min(most, (length - 1).bit_length()))
