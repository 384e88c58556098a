"""Keeps a payload within the memory of devices: limits to begin with, and frames halved that still take too much."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bridge.delta.coding import CodedFrame, Coding, Each, Prefix, code_frame
from bridge.delta.cutting import Limits, PlainFrame, PlainSpan, cut_frames
from bridge.errors import UsageError
from bridge.release.delta import memory
from bridge.release.delta.memory import DEVICE_MEMORY, MEBIBYTE

LEAST_MEMORY = 24 * MEBIBYTE
"""Less leaves no room for streams beside what every decoder takes."""


def limits_for(granted: int) -> Limits:
    """Limits for devices that grant so many bytes of memory. More than `DEVICE_MEMORY` changes nothing.

    Raises: UsageError below `LEAST_MEMORY`.
    """
    if granted < LEAST_MEMORY:
        raise UsageError(f"payloads cannot be made for devices that grant {granted} bytes; {LEAST_MEMORY} is the least")
    most, share = Limits(), min(granted, DEVICE_MEMORY) / DEVICE_MEMORY
    return replace(
        most,
        span=int(most.span * share),
        window=int(most.window * share),
        frame=int(most.frame * share),
        raw=int(most.raw * share),
        packing=int(most.packing * share),
        packing_window=int(most.packing_window * share),
    )


def coding_for(granted: int, coding: Coding) -> Coding:
    """`coding` with dictionaries that fit such devices."""
    log = coding.dictionary_log
    while granted < DEVICE_MEMORY >> (coding.dictionary_log - log):
        log -= 1
    return replace(coding, dictionary_log=log)


@dataclass(frozen=True, slots=True)
class Fitting:
    """How frames are coded: at most `granted` bytes of memory, by `each`, against `prefix` if there is one."""

    limits: Limits
    granted: int
    coding: Coding
    prefix: Prefix | None = None
    each: Each = map

    def frames(self, spans: Iterable[PlainSpan]) -> Iterator[CodedFrame]:
        """The frames of `spans`. Raises: UsageError where a single span takes too much."""
        for frame in cut_frames(spans, self.limits):
            yield from self._coded(frame)

    def _coded(self, frame: PlainFrame) -> Iterator[CodedFrame]:
        coded = code_frame(frame, self.coding, self.prefix, self.each)
        needed = memory.needed(coded.head)
        if needed <= self.granted:
            yield coded
        elif len(frame.spans) > 1:
            for half in halves(frame):
                yield from self._coded(half)
        elif self.prefix is not None:
            yield from replace(self, prefix=None)._coded(frame)  # noqa: SLF001 - of this class
        else:
            raise UsageError(f"no payload takes less than {needed} bytes of memory here, {self.granted} are granted")


def halves(frame: PlainFrame) -> tuple[PlainFrame, PlainFrame]:
    """The two halves of a frame of several spans."""
    middle = len(frame.spans) // 2
    first, second = frame.spans[:middle], frame.spans[middle:]
    diff, extra = sum(span.diff for span in first), sum(span.extra for span in first)
    return (
        PlainFrame(first, frame.diff[:diff], frame.extra[:extra]),
        PlainFrame(second, frame.diff[diff:], frame.extra[extra:]),
    )
