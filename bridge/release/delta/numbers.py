"""Whole numbers in 7-bit groups, least significant first (LEB128): one way to write each, at most 49 bits."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from bridge.release.delta.errors import MalformedPayload

MAX_NUMBER = (1 << 49) - 1
GROUP_BITS = 7
MAX_SHIFT = GROUP_BITS * 6
MORE = 0x80
VALUE = 0x7F


def pack(numbers: Iterable[int]) -> bytes:
    """`numbers`, each 0 to `MAX_NUMBER`, one after the other."""
    packed = bytearray()
    for number in numbers:
        rest = number
        while rest >= MORE:
            packed.append(rest & VALUE | MORE)
            rest >>= GROUP_BITS
        packed.append(rest)
    return bytes(packed)


def pack_planes(numbers: Iterable[int]) -> bytes:
    """The same bytes as of `pack`, by planes: the first byte of each number, then the second of each that has one."""
    packed, plane = bytearray(), list(numbers)
    while plane:
        packed += bytes(number if number < MORE else number & VALUE | MORE for number in plane)
        plane = [number >> GROUP_BITS for number in plane if number >= MORE]
    return bytes(packed)


class Numbers:
    """Takes numbers off the front of `data`, which is a `place` of the payload.

    Raises: MalformedPayload where there are fewer, or one is cut, too large or padded with zeros.
    """

    def __init__(self, data: memoryview, place: str) -> None:
        self._rest = data
        self._place = place

    def require_end(self) -> None:
        """Nothing may be left."""
        if self._rest:
            raise self._malformed("is longer than what it tells of")

    def take(self, count: int) -> array[int]:
        """The next `count` ones."""
        self._require(count)
        numbers, left = array("Q"), count
        value = shift = at = 0
        for byte in self._rest if count else ():
            at += 1
            if byte >= MORE:
                value |= (byte & VALUE) << shift
                shift = self._next(shift)
            else:
                numbers.append(value | self._number(byte, shift))
                value = shift = 0
                left -= 1
                if not left:
                    break
        self._rest = self._rest[at:]
        self._require(left)
        return numbers

    def take_planes(self, count: int) -> array[int]:
        """The next `count` ones, by planes."""
        self._require(count)
        numbers, places, shift = array("Q", bytes(8 * count)), array("I", range(count)), 0
        while places:
            self._require(len(places))
            plane, self._rest = self._rest[: len(places)], self._rest[len(places) :]
            for place, byte in zip(places, plane, strict=True):
                numbers[place] |= (byte & VALUE) << shift if byte >= MORE else self._number(byte, shift)
            places = array("I", (place for place, byte in zip(places, plane, strict=True) if byte >= MORE))
            shift = self._next(shift) if places else shift
        return numbers

    def _require(self, count: int) -> None:
        if count > len(self._rest):
            raise self._malformed("is shorter than what it tells of")

    def _number(self, byte: int, shift: int) -> int:
        """The last group of a number."""
        if shift and not byte:
            raise self._malformed("holds a number with needless zeros")
        return byte << shift

    def _next(self, shift: int) -> int:
        if shift + GROUP_BITS > MAX_SHIFT:
            raise self._malformed(f"holds a number above {MAX_NUMBER}")
        return shift + GROUP_BITS

    def _malformed(self, what: str) -> MalformedPayload:
        return MalformedPayload(f"{self._place} of the payload {what}")


def fold(number: int) -> int:
    """A signed number as an unsigned one: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return number * 2 if number >= 0 else -number * 2 - 1


def unfold(number: int) -> int:
    """The inverse of `fold`."""
    return (number >> 1) ^ -(number & 1)
