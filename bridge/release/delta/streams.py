"""Decoding of the streams of a frame: so many bytes at a time, however well they were compressed."""

from __future__ import annotations

import bz2
import lzma
import sys
from collections import deque
from collections.abc import Generator
from typing import Protocol

from bridge.release.delta.brotlis import BrotliDecoder
from bridge.release.delta.errors import MalformedPayload
from bridge.release.delta.frame import Codec, StreamHead

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdDict, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdDict, ZstdError

INPUT_BYTES = 64 * 1024
"""Coded bytes given to a decoder at once: what it cannot use yet, it copies."""
NOTHING = memoryview(b"")
_FAULTS = (lzma.LZMAError, ZstdError, OSError, EOFError, ValueError)
"""What decoders raise for bytes that are no such stream; OSError is bz2's."""


class Decoder(Protocol):
    """The common face of the decompressors of lzma, bz2 and zstd."""

    @property
    def needs_input(self) -> bool:
        """Whether the next bytes need more input."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def unused_data(self) -> bytes:
        """Input after the end of the stream."""

    def decompress(self, data: bytes | memoryview, max_length: int = -1) -> bytes:
        """Up to `max_length` more bytes."""


class Supply(Protocol):
    """Where the coded bytes of a stream come from."""

    @property
    def left(self) -> int:
        """Bytes not yet taken."""

    def take(self, limit: int) -> memoryview:
        """Up to `limit` of them; empty while none has arrived."""


class Held:
    """A supply that is whole."""

    def __init__(self, data: bytearray) -> None:
        self._view = memoryview(data)

    @property
    def left(self) -> int:
        return len(self._view)

    def take(self, limit: int) -> memoryview:
        piece, self._view = self._view[:limit], self._view[limit:]
        return piece


class Intake:
    """The payload as it arrives: chunks in, any number of bytes out."""

    def __init__(self) -> None:
        self._chunks: deque[memoryview] = deque()
        self.taken = 0
        """Bytes taken so far."""

    def add(self, chunk: bytes) -> None:
        """The next bytes of the payload."""
        if chunk:
            self._chunks.append(memoryview(chunk))

    @property
    def is_empty(self) -> bool:
        """Whether all that arrived was taken."""
        return not self._chunks

    def take(self, limit: int) -> memoryview:
        """Up to `limit` bytes; empty when none is there."""
        if not self._chunks or not limit:
            return NOTHING
        chunk = self._chunks.popleft()
        if len(chunk) > limit:
            self._chunks.appendleft(chunk[limit:])
        piece = chunk[:limit]
        self.taken += len(piece)
        return piece

    def exactly(self, count: int) -> Generator[None, None, bytearray]:
        """`count` bytes, in one buffer of that size; yields while they have not arrived."""
        buffer, filled = bytearray(count), 0
        while filled < count:
            piece = self.take(count - filled)
            if not piece:
                yield
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)
        return buffer


class Arriving:
    """A supply of the next `left` bytes of an intake."""

    def __init__(self, intake: Intake, left: int) -> None:
        self._intake = intake
        self.left = left

    def take(self, limit: int) -> memoryview:
        piece = self._intake.take(min(limit, self.left))
        self.left -= len(piece)
        return piece


class Stream:
    """One stream, decoded as it is read; `name` is for people.

    Its methods are generators that yield while bytes have not arrived, and raise MalformedPayload for a stream that
    is broken, cut, or longer than its head declares.
    """

    def __init__(self, name: str, head: StreamHead, supply: Supply, dictionary: bytes = b"") -> None:
        self._name = name
        self._supply = supply
        self._decoder = _decoder_of(head, dictionary)

    def read(self, count: int) -> Generator[None, None, bytes]:
        """The next `count` decoded bytes."""
        parts, missing = [], count
        while missing:
            part = yield from self._decode(missing)
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def skip(self, count: int) -> Generator[None, None, None]:
        """Drop the next `count` decoded bytes."""
        while count:
            part = yield from self._decode(min(count, INPUT_BYTES))
            count -= len(part)

    def finish(self) -> Generator[None, None, None]:
        """The stream has been read: nothing may follow."""
        while self._supply.left or not (self._decoder.eof or self._decoder.needs_input):
            if (yield from self._decode(1)):
                raise MalformedPayload(f"the {self._name} stream of a frame is longer than its head declares")
        if not self._decoder.eof or self._decoder.unused_data:
            raise MalformedPayload(f"the {self._name} stream of a frame does not end where its head declares")

    def _decode(self, limit: int) -> Generator[None, None, bytes]:
        data = NOTHING
        while not data and self._decoder.needs_input and self._supply.left:
            data = self._supply.take(INPUT_BYTES)
            if not data:
                yield
        if self._decoder.eof or (not data and self._decoder.needs_input):
            raise MalformedPayload(f"the {self._name} stream of a frame does not end where its head declares")
        try:
            return self._decoder.decompress(data, limit)
        except _FAULTS as error:
            raise MalformedPayload(f"the {self._name} stream of a frame is broken: {error}") from error


class _Plain:
    """RAW: bytes as they are."""

    unused_data = b""

    def __init__(self, left: int) -> None:
        self._left = left
        self._rest = NOTHING

    @property
    def needs_input(self) -> bool:
        return not self._rest

    @property
    def eof(self) -> bool:
        return not self._left

    def decompress(self, data: bytes | memoryview, max_length: int = -1) -> bytes:
        view = self._rest or memoryview(data)
        self._rest = view[max_length:]
        self._left -= len(view[:max_length])
        return bytes(view[:max_length])


class _Zeros:
    """ZERO: so many zero bytes, of no input."""

    unused_data = b""
    needs_input = False

    def __init__(self, left: int) -> None:
        self._left = left

    @property
    def eof(self) -> bool:
        return not self._left

    def decompress(self, _: bytes | memoryview, max_length: int = -1) -> bytes:
        count = min(max_length, self._left)
        self._left -= count
        return bytes(count)


def _decoder_of(head: StreamHead, dictionary: bytes) -> Decoder:
    match head.codec:
        case Codec.RAW:
            return _Plain(head.raw)
        case Codec.ZERO:
            return _Zeros(head.raw)
        case Codec.LZMA:
            return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[lzma_filter(head.first, head.second)])
        case Codec.BZ2:
            return bz2.BZ2Decompressor()
        case Codec.BROTLI:
            return BrotliDecoder(head.second)
        case Codec.ZSTD | Codec.ZSTD_OLD:
            prefix = ZstdDict(dictionary, is_raw=True).as_prefix if dictionary else None
            return ZstdDecompressor(zstd_dict=prefix, options={DecompressionParameter.window_log_max: head.second})


def lzma_filter(properties: int, dictionary_log: int) -> dict[str, int]:
    """LZMA1 with (pb * 5 + lp) * 9 + lc, and log2 of the dictionary's bytes."""
    rest, lc = divmod(properties, 9)
    pb, lp = divmod(rest, 5)
    return {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": 1 << dictionary_log}
