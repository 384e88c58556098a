"""Makes the bytes of one span: reads the old image, checks what it read, builds, packs, checks what it made."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Generator, Iterable
from typing import Protocol

from bridge.release.delta.building import Builder, Reading
from bridge.release.delta.errors import AlteredPayload, ForeignLz4, ForeignSource, ForeignZlib
from bridge.release.delta.header import Terms
from bridge.release.delta.operations import READING, Kind, Operation, Span
from bridge.release.delta.window import Window


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

    def make(self, span: Span, diff: Reading, extra: Reading, offset: int) -> Generator[None, None, bytes]:
        """The bytes of `span`, at `offset` of the image, from the next ones of the diff and extra streams.

        Yields while these have not arrived.

        Raises:
            ForeignSource: the old image holds other bytes there; nothing was made of them.
            AlteredPayload: what was made is not what the payload was to make.
            ForeignZlib, ForeignLz4: this device's library packed it to another length, or to other bytes.
            MalformedPayload: a stream is broken, or bytes to unpack are none.
        """
        read = self.read(span)
        if check_of(read) != span.source_check:
            raise ForeignSource(_foreign(span, offset))
        if span.is_copy:
            return b"".join(read)
        made = yield from self.build(span, read, diff, extra)
        if zlib.crc32(made) != span.target_check:
            raise self._altered(span, offset)
        return made

    def read(self, span: Span) -> deque[bytes]:
        """What each operation reads from the old image, in order."""
        old_length = self._terms.old_length
        return deque(
            read_exactly(self._old, item.source, item.other if item.kind == Kind.INFLATE else item.length)
            for item in span.operations
            if item.kind in READING and item.source < old_length
        )

    def build(self, span: Span, read: deque[bytes], diff: Reading, extra: Reading) -> Generator[None, None, bytes]:
        """The bytes of `span` from the bytes read, which are used up, unchecked."""
        window = Window(self._terms, read)
        for item, kept in zip(span.operations, span.kept, strict=False):
            window.unpack(item, kept)
        parts = yield from Builder(span, self._terms.packings, window, diff, extra).build()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _altered(self, span: Span, offset: int) -> AlteredPayload | ForeignZlib | ForeignLz4:
        where = f"{span.target} bytes at byte {offset} of the image"
        packed = next((item for item in span.operations if item.kind == Kind.DEFLATE), None)
        if packed:
            packing = self._terms.packings[packed.packing]
            return packing.foreign(f"packs otherwise than the maker's, or the payload was damaged: {where} differ")
        return AlteredPayload(f"{where} came out otherwise than they were: the payload was damaged on the way")


def check_of(parts: Iterable[bytes]) -> int:
    """The crc32 of all `parts`, one after the other."""
    check = 0
    for part in parts:
        check = zlib.crc32(part, check)
    return check


def _foreign(span: Span, offset: int) -> str:
    first: Operation = next(item for item in span.operations if item.kind in READING)
    return (
        f"the old slot holds other bytes than the delta was made from, near byte {first.source} (for byte {offset} of "
        "the image): it was modified; take the full artifact"
    )
