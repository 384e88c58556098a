"""What a device can afford: steps that would have it unpack too much become new bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bridge.delta.contents.expanded import Expanded
from bridge.delta.cutting import Limits, without_runs
from bridge.delta.holding import Holding
from bridge.delta.steps import Add, Copy, Inside, Literal, Step, Stored
from bridge.release.delta.operations import MAX_OPERATIONS, WORK

WORTH = WORK // 4
"""Bytes unpacked for one byte that is made: a span may be cut, and its streams unpacked for each part."""


class Affording:
    """Makes steps for the image behind the view `new` affordable within `limits`."""

    def __init__(self, new: Expanded, limits: Limits) -> None:
        self._new = new
        self._limits = limits

    def plain(self, parts: Iterable[Step], start: int) -> Iterator[Step]:
        """Steps that make the view's bytes from `start` on, not packed: short pieces are not worth unpacking for."""
        at = start
        for part in parts:
            stream = _stream_of(part)
            is_worth = stream is None or stream.raw <= WORTH * part.length
            yield part if is_worth else self._new_bytes(part, at)
            at += part.length

    def packed(self, parts: Sequence[Step], stream: Stored, start: int) -> tuple[Step, ...]:
        """Steps that make what `stream` unpacks to, at `start` of the view, before it is packed."""
        afforded = list(parts)
        while (holding := Holding(afforded)).streams and not self._affords(holding, stream):
            least = min(holding.streams, key=lambda item: (_used(afforded, item), item.offset))
            kept = self._interval(holding, least, stream, afforded)
            afforded = self._without(afforded, least, kept, start)
        return self._few(afforded, start)

    def _affords(self, holding: Holding, stream: Stored) -> bool:
        return holding.size <= self._limits.packing_window and self._is_worth(holding, stream)

    def _is_worth(self, holding: Holding, stream: Stored) -> bool:
        return stream.raw + sum(item.raw for item in holding.streams) <= WORK * stream.length

    def _interval(self, holding: Holding, least: Stored, stream: Stored, parts: Sequence[Step]) -> range:
        """What of the stream that is used least to keep: as much as there is room for, where it is used most."""
        room = self._limits.packing_window - holding.size + holding.kept[least]
        room = min(room, holding.kept[least] - 1, least.raw // 2)
        if room <= 0 or not self._is_worth(holding, stream):
            return range(0)
        return _busiest(sorted(_ranges(parts, least)), room)

    def _without(self, parts: Iterable[Step], refused: Stored, kept: range, start: int) -> list[Step]:
        """`parts` that read of `refused` at most what is `kept`."""
        result, at = [], start
        for part in parts:
            inside = _range_of(part, refused)
            is_outside = inside is not None and not (kept.start <= inside[0] and inside[1] <= kept.stop)
            result.append(self._new_bytes(part, at) if is_outside else part)
            at += part.length
        return result

    def _new_bytes(self, part: Step, at: int) -> Literal:
        return Literal(self._new.pread(at, part.length))

    def _few(self, parts: Sequence[Step], start: int) -> tuple[Step, ...]:
        """As many operations as a span may have: of what is read, the shortest pieces become new bytes."""
        pieces = list(_joined(piece for part in parts for piece in without_runs(part, self._limits.gap)))
        shortest = 1
        while len(pieces) > MAX_OPERATIONS - len(Holding(pieces).streams) - 1:
            shortest *= 2
            pieces = list(_joined(self._shorter(pieces, shortest, start)))
        return tuple(pieces)

    def _shorter(self, parts: Iterable[Step], shortest: int, start: int) -> Iterator[Step]:
        at = start
        for part in parts:
            yield self._new_bytes(part, at) if part.length < shortest else part
            at += part.length


def _stream_of(part: Step) -> Stored | None:
    source = part.source if isinstance(part, Copy | Add) else None
    return source.stream if isinstance(source, Inside) else None


def _range_of(part: Step, stream: Stored) -> tuple[int, int] | None:
    """Start and end of what `part` reads in `stream`."""
    if _stream_of(part) != stream or not isinstance(part, Copy | Add) or not isinstance(part.source, Inside):
        return None
    return part.source.offset, part.source.offset + part.length


def _ranges(parts: Iterable[Step], stream: Stored) -> list[tuple[int, int]]:
    return [found for part in parts if (found := _range_of(part, stream))]


def _used(parts: Iterable[Step], stream: Stored) -> int:
    return sum(end - start for start, end in _ranges(parts, stream))


def _busiest(ranges: Sequence[tuple[int, int]], room: int) -> range:
    """Of all intervals of at most `room` bytes the one that holds most of `ranges`, which are sorted."""
    best, most = range(0), 0
    first = held = 0
    for last, (start, end) in enumerate(ranges):
        held += end - start
        while first <= last and end - ranges[first][0] > room:
            held -= ranges[first][1] - ranges[first][0]
            first += 1
        if held > most:
            best, most = range(ranges[first][0], end), held
    return best


def _joined(parts: Iterable[Step]) -> Iterator[Step]:
    """New bytes that follow each other become one."""
    waiting: list[bytes] = []
    for part in parts:
        if isinstance(part, Literal):
            waiting.append(part.data)
            continue
        if waiting:
            yield Literal(b"".join(waiting))
        waiting = []
        yield part
    if waiting:
        yield Literal(b"".join(waiting))
