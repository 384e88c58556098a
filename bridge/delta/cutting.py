"""Cuts what a payload shall do into spans, and spans into frames. The same operations always give the same cuts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from bridge.delta.holding import Holding
from bridge.delta.steps import Add, Copy, Inside, Literal, Packed, Place, Step, Stored, Zero, moved, sliced
from bridge.release.delta.measuring import measured
from bridge.release.delta.operations import MAX_OPERATIONS, Kind, Operation, Span


@dataclass(frozen=True, slots=True)
class Limits:
    """Where to cut; the memory of the device follows from it (`bridge.release.delta.memory`).

    Bytes: `span` of image made at once, `window` held for it where it unpacks or packs, `frame` of diff and extra in
    one frame. `operations` is the most in a frame. Zero bytes and copies of at least `alone` get spans of their own,
    which cost nothing to make; zero differences of at least `gap` become copies, cut such that the differences after
    them stand in their stream at the same place modulo `align` as in the image: code changes at such places, and the
    codecs see it.

    A packing that does not fit has a span for itself, and a frame: of at most `packing` bytes of image, for which
    `packing_window` may be held. `raw` is the most that any stream has unpacked.
    """

    span: int = 1 << 20
    window: int = 4 << 20
    raw: int = 8 << 20
    packing: int = 9 << 20
    packing_window: int = 18 << 20
    frame: int = 32 << 20
    operations: int = 1 << 16
    alone: int = 128 << 10
    gap: int = 512
    align: int = 8


WHOLE = Limits(frame=8 << 20)
"""For full images: a frame is what a cut costs at most; 32 MiB would save about one and a half per cent more."""


@dataclass(frozen=True, slots=True)
class PlainSpan:
    """A span, unchecked, with its parts of the diff and extra streams."""

    span: Span
    diff: bytes
    extra: bytes

    @property
    def streams(self) -> tuple[bytes, bytes]:
        """Both of them."""
        return self.diff, self.extra


@dataclass(frozen=True, slots=True)
class PlainFrame:
    """The spans of one frame and its streams, not yet coded. Goes to a worker process as it is."""

    spans: tuple[Span, ...]
    diff: bytes
    extra: bytes


def cut_frames(spans: Iterable[PlainSpan], limits: Limits) -> Iterator[PlainFrame]:
    """Frames of as many `spans` as the limits allow; a span that has limits of its own has a frame of its own."""
    group: list[PlainSpan] = []
    size = operations = 0
    for span in spans:
        more, steps = span.span.diff + span.span.extra, len(span.span.operations)
        is_large = _is_large(span.span, limits)
        if group and (size + more > limits.frame or operations + steps > limits.operations or is_large):
            yield _frame(group)
            group, size, operations = [], 0, 0
        group.append(span)
        size, operations = size + more, operations + steps
        if is_large:
            yield _frame(group)
            group, size, operations = [], 0, 0
    if group:
        yield _frame(group)


def _is_large(span: Span, limits: Limits) -> bool:
    if span.is_zero:
        return False
    return max(span.target, span.raw) > limits.span or span.held > limits.window


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
        self._ahead = 0
        self._clear()

    def _clear(self) -> None:
        self._steps: list[tuple[Operation, Place | None]] = []
        self._diff: list[bytes] = []
        self._extra: list[bytes] = []
        self._holding = Holding()
        self._has_packed = False
        self._target = 0

    def add(self, step: Step | Packed) -> Iterator[PlainSpan]:
        """Take `step`; the spans that became full."""
        match step:
            case Packed():
                yield from self._add_packed(step)
            case Zero(length) if length >= self._limits.alone:
                yield from self.cut()
                self._put(step)
                self._target += length
                yield from self.cut()
            case Copy(length, int()) if length >= self._limits.alone:
                yield from self.cut()
                yield from self._add_pieces(step)
                yield from self.cut()
            case _:
                for part in without_runs(step, self._limits.gap, self._limits.align, self._ahead):
                    yield from self._add_pieces(part)

    def _add_pieces(self, step: Step) -> Iterator[PlainSpan]:
        at = 0
        while at < step.length:
            room = self._limits.span - self._target
            count = min(step.length - at, room) if room > 0 else step.length - at
            piece = sliced(step, at, at + min(count, self._limits.span))
            yield from self._make_room((piece,), piece.length)
            self._put(piece)
            self._target += piece.length
            at += piece.length

    def _add_packed(self, step: Packed) -> Iterator[PlainSpan]:
        parts = [piece for part in step.parts for piece in without_runs(part, self._limits.gap)]
        made = sum(part.length for part in parts)
        if not made or not step.length:
            raise ValueError(f"packing {made} bytes to {step.length} is nothing that a span can do")
        yield from self._make_room(parts, step.length, made)
        is_alone = not self._fits(parts, step.length, made)
        self._steps.append((Operation(Kind.DEFLATE, step.length, 0, made, step.packing), None))
        for part in parts:
            self._put(part)
        self._ahead = (self._ahead + step.length - made) % self._limits.align
        self._target += step.length
        self._has_packed = True
        if is_alone:
            yield from self.cut()

    def _make_room(self, steps: Sequence[Step], target: int, made: int = 0) -> Iterator[PlainSpan]:
        if not self._fits(steps, target, made):
            yield from self.cut()
            self._require(steps, target, made)

    def _fits(self, steps: Sequence[Step], target: int, made: int = 0) -> bool:
        """Whether the span also has room for `steps`."""
        limits = self._limits
        return self._fits_within(limits.span, limits.window, steps, target, made) and made <= limits.span

    def _require(self, steps: Sequence[Step], target: int, made: int = 0) -> None:
        """Raises: ValueError where not even a span for themselves would do."""
        limits = self._limits
        size = limits.packing if made else limits.span
        if made > limits.raw or not self._fits_within(size, limits.packing_window, steps, target, made):
            raise ValueError(f"packing {made} bytes to {target} needs a larger span or window than {limits}")

    def _fits_within(self, span: int, window: int, steps: Sequence[Step], target: int, made: int) -> bool:
        if self._target + target > span:
            return False
        holding = self._holding.copy()
        holding.add(steps)
        streams = holding.streams
        packs = bool(made or self._has_packed or streams)
        fits = not packs or (holding.size <= window and all(item.raw <= self._limits.raw for item in streams))
        return fits and len(self._steps) + len(steps) + len(streams) < MAX_OPERATIONS

    def _put(self, step: Step) -> None:
        self._holding.add((step,))
        if not isinstance(step, Add):
            self._ahead = (self._ahead + step.length) % self._limits.align
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
            yield PlainSpan(measured(self._resolved(), self._old_length), diff, extra)
            self._clear()

    def _resolved(self) -> tuple[Operation, ...]:
        """The operations that unpack, then the others with their sources. Those of which most is kept come last: what
        unpacking takes for itself then comes together with the least."""
        bases, at, kept = {}, self._old_length, self._holding.kept
        streams = sorted(kept, key=lambda item: (kept[item], item.offset, item.length, item.raw, item.packing))
        for item in streams:
            bases[item] = at
            at += item.raw
        unpacking = (Operation(Kind.INFLATE, item.raw, item.offset, item.length, item.packing) for item in streams)
        return (*unpacking, *(_placed(operation, source, bases) for operation, source in self._steps))


def without_runs(step: Step, gap: int, align: int = 1, ahead: int = 0) -> Iterator[Step]:
    """An ADD with its zero differences of at least `gap` bytes, and `align`, as copies; other steps as they are.

    The image is `ahead` of the diff stream, modulo `align`; copies end so that it is no more.
    """
    if not isinstance(step, Add):
        yield step
        return
    at = 0
    for run in _runs(max(gap, align)).finditer(step.diff):
        if run.start() > at:
            yield Add(step.diff[at : run.start()], moved(step.source, at))
        ahead = (ahead + len(run[0])) % align
        at = run.end()
        if at < step.length:
            at, ahead = at - ahead, 0
        yield Copy(at - run.start(), moved(step.source, run.start()))
    if at < step.length:
        yield Add(step.diff[at:], moved(step.source, at))


@cache
def _runs(gap: int) -> re.Pattern[bytes]:
    return re.compile(rb"\0{%d,}" % gap)


def _placed(operation: Operation, source: Place | None, bases: dict[Stored, int]) -> Operation:
    match source:
        case None:
            return operation
        case Inside(stream, offset):
            return operation._replace(source=bases[stream] + offset)
        case _:
            return operation._replace(source=source)
