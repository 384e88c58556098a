"""An image with its packed streams unpacked: what differencing shall see.

Blocks keep their alignment, so that block-wise search finds them: each stream begins at a multiple of 4096, and what
lies between streams keeps its place modulo 4096. Zero bytes fill the gaps that this leaves.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import BinaryIO, NamedTuple

from bridge.delta.contents.candidates import Image
from bridge.delta.steps import READ_BYTES, Stored
from bridge.release.delta.packing import Packing

ALIGNMENT = 4096
BATCH = 64
"""Pieces that are unpacked at once."""


class Region(NamedTuple):
    """Bytes `start` to `end` of the view: those at `offset` of the image as they are, or `stream` unpacked."""

    start: int
    end: int
    offset: int
    stream: Stored | None


class Expanded:
    """A view of `image` with its `streams`, sorted and disjoint, unpacked. Read it from any thread."""

    def __init__(self, image: Image, streams: Sequence[Stored], packings: Sequence[Packing]) -> None:
        self.image = image
        self.regions: Sequence[Region] = tuple(_regions(image.length, streams))
        """In order; between two of them the view holds zero bytes that stand for nothing."""
        self.length = self.regions[-1].end if self.regions else 0
        self._packings = packings
        self._starts = [region.start for region in self.regions]
        self._last: tuple[int, bytes] = -1, b""

    def region_at(self, offset: int) -> int:
        """The index of the last region that begins at or before `offset`, -1 before the first."""
        return bisect_right(self._starts, offset) - 1

    def pread(self, offset: int, length: int) -> bytes:
        """`length` bytes of the view at `offset`, fewer only where it ends. Sequential reads unpack no stream twice."""
        end = min(offset + length, self.length)
        parts = []
        while offset < end:
            part = self._part(offset, end)
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def _part(self, offset: int, end: int) -> bytes:
        index = self.region_at(offset)
        region = self.regions[index] if index >= 0 else Region(0, 0, 0, None)
        if offset >= region.end:
            return bytes(min(end, self._starts[index + 1]) - offset)
        start, end = offset - region.start, min(end, region.end) - region.start
        if region.stream is None:
            return self.image.pread(region.offset + start, end - start)
        return self._unpacked(index, region.stream)[start:end]

    def _unpacked(self, index: int, stream: Stored) -> bytes:
        last, data = self._last
        if last != index:
            data = self.unpack(stream)
            self._last = index, data
        return data

    def unpack(self, stream: Stored) -> bytes:
        """What `stream` of this image holds."""
        return self._packings[stream.packing].unpack(self.image.pread(stream.offset, stream.length), stream.raw)


def write_expanded(view: Expanded, output: BinaryIO, executor: Executor) -> None:
    """All of `view` into `output`, which is empty and seekable; what stands for nothing is left as a hole.

    `executor` unpacks; threads will do.
    """
    pieces = list(_pieces(view))
    for at in range(0, len(pieces), BATCH):
        batch = pieces[at : at + BATCH]
        for piece, data in zip(batch, executor.map(partial(_read, view), batch), strict=True):
            output.seek(piece.start)
            output.write(data)
    output.truncate(view.length)


def _pieces(view: Expanded) -> Iterator[Region]:
    """The regions, those that are not unpacked in pieces."""
    for region in view.regions:
        if region.stream:
            yield region
            continue
        for at in range(0, region.end - region.start, READ_BYTES):
            start = region.start + at
            yield Region(start, min(start + READ_BYTES, region.end), region.offset + at, None)


def _read(view: Expanded, piece: Region) -> bytes:
    if piece.stream:
        return view.unpack(piece.stream)
    return view.image.pread(piece.offset, piece.end - piece.start)


def _regions(length: int, streams: Sequence[Stored]) -> Iterator[Region]:
    at = done = 0
    for stream in streams:
        if stream.offset > done:
            at += (done - at) % ALIGNMENT
            yield Region(at, at + stream.offset - done, done, None)
            at += stream.offset - done
        at += -at % ALIGNMENT
        yield Region(at, at + stream.raw, stream.offset, stream)
        at += stream.raw
        done = stream.offset + stream.length
    if length > done:
        at += (done - at) % ALIGNMENT
        yield Region(at, at + length - done, done, None)
