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


def unpack(data: bytes) -> array[int]:
    """All numbers of `data`. Raises: MalformedPayload for one that is cut, too large or padded with zeros."""
    numbers = array("Q")
    append = numbers.append
    value = shift = 0
    for byte in data:
        if byte >= MORE:
            value |= (byte & VALUE) << shift
            shift += GROUP_BITS
            if shift > MAX_SHIFT:
                raise MalformedPayload(f"the control stream of the payload holds a number above {MAX_NUMBER}")
        elif shift:
            if not byte:
                raise MalformedPayload("the control stream of the payload holds a number with needless zeros")
            append(value | byte << shift)
            value = shift = 0
        else:
            append(byte)
    if shift:
        raise MalformedPayload("the control stream of the payload ends inside a number")
    return numbers


def fold(number: int) -> int:
    """A signed number as an unsigned one: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return number * 2 if number >= 0 else -number * 2 - 1


def unfold(number: int) -> int:
    """The inverse of `fold`."""
    return (number >> 1) ^ -(number & 1)
