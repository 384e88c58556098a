"""The data types of MQTT packets (MQTT 5, section 1.5) and the cutting of a stream into packets."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_MORE = 0x80
_VARINT_BYTES = 4
_MAX_TEXT = 0xFFFF
MAX_VARINT = 268_435_455


class MalformedPacketError(Exception):
    """The peer's bytes are not MQTT, or go past what this server takes."""


class Frame(NamedTuple):
    """One packet: type and flags of its first byte, and what follows the length."""

    kind: int
    flags: int
    body: bytes


def encode_varint(value: int) -> bytes:
    """A variable byte integer, 0 to 268 435 455."""
    if not 0 <= value <= MAX_VARINT:
        raise ValueError(f"mqtt: {value} does not fit a variable byte integer")
    out = bytearray()
    while True:
        value, digit = divmod(value, _MORE)
        out.append(digit | _MORE if value else digit)
        if not value:
            return bytes(out)


def encode_u16(value: int) -> bytes:
    """A two byte integer, big-endian."""
    return struct.pack("!H", value)


def encode_u32(value: int) -> bytes:
    """A four byte integer, big-endian."""
    return struct.pack("!I", value)


def encode_binary(data: bytes) -> bytes:
    """Bytes with their two-byte length in front, at most 65 535."""
    if len(data) > _MAX_TEXT:
        raise ValueError(f"mqtt: a field of {len(data)} bytes exceeds {_MAX_TEXT}")
    return encode_u16(len(data)) + data


def encode_text(text: str) -> bytes:
    """UTF-8 text with its length in front."""
    return encode_binary(text.encode())


class Reader:
    """Takes fields off a packet body, front to back.

    Raises:
        MalformedPacketError: (every method) the body ends too early or a field is invalid.
    """

    def __init__(self, body: bytes, position: int = 0, end: int | None = None) -> None:
        self._body = body
        self._position = position
        self._end = len(body) if end is None else end

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left."""
        return self._position >= self._end

    def u8(self) -> int:
        """One byte."""
        return self._take(1)[0]

    def u16(self) -> int:
        """A two byte integer."""
        return int.from_bytes(self._take(2))

    def u32(self) -> int:
        """A four byte integer."""
        return int.from_bytes(self._take(4))

    def varint(self) -> int:
        """A variable byte integer of at most four bytes."""
        value = 0
        for index in range(_VARINT_BYTES):
            digit = self.u8()
            value |= (digit & ~_MORE) << (7 * index)
            if not digit & _MORE:
                return value
        raise MalformedPacketError("a variable byte integer is longer than four bytes")

    def binary(self) -> bytes:
        """Bytes that carry their length."""
        return self._take(self.u16())

    def text(self) -> str:
        """UTF-8 text without NUL."""
        try:
            text = self.binary().decode()
        except UnicodeDecodeError as error:
            raise MalformedPacketError("a text field is not UTF-8") from error
        if "\0" in text:
            raise MalformedPacketError("a text field contains NUL")
        return text

    def part(self, length: int) -> Reader:
        """A reader of the next `length` bytes, which this one skips."""
        start = self._position
        self._take(length)
        return Reader(self._body, start, start + length)

    def rest(self) -> bytes:
        """All that is left."""
        return self._take(self._end - self._position)

    def _take(self, length: int) -> bytes:
        stop = self._position + length
        if stop > self._end:
            raise MalformedPacketError("the packet ends inside a field")
        taken = self._body[self._position : stop]
        self._position = stop
        return taken


class Framer:
    """Cuts a byte stream into packets of at most `max_packet` body bytes."""

    def __init__(self, max_packet: int) -> None:
        self._max_packet = max_packet
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The packets that are complete now.

        Raises:
            MalformedPacketError: a length is malformed or above the limit.
        """
        self._buffer += data
        while (frame := self._cut()) is not None:
            yield frame

    def _cut(self) -> Frame | None:
        header = self._length()
        if header is None:
            return None
        length, start = header
        if length > self._max_packet:
            raise MalformedPacketError(f"a packet of {length} bytes exceeds {self._max_packet}")
        if len(self._buffer) < start + length:
            return None
        first = self._buffer[0]
        body = bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        return Frame(first >> 4, first & 0x0F, body)

    def _length(self) -> tuple[int, int] | None:
        value = 0
        for index, digit in enumerate(self._buffer[1 : 1 + _VARINT_BYTES]):
            value |= (digit & ~_MORE) << (7 * index)
            if not digit & _MORE:
                return value, index + 2
        if len(self._buffer) > _VARINT_BYTES:
            raise MalformedPacketError("a remaining length is longer than four bytes")
        return None
