"""What a payload does: operations that make bytes, and spans of them that are checked, made and written as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """What an operation does. Numbers are never reused."""

    ZERO = 0
    COPY = 1
    ADD = 2
    LITERAL = 3
    INFLATE = 4
    DEFLATE = 5


READING = frozenset((Kind.COPY, Kind.ADD, Kind.INFLATE))
"""Kinds with a source, an offset into the old image or, from its length on, into the window of the span."""
PACKED = (Kind.INFLATE, Kind.DEFLATE)
MAX_OPERATIONS = 1 << 14
"""In a span: bounds the memory that they take one by one."""
WORK = 1100
"""Bytes unpacked and packed again for one byte of target, at most, beside one window: bounds the time that a frame
takes. Deflate packs up to 1032 to one, LZ4 up to 255."""


class Operation(NamedTuple):
    """One step.

    ZERO: `length` zero bytes. COPY: `length` bytes at `source`. ADD: the same, each increased by the next byte of the
    diff stream, modulo 256. LITERAL: the next `length` bytes of the extra stream. INFLATE: unpacks `other` bytes at
    `source` of the old image to `length` bytes at the end of the window. DEFLATE: packs the `other` bytes that the
    next operations make to `length` bytes of target. Both of them by any method: `packing` is an index of
    `Terms.packings`.
    """

    kind: int
    length: int
    source: int = 0
    other: int = 0
    packing: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """Operations, and crc32 of all that they read from the old image in order and of all that they make.

    Bytes: `target` of image; `diff` and `extra` of those streams; `raw` of the largest stream that it unpacks or packs,
    before packing; `held` where it does so at all: what it reads from the old image, and what it keeps of the streams
    that it unpacks. Of each of these `kept` is the range, in the window, from the first byte that is used to the last.
    A checksum that says nothing is 0: of the source without reading, of the target of bytes that are zero or the
    source itself.
    """

    operations: Sequence[Operation]
    target: int
    diff: int
    extra: int
    raw: int = 0
    held: int = 0
    kept: tuple[range, ...] = ()
    source_check: int = 0
    target_check: int = 0

    @property
    def is_zero(self) -> bool:
        """Whether it makes nothing but zero bytes."""
        return all(operation.kind == Kind.ZERO for operation in self.operations)

    @property
    def is_copy(self) -> bool:
        """Whether it makes nothing but bytes of the old image as they are."""
        return all(operation.kind == Kind.COPY for operation in self.operations)

    @property
    def packs(self) -> bool:
        """Whether some of what it makes is packed."""
        return any(operation.kind == Kind.DEFLATE for operation in self.operations)

    @property
    def reads(self) -> bool:
        """Whether it reads the old image."""
        return any(operation.kind in READING for operation in self.operations)


def advance_of(operation: Operation) -> int:
    """How far an operation moves the place where the next source is expected: along with the target."""
    match operation.kind:
        case Kind.INFLATE:
            return operation.other
        case Kind.DEFLATE:
            return 0
        case _:
            return operation.length
