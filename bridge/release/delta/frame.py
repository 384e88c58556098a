"""The head of a frame: how much it makes, and how its three streams are coded (docs/payload-format.md, Frame)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from bridge.release.delta.errors import MalformedPayload
from bridge.release.delta.numbers import Numbers, pack
from bridge.release.image import MAX_IMAGE_BYTES


class Codec(IntEnum):
    """How a stream is coded. Numbers are never reused."""

    RAW = 0
    ZERO = 1
    LZMA = 2
    BZ2 = 3
    ZSTD = 4
    ZSTD_OLD = 5
    """zstd with a range of the old image as dictionary; the extra stream only."""
    BROTLI = 6
    """Which knows words of many languages and of programs: for little text."""


LZMA_PROPERTIES = frozenset(
    (pb * 5 + lp) * 9 + lc
    for pb in range(5)
    for lp in range(5)
    for lc in range(9)
    if lc + lp <= 4  # noqa: PLR2004
)
"""Those that liblzma decodes: lc + lp is at most 4."""
DICTIONARY_LOGS = range(12, 27)
WINDOW_LOGS = range(10, 28)
BROTLI_LOGS = range(10, 25)
NONE = range(1)
_PARAMETERS = {
    Codec.LZMA: (LZMA_PROPERTIES, DICTIONARY_LOGS),
    Codec.ZSTD: (NONE, WINDOW_LOGS),
    Codec.ZSTD_OLD: (NONE, WINDOW_LOGS),
    Codec.BROTLI: (NONE, BROTLI_LOGS),
}
DICTIONARY_BYTES = range(8, (1 << 28) + 1)
"""zstd takes no shorter dictionary."""
MAX_STREAM = 1 << 28
"""Bytes of a stream, as coded and as decoded."""
MAX_SPANS = 1 << 20
MAX_SPAN = 16 << 20
MAX_RAW = 16 << 20
MAX_WINDOW = 64 << 20
"""Bytes, of the limits that a frame may declare."""

_SIZES = 5
"""Numbers before those of the streams."""
_CHECK = struct.Struct("<I")
FIXED_BYTES = 1
"""Of a frame's head; `rest_of_head` tells from them how many follow."""


@dataclass(frozen=True, slots=True)
class StreamHead:
    """A stream's codec, its two parameters, and its bytes as coded and as decoded.

    LZMA: `first` is (pb * 5 + lp) * 9 + lc, `second` log2 of the dictionary. zstd and brotli: `second` is log2 of the
    window.
    """

    codec: Codec = Codec.RAW
    first: int = 0
    second: int = 0
    stored: int = 0
    raw: int = 0

    def __post_init__(self) -> None:
        first, second = _PARAMETERS.get(self.codec, (NONE, NONE))
        fits = self.first in first and self.second in second and max(self.stored, self.raw) <= MAX_STREAM
        if not fits or not self._is_canonical():
            raise MalformedPayload(
                f"a frame of the payload declares a {self.codec.name} stream that cannot be: parameters {self.first} "
                f"and {self.second}, {self.stored} bytes for {self.raw}"
            )

    @property
    def numbers(self) -> list[int]:
        """How a frame's head tells it."""
        return [self.raw, self.codec, self.first, self.second, self.stored] if self.raw else [0]

    def _is_canonical(self) -> bool:
        if self.raw == 0:
            return self.codec is Codec.RAW and self.stored == 0
        plain = {Codec.RAW: self.raw, Codec.ZERO: 0}
        return self.stored == plain.get(self.codec, self.stored)


@dataclass(frozen=True, slots=True)
class Dictionary:
    """A range of the old image: byte offset, length, and crc32."""

    offset: int
    length: int
    check: int

    @property
    def numbers(self) -> list[int]:
        """How a frame's head tells it."""
        return [self.offset, self.length, self.check]


