"""Makes the bytes of one span: reads the old image, checks what it read, builds, packs, checks what it made."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Protocol

from bsdiff4 import core

from bridge.release.delta.errors import AlteredPayload, ForeignSource, ForeignZlib
from bridge.release.delta.header import Terms
from bridge.release.delta.operations import READING, Kind, Operation, Span


class Source(Protocol):
    """The old image."""

    def pread(self, offset: int, length: int) -> bytes:
        """`length` bytes at `offset`, fewer only where the image ends."""


def read_exactly(source: Source, offset: int, length: int) -> bytes:
    """`length` bytes of the old image. Raises: ForeignSource where it ends before."""
    data = source.pread(offset, length)
    if len(data) != length:
        raise ForeignSource(f"the old slot ends at byte {offset + len(data)}, the delta reads up to {offset + length}")
    return data


class SpanMaker:
    """Makes spans of the payload with these `terms` from `old`."""

    def __init__(self, old: Source, terms: Terms) -> None:
        self._old = old
        self._terms = terms

    def make(self, span: Span, diff: bytes, extra: bytes, offset: int) -> bytes:
        """The bytes of `span`, at `offset` of the image, from its parts of the diff and extra streams.

        Raises:
            ForeignSource: the old image holds other bytes there; nothing was made of them.
            AlteredPayload: what was made is not what the payload was to make.
            ForeignZlib: this device's zlib packed it to another length, or to other bytes.
        """
        read = self.read(span)
        joined = b"".join(read)
        if zlib.crc32(joined) != span.source_check:
            raise ForeignSource(_foreign(span, offset))
        if span.is_copy:
            return joined
        del joined
        made = self.build(span, read, diff, extra)
        if zlib.crc32(made) != span.target_check:
            raise _altered(span, offset)
        return made

    def read(self, span: Span) -> list[bytes]:
        """What each operation reads from the old image, in order."""
        old_length = self._terms.old_length
        return [
            read_exactly(self._old, item.source, item.other if item.kind == Kind.INFLATE else item.length)
            for item in span.operations
            if item.kind in READING and item.source < old_length
        ]

    def build(self, span: Span, read: Sequence[bytes], diff: bytes, extra: bytes) -> bytes:
        """The bytes of `span` from the bytes read, unchecked."""
        made = _assemble(span, self._sources(span, read), diff, memoryview(extra))
        return self._pack(span.operations, made) if span.packs else made

    def _sources(self, span: Span, read: Sequence[bytes]) -> Iterator[bytes]:
        """What each COPY and ADD starts from."""
        if not span.window:
            return iter(read)
        reading = [item for item in span.operations if item.kind in READING]
        streams = [item for item in reading if item.kind == Kind.INFLATE]
        window = b"".join(map(self._inflate, streams, read))
        return self._from_window(reading[len(streams) :], iter(read[len(streams) :]), window)

    def _inflate(self, item: Operation, stored: bytes) -> bytes:
        return self._terms.packings[item.packing].unpack(stored, item.length)

    def _from_window(self, reading: Sequence[Operation], read: Iterator[bytes], window: bytes) -> Iterator[bytes]:
        for item in reading:
            start = item.source - self._terms.old_length
            yield next(read) if start < 0 else window[start : start + item.length]

    def _pack(self, operations: Sequence[Operation], made: bytes) -> bytes:
        parts, at, skip = [], 0, 0
        for item in operations:
            if item.kind == Kind.INFLATE:
                continue
            if item.kind == Kind.DEFLATE:
                parts.append(self._deflate(item, made[at : at + item.other]))
                at, skip = at + item.other, item.other
            elif skip:
                skip -= item.length
            else:
                parts.append(made[at : at + item.length])
                at += item.length
        return b"".join(parts)

    def _deflate(self, item: Operation, raw: bytes) -> bytes:
        packed = self._terms.packings[item.packing].pack(raw)
        if len(packed) != item.length:
            raise ForeignZlib(
                f"zlib {zlib.ZLIB_RUNTIME_VERSION} of this device packs {len(raw)} bytes to {len(packed)}, the maker's "
                f"to {item.length}; take the full artifact"
            )
        return packed


def _assemble(span: Span, sources: Iterator[bytes], diff: bytes, extra: memoryview) -> bytes:
    """One pass over the operations, then one call that adds and interleaves all of them."""
    bases: list[bytes] = []
    others: list[bytes | memoryview] = []
    runs: list[int] = []
    added = other = at = 0
    for kind, length, *_ in span.operations:
        if kind == Kind.ADD:
            if other:
                runs += (added, other, 0)
                added = other = 0
            bases.append(next(sources))
            added += length
        elif kind <= Kind.LITERAL:
            others.append(next(sources) if kind == Kind.COPY else extra[at : at + length] if kind else bytes(length))
            at += length if kind == Kind.LITERAL else 0
            other += length
    if not bases:
        return b"".join(others)
    runs += (added, other, 0)
    control = struct.pack(f"<{len(runs)}q", *runs)
    made: bytes = core.patch(b"".join(bases), span.made, control, diff, b"".join(others))
    return made


def _foreign(span: Span, offset: int) -> str:
    first = next(item for item in span.operations if item.kind in READING)
    return (
        f"the old slot holds other bytes than the delta was made from, near byte {first.source} (for byte {offset} of "
        "the image): it was modified; take the full artifact"
    )


def _altered(span: Span, offset: int) -> AlteredPayload | ForeignZlib:
    where = f"{span.target} bytes at byte {offset} of the image"
    if span.packs:
        return ForeignZlib(f"{where} came out otherwise than they were: damaged, or packed by another zlib")
    return AlteredPayload(f"{where} came out otherwise than they were: the payload was damaged on the way")
