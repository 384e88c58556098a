"""The control stream of a frame: its operations, in columns, and the checksums of its spans.

Columns compress better than operations one after the other (docs/payload-format.md, Control stream).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from bridge.release.delta.errors import MalformedPayload
from bridge.release.delta.frame import FrameHead
from bridge.release.delta.header import Terms
from bridge.release.delta.numbers import fold, pack, unfold, unpack
from bridge.release.delta.operations import MAX_OPERATIONS, PACKED, READING, WORK, Kind, Operation, Span, advance_of

_CHECKS = struct.Struct("<II")


def encode_control(spans: Sequence[Span]) -> bytes:
    """The control stream, as decoded, of a frame of `spans`."""
    operations = list(chain.from_iterable(span.operations for span in spans))
    columns: Iterable[Iterable[int]] = (
        (len(span.operations) for span in spans),
        (operation.kind for operation in operations),
        *([item.length for item in operations if item.kind == kind] for kind in Kind),
        *([item.other for item in operations if item.kind == kind] for kind in PACKED),
        *([item.packing for item in operations if item.kind == kind] for kind in PACKED),
        _source_steps(operations),
    )
    checks = b"".join(_CHECKS.pack(span.source_check, span.target_check) for span in spans)
    return pack(chain.from_iterable(columns)) + checks


def _source_steps(operations: Iterable[Operation]) -> Iterator[int]:
    cursor = 0
    for operation in operations:
        if operation.kind in READING:
            yield fold(operation.source - cursor)
            cursor = operation.source
        cursor += advance_of(operation)


class Control:
    """The operations of a frame. Raises: MalformedPayload where they do not agree with the frame's head."""

    def __init__(self, raw: bytes, head: FrameHead, terms: Terms) -> None:
        self._terms = terms
        size = len(raw) - head.spans * _CHECKS.size
        if size < 2 * head.spans:
            raise MalformedPayload(f"a control stream of {len(raw)} bytes cannot hold {head.spans} spans")
        self._checks = raw[size:]
        self._cut(unpack(raw[:size]), head.spans)
        self._require_sums(head)

    def spans(self) -> Iterator[Span]:
        """Each span, once it was found to keep within bounds. Raises: MalformedPayload."""
        reader = _SpanReader(self)
        at = 0
        for count, checks in zip(self.counts, _CHECKS.iter_unpack(self._checks), strict=True):
            yield reader.read(self.kinds[at : at + count], *checks)
            at += count

    @property
    def terms(self) -> Terms:
        """What bounds the operations."""
        return self._terms

    def _cut(self, numbers: array[int], spans: int) -> None:
        columns = _Columns(numbers)
        self.counts = columns.take(spans)
        if min(self.counts) == 0 or max(self.counts) > MAX_OPERATIONS:
            raise MalformedPayload(f"a span of the payload has no operation, or more than {MAX_OPERATIONS}")
        kinds = columns.take(sum(self.counts))
        if max(kinds) > max(Kind):
            raise MalformedPayload(f"the payload holds operation {max(kinds)}, which this program does not have")
        self.kinds = bytes(kinds.tolist())
        counts = [self.kinds.count(kind) for kind in Kind]
        self.lengths = [columns.take(count) for count in counts]
        self.others = [columns.take(counts[kind]) for kind in PACKED]
        self.packings = [columns.take(counts[kind]) for kind in PACKED]
        self.sources = columns.take(sum(counts[kind] for kind in READING))
        columns.require_end()

    def _require_sums(self, head: FrameHead) -> None:
        total = [sum(column) for column in self.lengths]
        made = total[Kind.ZERO] + total[Kind.COPY] + total[Kind.ADD] + total[Kind.LITERAL]
        packed = sum(self.others[PACKED.index(Kind.DEFLATE)])
        sums = made - packed + total[Kind.DEFLATE], total[Kind.ADD], total[Kind.LITERAL]
        if sums != (head.target, head.diff.raw, head.extra.raw):
            raise MalformedPayload(
                f"the operations of a frame make {sums[0]} bytes of {sums[1]} of diff and {sums[2]} of extra; its head "
                f"declares {head.target}, {head.diff.raw} and {head.extra.raw}"
            )
        if total[Kind.INFLATE] + packed > WORK * head.target + self._terms.window:
            raise MalformedPayload("a frame of the payload unpacks far more than it makes")


