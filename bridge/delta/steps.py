"""What a payload shall do, step by step in the order of the new image: the words between maker and container."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from bridge.release.delta.spans import Source

BLOCK_BYTES = 4096
ZERO_BLOCK = bytes(BLOCK_BYTES)
READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """A packed stream in an image: `length` bytes at `offset`, `raw` unpacked; `packing` is the index of its way."""

    offset: int
    length: int
    raw: int
    packing: int


@dataclass(frozen=True, slots=True)
class Inside:
    """Byte `offset` of what `stream` unpacks to."""

    stream: Stored
    offset: int


Place = int | Inside
"""Where old bytes are: an offset into the old image, or into one of its streams."""


@dataclass(frozen=True, slots=True)
class Zero:
    """`length` zero bytes."""

    length: int


@dataclass(frozen=True, slots=True)
class Literal:
    """New bytes."""

    data: bytes

    @property
    def length(self) -> int:
        """Bytes made."""
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Copy:
    """`length` old bytes as they are."""

    length: int
    source: Place


@dataclass(frozen=True, slots=True)
class Add:
    """Old bytes, each increased by one of `diff`, modulo 256."""

    diff: bytes
    source: Place

    @property
    def length(self) -> int:
        """Bytes made."""
        return len(self.diff)


Step = Zero | Literal | Copy | Add


@dataclass(frozen=True, slots=True)
class Packed:
    """What `parts` make, packed in way `packing` to `length` bytes. Indivisible: a span must hold it."""

    packing: int
    length: int
    parts: tuple[Step, ...]


def whole_image(new: Source, length: int) -> Iterator[Zero | Literal]:
    """What a full image does: its zero blocks, and all else as new bytes."""
    for start in range(0, length, READ_BYTES):
        data = new.pread(start, min(READ_BYTES, length - start))
        edges = [at for at in range(0, len(data), BLOCK_BYTES) if _turns(data, at)]
        for at, end in pairwise((*edges, len(data))):
            yield Zero(end - at) if _is_zero(data, at) else Literal(data[at:end])


def _turns(data: bytes, at: int) -> bool:
    return at == 0 or _is_zero(data, at) != _is_zero(data, at - BLOCK_BYTES)


def _is_zero(data: bytes, at: int) -> bool:
    return data.startswith(ZERO_BLOCK, at) or not any(data[at : at + BLOCK_BYTES])


def moved(source: Place, count: int) -> Place:
    """The place `count` bytes further on."""
    return source + count if isinstance(source, int) else replace(source, offset=source.offset + count)


def sliced(step: Step, start: int, end: int) -> Step:
    """What of `step` makes its bytes from `start` to `end`."""
    match step:
        case Zero():
            return Zero(end - start)
        case Literal(data):
            return Literal(data[start:end])
        case Copy(_, source):
            return Copy(end - start, moved(source, start))
        case Add(diff, source):
            return Add(diff[start:end], moved(source, start))
