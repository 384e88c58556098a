"""What a device holds of the old image while it makes a span that unpacks or packs."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.delta.steps import Add, Copy, Inside, Step, Stored
from bridge.release.delta.measuring import kept_of


class Holding:
    """Of the old image the bytes that steps read; of each stream its stored bytes, and what is kept of it unpacked
    (docs/payload-format.md, Span)."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self._plain = 0
        self._used: dict[Stored, tuple[int, int]] = {}
        if steps:
            self.add(steps)

    def copy(self) -> Holding:
        """Another one that goes its own way."""
        other = Holding()
        other._plain, other._used = self._plain, self._used.copy()
        return other

    def add(self, steps: Iterable[Step]) -> None:
        """Take in what `steps` read."""
        for step in steps:
            if not isinstance(step, Copy | Add):
                continue
            if isinstance(step.source, Inside):
                self._use(step.source, step.length)
            else:
                self._plain += step.length

    def _use(self, source: Inside, length: int) -> None:
        start, end = self._used.get(source.stream, (source.offset, source.offset))
        self._used[source.stream] = min(start, source.offset), max(end, source.offset + length)

    @property
    def streams(self) -> frozenset[Stored]:
        """Those that are unpacked."""
        return frozenset(self._used)

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self._plain + sum(stream.length + kept for stream, kept in self.kept.items())

    @property
    def kept(self) -> dict[Stored, int]:
        """The streams, and how many bytes are kept of each."""
        return {stream: len(kept_of(0, stream.raw, used)) for stream, used in self._used.items()}
