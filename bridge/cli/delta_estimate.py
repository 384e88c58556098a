"""What an estimate tells: how large a delta would be, how long making it takes, and how to make it smaller."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.cli.delta_made import describe_advice, share
from bridge.cli.delta_options import Effort
from bridge.cli.phases import Phases
from bridge.cli.sizes import in_bytes

if TYPE_CHECKING:
    from bridge.delta.estimating import Estimate

SAMPLING = "difference"
"""The phase in which the estimate compares its sample."""
TIMES = {Effort.FAST: 2, Effort.DEFAULT: 6, Effort.MAX: 12}
"""How much longer making takes, for each byte that is different, than the sample did: measured on a kernel, rounded."""
UNLIKE = 0.5
"""From this share of the image on, a delta is hardly worth it."""


@dataclass(frozen=True, slots=True)
class EstimateView:
    """A delta of about `length` bytes, probably `low` to `high`, for programs.

    Bytes of the new image: `known` are zero, identical or moved, `compared` of `different` were looked at. Making it at
    `effort` takes about `seconds` on this machine, as busy as it is now.
    """

    length: int
    low: int
    high: int
    known: int
    different: int
    compared: int
    effort: Effort
    seconds: int
    notes: tuple[str, ...]


def view_estimate(seen: Estimate, effort: Effort, progress: Phases) -> EstimateView:
    """`seen`, which ended just now."""
    began, now = min(progress.began.values()), time.monotonic()
    sampling = progress.began.get(SAMPLING, now)
    whole = (now - sampling) * seen.different / max(1, seen.compared)
    seconds = sampling - began + TIMES[effort] * whole
    return EstimateView(
        length=seen.length,
        low=seen.low,
        high=seen.high,
        known=seen.known,
        different=seen.different,
        compared=seen.compared,
        effort=effort,
        seconds=max(1, round(seconds)),
        notes=(*dict.fromkeys(progress.notes), *_advice(seen)),
    )


def _advice(seen: Estimate) -> Iterator[str]:
    if seen.length > UNLIKE * (seen.known + seen.different):
        yield (
            "the images have little in common: build both reproducibly and without packing inside "
            "(docs/how-to/make-deltas.md)"
        )


def describe_estimate(seen: EstimateView) -> str:
    """`seen` in lines for people."""
    image = seen.known + seen.different
    lines = [
        f"estimate    {in_bytes(seen.length)}, {share(seen.length, image)} of the new image",
        f"range       {in_bytes(seen.low)} to {in_bytes(seen.high)}",
        f"different   {in_bytes(seen.different)}, {share(seen.different, image)}; compared {in_bytes(seen.compared)}",
        f"making it   about {seen.seconds} seconds at --effort {seen.effort}, on this machine as busy as it is now",
    ]
    return "\n".join([*lines, *describe_advice(seen.notes, 0)])
