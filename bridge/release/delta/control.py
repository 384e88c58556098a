"""The control stream of a frame: its operations, in columns, and the checksums of its spans.

Columns compress better than operations one after the other (docs/payload-format.md, Control stream).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from bridge.release.delta.errors import MalformedPayload
from bridge.release.delta.frame import FrameHead
from bridge.release.delta.header import Terms
from bridge.release.delta.measuring import measured
from bridge.release.delta.numbers import Numbers, fold, pack, pack_planes, unfold
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
    )
    checks = b"".join(_CHECKS.pack(span.source_check, span.target_check) for span in spans)
    return pack(chain.from_iterable(columns)) + pack_planes(_source_steps(operations)) + checks


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
        self.head = head
        self.terms = terms
        size = len(raw) - head.spans * _CHECKS.size
        if size < 2 * head.spans:
            raise MalformedPayload(f"a control stream of {len(raw)} bytes cannot hold {head.spans} spans")
        self._checks = raw[size:]
        self._cut(Numbers(memoryview(raw)[:size], "the control stream"), head.spans)
        self._require_sums()

    def spans(self) -> Iterator[Span]:
        """Each span, once it was found to keep within bounds. Raises: MalformedPayload."""
        reader = _SpanReader(self)
        at = 0
        for count, checks in zip(self.counts, _CHECKS.iter_unpack(self._checks), strict=True):
            yield reader.read(self.kinds[at : at + count], *checks)
            at += count

    def _cut(self, columns: Numbers, spans: int) -> None:
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
        self.sources = columns.take_planes(sum(counts[kind] for kind in READING))
        columns.require_end()

    def _require_sums(self) -> None:
        head = self.head
        total = [sum(column) for column in self.lengths]
        made = total[Kind.ZERO] + total[Kind.COPY] + total[Kind.ADD] + total[Kind.LITERAL]
        packed = sum(self.others[PACKED.index(Kind.DEFLATE)])
        sums = made - packed + total[Kind.DEFLATE], total[Kind.ADD], total[Kind.LITERAL]
        if sums != (head.target, head.diff.raw, head.extra.raw):
            raise MalformedPayload(
                f"the operations of a frame make {sums[0]} bytes of {sums[1]} of diff and {sums[2]} of extra; its head "
                f"declares {head.target}, {head.diff.raw} and {head.extra.raw}"
            )
        if total[Kind.INFLATE] + packed > WORK * head.target + head.raw + head.window:
            raise MalformedPayload("a frame of the payload unpacks far more than it makes")


class _SpanReader:
    """Reads the operations of one span after the other, and holds each against the bounds."""

    def __init__(self, control: Control) -> None:
        self._terms = control.terms
        self._head = control.head
        self._lengths = [iter(column) for column in control.lengths]
        self._others = dict(zip(PACKED, map(iter, control.others), strict=True))
        self._packings = dict(zip(PACKED, map(iter, control.packings), strict=True))
        self._sources = iter(control.sources)
        self._cursor = 0

    def read(self, kinds: bytes, source_check: int, target_check: int) -> Span:
        operations = [self._operation(kind) for kind in kinds]
        span = measured(operations, self._terms.old_length, source_check, target_check)
        self._require_bounds(span)
        return span

    def _operation(self, kind: int) -> Operation:
        length = next(self._lengths[kind])
        if not length:
            raise MalformedPayload("an operation of the payload is empty")
        other = packing = source = 0
        if kind in PACKED:
            other, packing = next(self._others[Kind(kind)]), next(self._packings[Kind(kind)])
            if not other or packing >= len(self._terms.packings):
                raise MalformedPayload(f"an operation of the payload packs {other} bytes in way {packing}")
        if kind in READING:
            source = self._cursor = self._cursor + unfold(next(self._sources))
            if source < 0:
                raise MalformedPayload(f"the payload reads {length} bytes at {source}")
        operation = Operation(kind, length, source, other, packing)
        self._cursor += advance_of(operation)
        return operation

    def _require_bounds(self, span: Span) -> None:
        head = self._head
        if span.target > head.span and not span.is_zero:
            raise MalformedPayload(f"a span of the payload makes {span.target} bytes, its frame allows {head.span}")
        if span.raw > head.raw:
            raise MalformedPayload(f"a stream in the payload unpacks to {span.raw} bytes, its frame allows {head.raw}")
        if span.held > head.window:
            raise MalformedPayload(f"a span of the payload holds {span.held} bytes, its frame allows {head.window}")
        idle = (span.source_check and not span.reads, span.target_check and (span.is_zero or span.is_copy))
        if any(idle):
            raise MalformedPayload("a span of the payload carries a checksum of nothing")