@dataclass(frozen=True, slots=True)
class FrameHead:
    """A frame makes `target` bytes of image in `spans` spans. `dictionary` goes with an extra stream of ZSTD_OLD.

    Each span keeps within limits, in bytes: `span` of image, but where all of it is zero; `raw` of a stream unpacked,
    or before it is packed; `window` held where there are such streams (`Span`).
    """

    target: int
    spans: int
    span: int
    raw: int
    window: int
    control: StreamHead
    diff: StreamHead
    extra: StreamHead
    dictionary: Dictionary | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.spans <= min(MAX_SPANS, self.target) or self.target > MAX_IMAGE_BYTES:
            raise MalformedPayload(f"a frame of the payload declares {self.spans} spans for {self.target} bytes")
        if self.span > MAX_SPAN or self.raw > MAX_RAW or self.window > MAX_WINDOW:
            raise MalformedPayload(
                f"a frame of the payload declares spans of {self.span}, streams of {self.raw} and windows of "
                f"{self.window} bytes; {MAX_SPAN}, {MAX_RAW} and {MAX_WINDOW} are possible"
            )
        if Codec.ZSTD_OLD in (self.control.codec, self.diff.codec):
            raise MalformedPayload("a frame of the payload codes another stream than the extra with the old image")
        if (self.dictionary is None) != (self.extra.codec is not Codec.ZSTD_OLD):
            raise MalformedPayload("a frame of the payload has a dictionary without need, or needs one without it")
        if self.dictionary is not None and self.dictionary.length not in DICTIONARY_BYTES:
            raise MalformedPayload(f"a frame of the payload declares a dictionary of {self.dictionary.length} bytes")

    @property
    def stored(self) -> int:
        """Bytes of the three streams in the payload."""
        return self.control.stored + self.diff.stored + self.extra.stored

    def encode(self, seal: int) -> bytes:
        """The bytes that the frame starts with; `seal` is of `seal_of`."""
        numbers = [self.target, self.spans, self.span, self.raw, self.window]
        for stream in (self.control, self.diff, self.extra):
            numbers += stream.numbers
        if self.dictionary is not None:
            numbers += self.dictionary.numbers
        packed = pack(numbers)
        body = bytes([len(packed)]) + packed
        return body + _CHECK.pack(zlib.crc32(body, seal))


def seal_of(identity: int, index: int) -> int:
    """Where the checksum of a frame's head starts: frames of another payload, or out of turn, do not match."""
    return zlib.crc32(index.to_bytes(4, "little"), identity)


def rest_of_head(fixed: bytes) -> int:
    """Bytes that follow the `FIXED_BYTES` first ones."""
    return fixed[0] + _CHECK.size


def decode_head(data: bytes, seal: int, index: int) -> FrameHead:
    """The whole head of frame `index`. Raises: MalformedPayload."""
    body = data[: -_CHECK.size]
    if _CHECK.unpack(data[-_CHECK.size :])[0] != zlib.crc32(body, seal):
        raise MalformedPayload(
            f"frame {index} of the payload does not match its checksum: it was damaged, or belongs to another payload"
        )
    numbers = Numbers(memoryview(body)[FIXED_BYTES:], f"the head of frame {index}")
    target, spans, span, raw, window = numbers.take(_SIZES)
    control, diff, extra = (_stream(numbers) for _ in range(3))
    dictionary = Dictionary(*numbers.take(3)) if extra.codec is Codec.ZSTD_OLD else None
    numbers.require_end()
    return FrameHead(target, spans, span, raw, window, control, diff, extra, dictionary)


def _stream(numbers: Numbers) -> StreamHead:
    raw, *_ = numbers.take(1)
    if not raw:
        return StreamHead()
    codec, first, second, stored = numbers.take(4)
    if codec not in set(Codec):
        raise MalformedPayload(f"the payload uses codec {codec}, which this program does not have: update the agent")
    return StreamHead(Codec(codec), first, second, stored, raw)
