"""Cuts what a payload shall do into spans, and spans into frames. The same operations always give the same cuts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bridge.delta.steps import Add, Copy, Inside, Literal, Packed, Place, Step, Stored, Zero, moved, sliced, streams_of
from bridge.release.delta.operations import MAX_OPERATIONS, Kind, Operation, Span


@dataclass(frozen=True, slots=True)
class Limits:
    """Where to cut; the memory of the device follows from it (`bridge.release.delta.memory`).

    Bytes: `span` made at once, `window` unpacked for one span, `frame` of diff and extra in one frame. `operations` is
    the most in a frame. Zero bytes and copies of at least `alone` get spans of their own, which cost nothing to make;
    zero differences of at least `gap` become copies.
    """

    span: int = 1 << 20
    window: int = 4 << 20
    frame: int = 32 << 20
    operations: int = 1 << 16
    alone: int = 128 << 10
    gap: int = 512


WHOLE = Limits(frame=8 << 20)
"""For full images: a frame is what a cut costs at most; 32 MiB would save about one and a half per cent more."""


@dataclass(frozen=True, slots=True)
class PlainSpan:
    """A span, unchecked, with its parts of the diff and extra streams."""

    span: Span
    diff: bytes
    extra: bytes


@dataclass(frozen=True, slots=True)
class PlainFrame:
    """The spans of one frame and its streams, not yet coded. Goes to a worker process as it is."""

    spans: tuple[Span, ...]
    diff: bytes
    extra: bytes


def cut_frames(spans: Iterable[PlainSpan], limits: Limits) -> Iterator[PlainFrame]:
    """Frames of as many `spans` as the limits allow."""
    group: list[PlainSpan] = []
    size = operations = 0
    for span in spans:
        more, steps = span.span.diff + span.span.extra, len(span.span.operations)
        if group and (size + more > limits.frame or operations + steps > limits.operations):
            yield _frame(group)
            group, size, operations = [], 0, 0
        group.append(span)
        size, operations = size + more, operations + steps
    if group:
        yield _frame(group)


def _frame(group: list[PlainSpan]) -> PlainFrame:
    spans = tuple(item.span for item in group)
    return PlainFrame(spans, b"".join(item.diff for item in group), b"".join(item.extra for item in group))


def cut_spans(steps: Iterable[Step | Packed], limits: Limits, old_length: int) -> Iterator[PlainSpan]:
    """Spans of `steps`, which make the new image in order. Raises: ValueError for a step that no span can hold."""
    cutter = _Cutter(limits, old_length)
    for step in _merged_zeros(steps):
        yield from cutter.add(step)
    yield from cutter.cut()


def _merged_zeros(steps: Iterable[Step | Packed]) -> Iterator[Step | Packed]:
    waiting = 0
    for step in steps:
        if isinstance(step, Zero):
            waiting += step.length
            continue
        if waiting:
            yield Zero(waiting)
        waiting = 0
        yield step
    if waiting:
        yield Zero(waiting)


class _Cutter:
    """The span that is being filled."""

    def __init__(self, limits: Limits, old_length: int) -> None:
        self._limits = limits
        self._old_length = old_length
        self._runs = re.compile(rb"\0{%d,}" % limits.gap)
        self._clear()

    def _clear(self) -> None:
        self._steps: list[tuple[Operation, Place | None]] = []
        self._diff: list[bytes] = []
        self._extra: list[bytes] = []
        self._streams: set[Stored] = set()
        self._made = self._target = 0

    def add(self, step: Step | Packed) -> Iterator[PlainSpan]:
        """Take `step`; the spans that became full."""
        match step:
            case Packed():
                yield from self._add_packed(step)
            case Zero(length) if length >= self._limits.alone:
                yield from self.cut()
                self._put(step)
                yield from self.cut()
            case Copy(length, int()) if length >= self._limits.alone:
                yield from self.cut()
                yield from self._add_pieces(step)
                yield from self.cut()
            case _:
                for part in self._without_runs(step):
                    yield from self._add_pieces(part)

    def _without_runs(self, step: Step) -> Iterator[Step]:
        """An ADD with its long runs of zero differences as copies."""
        if not isinstance(step, Add):
            yield step
            return
        at = 0
        for run in self._runs.finditer(step.diff):
            if run.start() > at:
                yield Add(step.diff[at : run.start()], moved(step.source, at))
            yield Copy(len(run[0]), moved(step.source, run.start()))
            at = run.end()
        if at < step.length:
            yield Add(step.diff[at:], moved(step.source, at))

    def _add_pieces(self, step: Step) -> Iterator[PlainSpan]:
        at = 0
        while at < step.length:
            yield from self._make_room(step)
            count = min(step.length - at, self._limits.span - max(self._made, self._target))
            self._put(sliced(step, at, at + count))
            at += count

    def _make_room(self, *steps: Step, made: int = 1, target: int = 1) -> Iterator[PlainSpan]:
        if self._is_full_for(*steps, made=made, target=target):
            yield from self.cut()
        if self._is_full_for(*steps, made=made, target=target):
            raise ValueError(f"packing {made} bytes to {target} needs a larger span or window than {self._limits}")

    def _is_full_for(self, *steps: Step, made: int, target: int) -> bool:
        streams = self._streams | streams_of(steps)
        window = max(sum(item.raw for item in streams), sum(item.length for item in streams))
        size = max(self._made + made, self._target + target)
        operations = len(self._steps) + len(steps) + len(streams) + 1
        limits = self._limits
        return size > limits.span or window > limits.window or operations > MAX_OPERATIONS

    def _add_packed(self, step: Packed) -> Iterator[PlainSpan]:
        parts = [piece for part in step.parts for piece in self._without_runs(part)]
        made = sum(part.length for part in parts)
        if not made or not step.length:
            raise ValueError(f"packing {made} bytes to {step.length} is nothing that a span can do")
        yield from self._make_room(*parts, made=made, target=step.length)
        self._steps.append((Operation(Kind.DEFLATE, step.length, 0, made, step.packing), None))
        target = self._target + step.length
        for part in parts:
            self._put(part)
        self._target = target

    def _put(self, step: Step) -> None:
        self._streams |= streams_of((step,))
        self._made += step.length
        self._target += step.length
        match step:
            case Zero(length):
                self._steps.append((Operation(Kind.ZERO, length), None))
            case Literal(data):
                self._steps.append((Operation(Kind.LITERAL, len(data)), None))
                self._extra.append(data)
            case Copy(length, source):
                self._steps.append((Operation(Kind.COPY, length), source))
            case Add(diff, source):
                self._steps.append((Operation(Kind.ADD, len(diff)), source))
                self._diff.append(diff)

    def cut(self) -> Iterator[PlainSpan]:
        """The span as far as it is filled, if it is."""
        if self._steps:
            diff, extra = b"".join(self._diff), b"".join(self._extra)
            window = sum(item.raw for item in self._streams)
            span = Span(self._resolved(), self._target, self._made, len(diff), len(extra), window)
            yield PlainSpan(span, diff, extra)
            self._clear()

    def _resolved(self) -> tuple[Operation, ...]:
        """The operations that unpack, in the order of the old image, then the others with their sources."""
        bases, at = {}, self._old_length
        streams = sorted(self._streams, key=lambda item: (item.offset, item.length, item.raw, item.packing))
        for item in streams:
            bases[item] = at
            at += item.raw
        unpacking = (Operation(Kind.INFLATE, item.raw, item.offset, item.length, item.packing) for item in streams)
        return (*unpacking, *(_placed(operation, source, bases) for operation, source in self._steps))


def _placed(operation: Operation, source: Place | None, bases: dict[Stored, int]) -> Operation:
    match source:
        case None:
            return operation
        case Inside(stream, offset):
            return operation._replace(source=bases[stream] + offset)
        case _:
            return operation._replace(source=source)
