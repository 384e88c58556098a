"""What the operations of a span take, added up; and whether they may stand together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from bridge.release.delta.errors import MalformedPayload
from bridge.release.delta.operations import Kind, Operation, Span


def measured(operations: Sequence[Operation], old_length: int, source_check: int = 0, target_check: int = 0) -> Span:
    """The span of `operations`. Raises: MalformedPayload where they are none (docs/payload-format.md, Span)."""
    measure = _Measure(old_length)
    for operation in operations:
        measure.add(operation)
    return measure.span(operations, source_check, target_check)


class _Measure:
    def __init__(self, old_length: int) -> None:
        self._old_length = old_length
        self._target = self._diff = self._extra = self._raw = self._read = 0
        self._inside = 0
        """Bytes that the DEFLATE before still takes."""
        self._packs = False
        self._window = _Window()

    def add(self, operation: Operation) -> None:
        match operation.kind:
            case Kind.INFLATE:
                self._inflate(operation)
            case Kind.DEFLATE:
                self._deflate(operation)
            case _:
                self._make(operation)

    def span(self, operations: Sequence[Operation], source_check: int, target_check: int) -> Span:
        if self._inside or not self._target:
            raise MalformedPayload("a span of the payload makes nothing, or packs more than it makes")
        kept = self._window.kept
        held = self._read + sum(map(len, kept)) if self._packs or kept else 0
        return Span(
            operations, self._target, self._diff, self._extra, self._raw, held, kept, source_check, target_check
        )

    def _inflate(self, item: Operation) -> None:
        if self._target:
            raise MalformedPayload("a span of the payload unpacks after it began to make")
        if item.source + item.other > self._old_length:
            raise MalformedPayload(f"the payload unpacks {item.other} bytes at {item.source}, outside the old image")
        self._read += item.other
        self._raw = max(self._raw, item.length)
        self._window.add(item.length)

    def _deflate(self, item: Operation) -> None:
        if self._inside:
            raise MalformedPayload("the payload packs what is being packed")
        self._packs = True
        self._inside = item.other
        self._raw = max(self._raw, item.other)
        self._target += item.length

    def _make(self, item: Operation) -> None:
        if item.kind in (Kind.COPY, Kind.ADD):
            self._use(item)
        if item.kind == Kind.ADD:
            self._diff += item.length
        elif item.kind == Kind.LITERAL:
            self._extra += item.length
        if not self._inside:
            self._target += item.length
        elif item.length > self._inside:
            raise MalformedPayload("an operation of the payload reaches over the end of what is packed")
        else:
            self._inside -= item.length

    def _use(self, item: Operation) -> None:
        start, end = item.source - self._old_length, item.source + item.length - self._old_length
        if end <= 0:
            self._read += item.length
        elif start < 0 or not self._window.use(start, end):
            raise MalformedPayload(
                f"the payload reads {item.length} bytes at {item.source}; the old image has {self._old_length}, and no "
                "stream that was unpacked holds them"
            )


class _Window:
    """Streams one behind the other, and of each what is used."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._used: list[tuple[int, int]] = []
        self._end = 0

    def add(self, length: int) -> None:
        self._starts.append(self._end)
        self._used.append((self._end, self._end))
        self._end += length

    def use(self, start: int, end: int) -> bool:
        """Whether one stream holds the bytes `start` to `end`, which are kept from now on."""
        index = bisect_right(self._starts, start) - 1
        follows = (*self._starts[index + 1 : index + 2], self._end)[0]
        if index < 0 or end > follows:
            return False
        first, last = self._used[index]
        self._used[index] = (min(first, start), max(last, end)) if first < last else (start, end)
        return True

    @property
    def kept(self) -> tuple[range, ...]:
        ends = (*self._starts, self._end)[1:]
        return tuple(kept_of(*row) for row in zip(self._starts, ends, self._used, strict=True))


def kept_of(start: int, end: int, used: tuple[int, int]) -> range:
    """What of a stream that fills the window from `start` to `end` is kept where some bytes of it are used: those from
    the first to the last, or all where these are more than half."""
    first, last = used
    return range(start, end) if 2 * (last - first) > end - start else range(first, last)
