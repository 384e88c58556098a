"""Builds the bytes of a span, some of its operations at a time, and packs what is to be packed."""

from __future__ import annotations

import struct
from collections.abc import Generator, Sequence
from typing import NamedTuple, Protocol

from bsdiff4 import core

from bridge.release.delta.operations import Kind, Operation, Span
from bridge.release.delta.packing import Packing
from bridge.release.delta.window import Bytes, Window

PIECE_BYTES = 256 * 1024
"""Made at once, whatever an operation asks for."""


class Reading(Protocol):
    """A stream."""

    def read(self, count: int) -> Generator[None, None, bytes]:
        """The next `count` bytes; yields while they have not arrived."""


class Part(NamedTuple):
    """Some of the bytes that an operation makes, and the old ones that they are made from."""

    kind: int
    length: int
    base: Bytes


class Builder:
    """Builds `span`, once, from old bytes of `window` and from streams."""

    def __init__(self, span: Span, packings: Sequence[Packing], window: Window, diff: Reading, extra: Reading) -> None:
        self._operations = [item for item in span.operations if item.kind != Kind.INFLATE]
        self._packings = packings
        self._window = window
        self._diff = diff
        self._extra = extra
        self._next = 0
        self._rest: Part | None = None
        """Of the operation that is in hand."""

    def build(self) -> Generator[None, None, list[bytes]]:
        """Its bytes, in parts. Raises: what unpacking and packing raise."""
        image: list[bytes] = []
        while self._rest or self._next < len(self._operations):
            item = self._operations[self._next] if not self._rest else None
            if item is None or item.kind != Kind.DEFLATE:
                image.append((yield from self._piece(PIECE_BYTES)))
                continue
            self._next += 1
            image.append((yield from self._packed(item)))
        return image

    def _packed(self, item: Operation) -> Generator[None, None, bytes]:
        raw, at = bytearray(item.other), 0
        while at < len(raw):
            piece = yield from self._piece(min(PIECE_BYTES, len(raw) - at))
            raw[at : at + len(piece)] = piece
            at += len(piece)
        if not self._window.is_wanted(self._operations[self._next :]):
            self._window.clear()
        packing = self._packings[item.packing]
        packed = packing.pack(raw)
        if len(packed) != item.length:
            raise packing.foreign(f"packs {len(raw)} bytes to {len(packed)}, the maker's to {item.length}")
        return packed

    def _piece(self, most: int) -> Generator[None, None, bytes]:
        """At most `most` of the next bytes, up to the next packing."""
        parts = self._parts(most)
        diff = yield from self._diff.read(sum(part.length for part in parts if part.kind == Kind.ADD))
        extra = yield from self._extra.read(sum(part.length for part in parts if part.kind == Kind.LITERAL))
        return _assembled(parts, diff, memoryview(extra))

    def _parts(self, most: int) -> list[Part]:
        parts: list[Part] = []
        while most and (part := self._rest or self._start()):
            count = min(most, part.length)
            parts.append(Part(part.kind, count, part.base[:count]))
            rest = part.length - count
            self._rest = Part(part.kind, rest, memoryview(part.base)[count:]) if rest else None
            most -= count
        return parts

    def _start(self) -> Part | None:
        """All of the next operation, if it makes bytes by itself."""
        item = self._operations[self._next] if self._next < len(self._operations) else None
        if item is None or item.kind == Kind.DEFLATE:
            return None
        self._next += 1
        return Part(item.kind, item.length, self._window.take(item) if item.kind in (Kind.COPY, Kind.ADD) else b"")


def _assembled(parts: Sequence[Part], diff: bytes, extra: memoryview) -> bytes:
    """One pass over the parts, then one call that adds and interleaves all of them."""
    bases: list[Bytes] = []
    others: list[Bytes] = []
    runs: list[int] = []
    added = other = at = 0
    for kind, length, base in parts:
        if kind == Kind.ADD:
            if other:
                runs += (added, other, 0)
                added = other = 0
            bases.append(base)
            added += length
            continue
        others.append(base if kind == Kind.COPY else extra[at : at + length] if kind else bytes(length))
        at += length if kind == Kind.LITERAL else 0
        other += length
    if not bases:
        return b"".join(others)
    runs += (added, other, 0)
    control = struct.pack(f"<{len(runs)}q", *runs)
    total = sum(part.length for part in parts)
    made: bytes = core.patch(b"".join(bases), total, control, diff, b"".join(others))
    return made
