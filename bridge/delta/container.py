"""Writes payloads: what to do in, the bytes of docs/payload-format.md out.

spans = prove(cut_spans(steps, limits, old_length), task, pair)      # sequential: reads both images
frames = (code_frame(frame, coding) for frame in cut_frames(spans, limits))     # may run in workers, in order
header = write_payload(output, task, frames)
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from bridge.delta.coding import CodedFrame
from bridge.delta.cutting import PlainSpan
from bridge.release.delta import memory
from bridge.release.delta.apply import ZEROS
from bridge.release.delta.frame import seal_of
from bridge.release.delta.header import NO_IMAGE, Header, Terms, identity_of
from bridge.release.delta.packing import Packing
from bridge.release.delta.spans import Source, SpanMaker, check_of
from bridge.release.image import Image


class WrongSteps(ValueError):
    """The steps handed over do not make the new image: a fault of the one who made them."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a payload is about: the two images, `old` None for a full one, and the ways of packing that it names."""

    new: Image
    old: Image | None = None
    packings: tuple[Packing, ...] = ()

    def header(self, needed: int, frames: int) -> Header:
        """The header of a payload of `frames` frames that takes so many bytes of memory."""
        old_length = self.old.length if self.old else 0
        old = bytes.fromhex(self.old.sha256) if self.old and old_length else NO_IMAGE
        new = bytes.fromhex(self.new.sha256)
        identity = identity_of(old, new)
        terms = Terms(old_length, self.new.length, needed, frames, identity, self.packings)
        return Header(terms, old, new)


class NoImage:
    """The source of a full image: there is none."""

    def pread(self, offset: int, length: int) -> bytes:  # noqa: ARG002 - the port's face
        """Nothing."""
        return b""


NO_SOURCE = NoImage()


@dataclass(frozen=True, slots=True)
class Pair:
    """Both images, to be read."""

    new: Source
    old: Source = NO_SOURCE


def prove(spans: Iterable[PlainSpan], task: Task, pair: Pair) -> Iterator[PlainSpan]:
    """Each span with its checksums, after it was made as a device makes it and compared with the new image.

    Raises: WrongSteps where both differ, or the spans end elsewhere than the new image.
    """
    terms = task.header(0, 0).terms
    prover = _Prover(SpanMaker(pair.old, terms), pair.new)
    offset = 0
    for plain in spans:
        yield prover.prove(plain, offset)
        offset += plain.span.target
    if offset != task.new.length:
        raise WrongSteps(f"the steps make {offset} bytes, the new image has {task.new.length}")


class _Prover:
    def __init__(self, maker: SpanMaker, new: Source) -> None:
        self._maker = maker
        self._new = new

    def prove(self, plain: PlainSpan, offset: int) -> PlainSpan:
        span = plain.span
        if span.is_zero:
            self._require_zero(span.target, offset)
            return plain
        read = self._maker.read(span)
        source_check = check_of(read)
        made = b"".join(read) if span.is_copy else _all_of(self._maker.build(span, read, *map(_Given, plain.streams)))
        if made != self._new.pread(offset, span.target):
            raise WrongSteps(f"the steps make other bytes than the new image has at {offset} to {offset + span.target}")
        target_check = 0 if span.is_copy else zlib.crc32(made)
        return replace(plain, span=replace(span, source_check=source_check, target_check=target_check))

    def _require_zero(self, length: int, offset: int) -> None:
        for at in range(0, length, len(ZEROS)):
            piece = ZEROS[: length - at]
            if self._new.pread(offset + at, len(piece)) != piece:
                raise WrongSteps(f"the steps make zero bytes where the new image has none, after byte {offset + at}")


class _Given:
    """A stream that is there."""

    def __init__(self, data: bytes) -> None:
        self._rest = memoryview(data)

    def read(self, count: int) -> Generator[None, None, bytes]:
        """The next `count` bytes, at once."""
        piece, self._rest = self._rest[:count], self._rest[count:]
        yield from ()
        return bytes(piece)


def _all_of(work: Generator[None, None, bytes]) -> bytes:
    """What `work` comes to, which waits for nothing."""
    try:
        next(work)
    except StopIteration as done:
        made: bytes = done.value
        return made
    raise RuntimeError("a span waits for a stream that is there")


def write_payload(output: BinaryIO, task: Task, frames: Iterable[CodedFrame]) -> Header:
    """Write the payload of `frames` to `output`, which must be seekable and empty; its header.

    The header comes last into its place at the front: the memory that it declares is known once all frames are.
    """
    draft = task.header(0, 0)
    output.write(draft.encode())
    tally = _Tally()
    for frame in frames:
        output.write(frame.head.encode(seal_of(draft.terms.identity, tally.count)))
        output.write(frame.body)
        tally.take(frame)
    header = tally.header(task)
    output.seek(0)
    output.write(header.encode())
    output.seek(0, os.SEEK_END)
    return header


class _Tally:
    """What the header must tell of the frames."""

    def __init__(self) -> None:
        self.count = 0
        self._memory = 0

    def take(self, frame: CodedFrame) -> None:
        self.count += 1
        self._memory = max(self._memory, memory.needed(frame.head))

    def header(self, task: Task) -> Header:
        return task.header(self._memory, self.count)
