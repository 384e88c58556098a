"""Looks into a payload without applying it: what it does, in what streams, and what that takes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

from bridge.delta.applying import MEMORY, expected_of, read_header, take
from bridge.release.delta import frame
from bridge.release.delta.apply import Expected
from bridge.release.delta.control import Control
from bridge.release.delta.errors import MalformedPayload, OversizedPayload
from bridge.release.delta.frame import Codec, FrameHead
from bridge.release.delta.header import Terms
from bridge.release.delta.memory import needed
from bridge.release.delta.operations import Kind
from bridge.release.delta.streams import Held, Stream

T = TypeVar("T")
NAMES = ("control", "diff", "extra")


@dataclass(frozen=True, slots=True)
class Work:
    """All operations of one kind: how many, and how many bytes they make (INFLATE: unpack, DEFLATE: pack to)."""

    count: int
    length: int


@dataclass(frozen=True, slots=True)
class Coded:
    """All streams of one name and codec: how many, and their bytes as stored and as decoded."""

    name: str
    codec: str
    count: int
    stored: int
    raw: int


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What a payload of `length` bytes consists of, and the most that one of its frames allows to each span, in bytes:
    `span` of image, `raw` of a stream that it unpacks or packs, `window` held for that."""

    length: int
    images: Expected
    terms: Terms
    spans: int
    span: int
    raw: int
    window: int
    work: dict[Kind, Work]
    streams: tuple[Coded, ...]


def inspect(payload: BinaryIO) -> Anatomy:
    """The anatomy of `payload`: its header, and the head and operations of each frame, all held against the limits.

    Bytes of image are not made, so that only their checksums stay unproved.

    Raises: MalformedPayload, OversizedPayload.
    """
    length = payload.seek(0, os.SEEK_END)
    payload.seek(0)
    header = read_header(payload)
    if header.terms.memory > MEMORY:
        raise OversizedPayload(f"the payload takes {header.terms.memory} bytes of memory, {MEMORY} are granted here")
    seen = _Seen(header.terms)
    for index in range(header.terms.frames):
        seen.take(payload, index, length)
    if payload.tell() != length:
        raise MalformedPayload("the payload goes on after its last frame")
    return seen.anatomy(length, expected_of(header))


class _Seen:
    """Counts over the frames so far."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._heads: list[FrameHead] = []
        self._target = 0
        self._counts: Counter[Kind] = Counter()
        self._lengths: Counter[Kind] = Counter()

    def take(self, payload: BinaryIO, index: int, length: int) -> None:
        head = _head(payload, self._terms, index)
        control = Control(_control(payload, head), head, self._terms)
        for _ in control.spans():
            pass
        self._heads.append(head)
        self._target += head.target
        if self._target > self._terms.new_length:
            raise MalformedPayload(f"the frames make more than the {self._terms.new_length} bytes of the new image")
        for kind in Kind:
            self._counts[kind] += control.kinds.count(kind)
            self._lengths[kind] += sum(control.lengths[kind])
        if payload.seek(head.diff.stored + head.extra.stored, os.SEEK_CUR) > length:
            raise MalformedPayload(f"the payload is cut: it ends after {length} bytes, in frame {index}")

    def anatomy(self, length: int, images: Expected) -> Anatomy:
        heads = self._heads
        return Anatomy(
            length,
            images,
            self._terms,
            spans=sum(head.spans for head in heads),
            span=max((head.span for head in heads), default=0),
            raw=max((head.raw for head in heads), default=0),
            window=max((head.window for head in heads), default=0),
            work={kind: Work(self._counts[kind], self._lengths[kind]) for kind in Kind if self._counts[kind]},
            streams=tuple(_streams(heads)),
        )


def _streams(heads: Sequence[FrameHead]) -> Iterator[Coded]:
    """All streams of the frames, control first, by codec."""
    named = [pair for head in heads for pair in zip(NAMES, (head.control, head.diff, head.extra), strict=True)]
    for name in NAMES:
        for codec in Codec:
            found = [stream for which, stream in named if (which, stream.codec) == (name, codec) and stream.raw]
            if found:
                stored, raw = sum(stream.stored for stream in found), sum(stream.raw for stream in found)
                yield Coded(name, codec.name, len(found), stored, raw)


def _head(payload: BinaryIO, terms: Terms, index: int) -> FrameHead:
    fixed = take(payload, frame.FIXED_BYTES)
    rest = take(payload, frame.rest_of_head(fixed))
    head = frame.decode_head(fixed + rest, frame.seal_of(terms.identity, index), index)
    if needed(head) > terms.memory:
        raise MalformedPayload(f"frame {index} of the payload takes more memory to apply than its header declares")
    return head


def _control(payload: BinaryIO, head: FrameHead) -> bytes:
    stream = Stream("control", head.control, Held(bytearray(take(payload, head.control.stored))))
    raw = _result(stream.read(head.control.raw))
    _result(stream.finish())
    return raw


def _result(reading: Generator[None, None, T]) -> T:
    """What a reader of bytes that are all there returns."""
    while True:
        try:
            next(reading)
        except StopIteration as stop:
            value: T = stop.value
            return value
