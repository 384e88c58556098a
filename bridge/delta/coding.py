"""Codes the streams of a frame: each with the smallest of the codecs that it may use."""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple, Protocol

import brotli

from bridge.delta.cutting import PlainFrame
from bridge.release.delta.control import encode_control
from bridge.release.delta.frame import DICTIONARY_BYTES, Codec, Dictionary, FrameHead, StreamHead
from bridge.release.delta.operations import WORK, Kind, Span
from bridge.release.delta.streams import lzma_filter

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, Strategy, ZstdDict, compress
else:
    from backports.zstd import CompressionParameter, Strategy, ZstdDict, compress

LZMA_PRESET = 9 | lzma.PRESET_EXTREME
MAX_DICTIONARY_LOG = 23
"""8 MiB: on real images larger dictionaries cost the device more than they save."""
MAX_WINDOW_LOG = 23
BROTLI_GAP = 16
"""Bytes that its window is smaller than a power of two."""
LARGE = 1 << 20
"""Bytes of streams, unpacked, from which on a span takes so much memory itself that dictionaries must be small."""
LARGE_DICTIONARY_LOG = 20
DICTIONARY_COST = 12
"""Bytes that the head of a frame tells of its dictionary, about."""
LITTLE = 1 << 20
"""Bytes of an extra stream, unpacked, up to which it is worth the time to try what is slow."""


@dataclass(frozen=True, slots=True)
class Lzma:
    """Raw LZMA1 with these literal context, literal position and position bits; the coder tries `depth` matches at each
    place, 512 in the hardest of its presets."""

    lc: int = 3
    lp: int = 0
    pb: int = 2
    depth: int = 512


@dataclass(frozen=True, slots=True)
class Bz2:
    """bzip2 in its largest blocks."""


@dataclass(frozen=True, slots=True)
class Zstd:
    """One zstd frame, its window no larger than the stream or 2 ** `window_log` bytes."""

    level: int = 19
    window_log: int = MAX_WINDOW_LOG


