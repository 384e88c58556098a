"""From steps between expanded views to steps between the images themselves.

Ranges are split where regions of a view end; what stands for nothing vanishes; what a stream of the new image unpacks
to is packed again, unless the stream is in the old image as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from bridge.delta.contents.affording import Affording
from bridge.delta.contents.expanded import Expanded, Region
from bridge.delta.contents.proving import digest_of
from bridge.delta.cutting import Limits
from bridge.delta.steps import Add, Copy, Inside, Literal, Packed, Place, Step, Stored, Zero, moved, sliced


def fold(steps: Iterable[Step], old: Expanded, new: Expanded, limits: Limits) -> Iterator[Step | Packed]:
    """What makes the image of `new` from that of `old`, where `steps` make the one view from the other.

    Sources that a span within `limits` cannot hold become new bytes, the least used first.
    """
    return _joined(_Folder(old, new, limits).run(steps))


class _Folder:
    def __init__(self, old: Expanded, new: Expanded, limits: Limits) -> None:
        self._old = old
        self._new = new
        self._twins = _Twins(old)
        self._affording = Affording(new, limits)
        self._at = 0
        """Bytes of the new view that are done."""
        self._index = 0
        """The region of the new view that they end in, or before."""
        self._parts: list[Step] = []
        """What was done of its stream."""

    def run(self, steps: Iterable[Step]) -> Iterator[Step | Packed]:
        for step in steps:
            done = 0
            while done < step.length:
                count, taken = self._next(step.length - done)
                if taken:
                    yield from self._take(sliced(step, done, done + count), taken)
                done += count
                self._at += count
                yield from self._close()

    def _next(self, most: int) -> tuple[int, Region | None]:
        """How many of the next `most` bytes belong together, and the region that they are in."""
        region = self._new.regions[self._index]
        if self._at < region.start:
            return min(most, region.start - self._at), None
        return min(most, region.end - self._at), region

    def _take(self, step: Step, region: Region) -> Iterator[Step]:
        parts = self._placed(step)
        if region.stream:
            self._parts += parts
        else:
            yield from self._affording.plain(parts, self._at)

    def _close(self) -> Iterator[Step | Packed]:
        """Leave the region, if it is done."""
        if self._index == len(self._new.regions) or self._at < self._new.regions[self._index].end:
            return
        region = self._new.regions[self._index]
        self._index += 1
        if region.stream:
            parts, self._parts = self._parts, []
            yield self._packed(region.stream, parts, region.start)

    def _packed(self, stream: Stored, parts: list[Step], start: int) -> Step | Packed:
        stored = self._new.image.pread(stream.offset, stream.length)
        twin = self._twins.find(stored)
        if twin is not None:
            return Copy(stream.length, twin)
        return Packed(stream.packing, stream.length, self._affording.packed(parts, stream, start))

    def _placed(self, step: Step) -> Iterator[Step]:
        """`step`, of the same length, with sources in the old image."""
        if not isinstance(step, Copy | Add) or not isinstance(step.source, int):
            yield step
            return
        done = 0
        while done < step.length:
            place, count = self._place(step.source + done, step.length - done)
            part = sliced(step, done, done + count)
            yield _from_nothing(part) if place is None else _from_place(part, place)
            done += count

    def _place(self, offset: int, most: int) -> tuple[Place | None, int]:
        """Where byte `offset` of the old view is, and how many of the next `most` follow it there."""
        regions, index = self._old.regions, self._old.region_at(offset)
        region = regions[index]
        if index < 0 or offset >= region.end:
            return None, min(most, regions[index + 1].start - offset)
        count, inside = min(most, region.end - offset), offset - region.start
        return Inside(region.stream, inside) if region.stream else region.offset + inside, count


def _from_nothing(part: Step) -> Step:
    return Literal(part.diff) if isinstance(part, Add) else Zero(part.length)


def _from_place(part: Step, place: Place) -> Step:
    return Add(part.diff, place) if isinstance(part, Add) else Copy(part.length, place)


class _Twins:
    """Finds streams of the old image by their stored bytes; where there are several, the one that goes on."""

    def __init__(self, old: Expanded) -> None:
        self._image = old.image
        self._known: defaultdict[bytes, list[int]] = defaultdict(list)
        for region in old.regions:
            if region.stream:
                self._known[digest_of(old.image.pread(region.offset, region.stream.length))].append(region.offset)
        self._last = 0

    def find(self, stored: bytes) -> int | None:
        """The offset of these very bytes."""
        places = self._known.get(digest_of(stored), [])
        same = [place for place in places if self._image.pread(place, len(stored)) == stored]
        if not same:
            return None
        place = min(same, key=lambda place: abs(place - self._last))
        self._last = place + len(stored)
        return place


def _joined(steps: Iterable[Step | Packed]) -> Iterator[Step | Packed]:
    """Copies that go on where the one before ended become one."""
    last: Copy | None = None
    for step in steps:
        if last and isinstance(step, Copy) and step.source == moved(last.source, last.length):
            last = Copy(last.length + step.length, last.source)
            continue
        if last:
            yield last
        last = step if isinstance(step, Copy) else None
        if not last:
            yield step
    if last:
        yield last