class _Columns:
    """Takes columns off a row of numbers, without copying them."""

    def __init__(self, numbers: array[int]) -> None:
        self._numbers = memoryview(numbers)
        self._at = 0

    def take(self, count: int) -> memoryview[int]:
        if count > len(self._numbers) - self._at:
            raise MalformedPayload("the control stream of the payload is shorter than its operations")
        self._at += count
        return self._numbers[self._at - count : self._at]

    def require_end(self) -> None:
        if self._at != len(self._numbers):
            raise MalformedPayload("the control stream of the payload is longer than its operations")


class _SpanReader:
    """Reads the operations of one span after the other, and holds each against the bounds."""

    def __init__(self, control: Control) -> None:
        self._terms = control.terms
        self._lengths = [iter(column) for column in control.lengths]
        self._others = dict(zip(PACKED, map(iter, control.others), strict=True))
        self._packings = dict(zip(PACKED, map(iter, control.packings), strict=True))
        self._sources = iter(control.sources)
        self._cursor = 0
        self._start()

    def _start(self) -> None:
        self._target = self._made = self._diff = self._extra = self._window = self._stored = 0
        self._inside = 0
        """Bytes that the DEFLATE before still takes."""

    def read(self, kinds: bytes, source_check: int, target_check: int) -> Span:
        self._start()
        operations = [self._operation(kind) for kind in kinds]
        span = Span(
            operations,
            self._target,
            self._made,
            self._diff,
            self._extra,
            self._window,
            source_check,
            target_check,
        )
        self._require_bounds(span)
        return span

    def _operation(self, kind: int) -> Operation:
        length = next(self._lengths[kind])
        if not length:
            raise MalformedPayload("an operation of the payload is empty")
        if kind in PACKED:
            return self._packed(kind, length)
        self._make(kind, length)
        if kind in READING:
            return Operation(kind, length, self._source(length))
        self._cursor += length
        return Operation(kind, length)

    def _make(self, kind: int, length: int) -> None:
        self._made += length
        if kind == Kind.ADD:
            self._diff += length
        elif kind == Kind.LITERAL:
            self._extra += length
        if not self._inside:
            self._target += length
        elif length > self._inside:
            raise MalformedPayload("an operation of the payload reaches over the end of what is packed")
        else:
            self._inside -= length

    def _packed(self, kind: int, length: int) -> Operation:
        other, packing = next(self._others[Kind(kind)]), next(self._packings[Kind(kind)])
        if not other or packing >= len(self._terms.packings):
            raise MalformedPayload(f"an operation of the payload packs {other} bytes in way {packing}")
        if kind == Kind.DEFLATE:
            return self._deflate(length, other, packing)
        return self._inflate(length, other, packing)

    def _deflate(self, length: int, other: int, packing: int) -> Operation:
        if self._inside:
            raise MalformedPayload("the payload packs what is being packed")
        self._inside = other
        self._target += length
        return Operation(Kind.DEFLATE, length, 0, other, packing)

    def _inflate(self, length: int, other: int, packing: int) -> Operation:
        if self._target:
            raise MalformedPayload("a span of the payload unpacks after it began to make")
        self._window += length
        self._stored += other
        source = self._source(other)
        if source + other > self._terms.old_length:
            raise MalformedPayload(f"the payload unpacks {other} bytes at {source}, outside the old image")
        return Operation(Kind.INFLATE, length, source, other, packing)

    def _source(self, length: int) -> int:
        source = self._cursor + unfold(next(self._sources))
        end, old = source + length, self._terms.old_length
        if source < 0 or end > (old if source < old else old + self._window):
            raise MalformedPayload(
                f"the payload reads {length} bytes at {source}; the old image has {old}, the window {self._window}"
            )
        self._cursor = end
        return source

    def _require_bounds(self, span: Span) -> None:
        terms = self._terms
        if self._inside or not span.target:
            raise MalformedPayload("a span of the payload makes nothing, or packs more than it makes")
        if max(span.made, span.target) > terms.span and not span.is_zero:
            raise MalformedPayload(f"a span of the payload makes {span.made} bytes, its header allows {terms.span}")
        if max(span.window, self._stored) > terms.window:
            raise MalformedPayload(f"a span of the payload unpacks {span.window} bytes, allowed are {terms.window}")
        idle = (span.source_check and not span.reads, span.target_check and (span.is_zero or span.is_copy))
        if any(idle):
            raise MalformedPayload("a span of the payload carries a checksum of nothing")