@dataclass(frozen=True, slots=True)
class Brotli:
    """One brotli stream of the best quality."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """Bytes of the old image, at `offset`, that an extra stream may refer to as if they came before it."""

    offset: int
    data: bytes


Coder = Lzma | Bz2 | Zstd | Brotli
COMMON = tuple(Lzma(lc, lp, pb) for lc, lp, pb in ((3, 0, 2), (0, 0, 0), (1, 0, 0), (3, 0, 0), (0, 2, 2), (2, 0, 1)))


@dataclass(frozen=True, slots=True)
class Coding:
    """The codecs that each stream of a frame may use, and `little` an extra stream of at most `LITTLE` bytes too; it
    is stored as it is where none makes it smaller."""

    control: tuple[Coder, ...] = COMMON
    diff: tuple[Coder, ...] = (Lzma(), Lzma(0, 0, 0), Bz2())
    extra: tuple[Coder, ...] = (Lzma(), Lzma(3, 0, 0), Bz2())
    little: tuple[Coder, ...] = (Brotli(),)
    dictionary_log: int = MAX_DICTIONARY_LOG


FULL = Coding(extra=(Zstd(),), little=())
"""For full images: fast to decode."""


@dataclass(frozen=True, slots=True)
class CodedFrame:
    """A frame as it goes into a payload, but for the checksum of its head."""

    head: FrameHead
    body: bytes


@dataclass(frozen=True, slots=True)
class Job:
    """One stream to be coded in one way; with `prefix`, against old bytes."""

    raw: bytes
    coder: Coder
    dictionary_log: int
    prefix: Prefix | None = None


Coded = tuple[StreamHead, bytes]


class Each(Protocol):
    """Does all jobs, in any order; results in theirs: `map`, or that of an executor of threads."""

    def __call__(self, work: Callable[[Job], Coded], jobs: Iterable[Job], /) -> Iterator[Coded]:
        """The results."""


def code_frame(frame: PlainFrame, coding: Coding, prefix: Prefix | None = None, each: Each = map) -> CodedFrame:
    """`frame` with each stream coded by the best codec of `coding`, the extra stream also against `prefix`.

    A pure function of its arguments, however `each` does the work.

    Raises: ValueError where it unpacks and packs so much for so few bytes that devices refuse it.
    """
    raws = encode_control(frame.spans), frame.diff, frame.extra
    is_little = len(frame.extra) <= LITTLE
    coders = coding.control, coding.diff, coding.extra + (coding.little if is_little else ())
    limits = _limits_of(frame.spans)
    log = min(coding.dictionary_log, MAX_DICTIONARY_LOG if limits.raw <= LARGE else LARGE_DICTIONARY_LOG)
    jobs = [
        [Job(raw, coder, log) for coder in some if raw.strip(b"\0")] for raw, some in zip(raws, coders, strict=True)
    ]
    if prefix is not None and len(prefix.data) in DICTIONARY_BYTES and jobs[2]:
        jobs[2].append(Job(frame.extra, Zstd(22, log), log, prefix))
    done = each(_coded, chain.from_iterable(jobs))
    control, diff, extra = (_smallest(raw, islice(done, len(some))) for raw, some in zip(raws, jobs, strict=True))
    dictionary = _dictionary(prefix) if prefix and extra[0].codec is Codec.ZSTD_OLD else None
    target = sum(span.target for span in frame.spans)
    _require_worth(frame, target, limits)
    head = FrameHead(target, len(frame.spans), *limits, control[0], diff[0], extra[0], dictionary)
    return CodedFrame(head, control[1] + diff[1] + extra[1])


class _SpanLimits(NamedTuple):
    span: int
    raw: int
    window: int


def _limits_of(spans: Iterable[Span]) -> _SpanLimits:
    """What the largest of `spans` take."""
    rows = [(span.target, span.raw, span.held) for span in spans if not span.is_zero]
    return _SpanLimits(*map(max, zip((0, 0, 0), *rows, strict=True)))


def _require_worth(frame: PlainFrame, target: int, limits: _SpanLimits) -> None:
    operations = [item for span in frame.spans for item in span.operations]
    work = sum(item.other for item in operations if item.kind == Kind.DEFLATE)
    work += sum(item.length for item in operations if item.kind == Kind.INFLATE)
    if work > WORK * target + limits.raw + limits.window:
        raise ValueError(
            f"a frame unpacks and packs {work} bytes for {target}, which devices refuse: use new bytes there"
        )


def _smallest(raw: bytes, coded: Iterable[Coded]) -> Coded:
    """Of the smallest the first, so that equal streams are always coded alike."""
    if not raw.strip(b"\0"):
        codec = Codec.ZERO if raw else Codec.RAW
        return StreamHead(codec, raw=len(raw)), b""
    plain = StreamHead(Codec.RAW, stored=len(raw), raw=len(raw)), raw
    return min((plain, *coded), key=_cost)


def _cost(coded: Coded) -> int:
    """What it takes in the payload; a dictionary has its own head."""
    head, data = coded
    return len(data) + (DICTIONARY_COST if head.codec is Codec.ZSTD_OLD else 0)


def _coded(job: Job) -> Coded:
    raw = job.raw
    if job.prefix:
        return _against(raw, job.prefix, job.dictionary_log)
    match job.coder:
        case Lzma(lc, lp, pb, depth):
            properties, log = (pb * 5 + lp) * 9 + lc, _log(len(raw), 12, job.dictionary_log)
            options = lzma_filter(properties, log) | {"preset": LZMA_PRESET, "depth": depth}
            data = lzma.compress(raw, lzma.FORMAT_RAW, filters=[options])
            return StreamHead(Codec.LZMA, properties, log, len(data), len(raw)), data
        case Bz2():
            data = bz2.compress(raw)
            return StreamHead(Codec.BZ2, stored=len(data), raw=len(raw)), data
        case Zstd(level, window_log):
            log = _log(len(raw), 10, min(window_log, job.dictionary_log))
            data = compress(raw, options=_zstd(level, log))
            return StreamHead(Codec.ZSTD, 0, log, len(data), len(raw)), data
        case Brotli():
            log = _log(len(raw) + BROTLI_GAP, 10, min(24, job.dictionary_log))
            data = brotli.compress(raw, quality=11, lgwin=log)
            return StreamHead(Codec.BROTLI, 0, log, len(data), len(raw)), data


def _against(raw: bytes, prefix: Prefix, most: int) -> Coded:
    """The extra stream coded against old bytes."""
    log = _log(len(raw) + len(prefix.data), 10, most)
    known = ZstdDict(prefix.data, is_raw=True)
    options = _zstd(22, log) | (CLOSE if len(raw) <= LITTLE else {})
    data = compress(raw, options=options, zstd_dict=known.as_prefix)
    return StreamHead(Codec.ZSTD_OLD, 0, log, len(data), len(raw)), data


CLOSE = {
    CompressionParameter.strategy: Strategy.btultra2,
    CompressionParameter.min_match: 3,
    CompressionParameter.target_length: 1 << 17,
    CompressionParameter.search_log: 20,
    CompressionParameter.enable_long_distance_matching: 1,
}
"""zstd with matches as short as can be, sought over all distances."""


def _dictionary(prefix: Prefix) -> Dictionary:
    return Dictionary(prefix.offset, len(prefix.data), zlib.crc32(prefix.data))


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
