"""Whether ours is behind on a pair."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from benchmarks.delta import ours
from benchmarks.delta.pairs import Mark
from benchmarks.delta.tools import Outcome

MARGIN_PERMILLE = 5
"""Ours may be larger than the smallest peer by this."""
MEMORY = 64 * 10**6
"""Bytes: the peak of the whole process that applies, interpreter included. 64 MiB would be the larger."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What all tools did with one pair. Lengths in bytes; `absent` says why a tool was not run."""

    name: str
    mark: Mark
    kind: str
    old: int
    new: int
    outcomes: Mapping[str, Outcome]
    absent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The smallest peer that gave back the image, its size in bytes, and what ours is guilty of."""

    peer: str
    size: int
    faults: tuple[str, ...]

    @property
    def behind(self) -> bool:
        return bool(self.faults)


def judge(measured: Measured, peers: Collection[str]) -> Verdict | None:
    """Nothing where ours was not run, or where no peer got through: there is nothing to hold ours against."""
    mine = measured.outcomes.get(ours.NAME)
    others = {name: outcome.size for name, outcome in measured.outcomes.items() if name in peers and not outcome.reason}
    sizes = {name: size for name, size in others.items() if size is not None}
    if mine is None or not sizes:
        return None
    peer = min(sizes, key=lambda name: (sizes[name], name))
    return Verdict(peer, sizes[peer], tuple(_faults(mine, sizes[peer])))


def _faults(mine: Outcome, smallest: int) -> list[str]:
    if mine.reason or mine.size is None or mine.apply is None:
        return [mine.reason]
    faults = []
    if mine.size * 1000 > smallest * (1000 + MARGIN_PERMILLE):
        faults.append(f"{mine.size / smallest - 1:+.1%}")
    if mine.apply.peak > MEMORY:
        faults.append(f"{mine.apply.peak / 1e6:.0f} MB to apply")
    return faults
