"""Where the operations of a span get old bytes from: what was read, and what was unpacked of it."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable

from bridge.release.delta.header import Terms
from bridge.release.delta.operations import READING, Operation

Bytes = bytes | memoryview


class Window:
    """Old bytes, which are let go as soon as they are used."""

    def __init__(self, terms: Terms, read: deque[bytes]) -> None:
        self._terms = terms
        self._read = read
        self._starts: list[int] = []
        self._kept: list[tuple[int, bytes]] = []
        self._end = 0

    def unpack(self, item: Operation, kept: range) -> None:
        """Unpack the next bytes that were read, and keep the range `kept` of the window. Raises: MalformedPayload."""
        raw = self._terms.packings[item.packing].unpack(self._read.popleft(), item.length)
        self._starts.append(self._end)
        self._kept.append((kept.start, raw[kept.start - self._end : kept.stop - self._end]))
        self._end += item.length

    def take(self, item: Operation) -> Bytes:
        """What `item`, the next operation that reads, starts from."""
        start = item.source - self._terms.old_length
        if start < 0:
            return self._read.popleft()
        first, data = self._kept[bisect_right(self._starts, start) - 1]
        return memoryview(data)[start - first : start - first + item.length]

    def is_wanted(self, operations: Iterable[Operation]) -> bool:
        """Whether some of `operations` read what was unpacked."""
        old_length = self._terms.old_length
        return any(item.kind in READING and item.source >= old_length for item in operations)

    def clear(self) -> None:
        """Nothing more will be taken from what was unpacked."""
        self._kept.clear()
