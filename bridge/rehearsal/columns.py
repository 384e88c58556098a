"""The devices of one virtual fleet, a column a property: a million of them in some tens of megabytes.

Rows are in order of bucket, so that a range of buckets is a slice. Each device has its fate drawn beforehand: what
would become of an installation, how long it takes, and when it is there to begin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from bridge.rehearsal.assumptions import Assumptions
from bridge.release.bucket import BUCKETS, Buckets
from bridge.rollout.duration import span

Ints = npt.NDArray[np.int64]
Times = npt.NDArray[np.float64]
"""Seconds since the rehearsal began."""
Rows = npt.NDArray[np.int64]
SPREAD = 0.5
"""Standard deviation of the logarithm of an installation's time."""


class Fate(IntEnum):
    """What becomes of a device that takes the offer."""

    INSTALLS = 0
    FAILS = 1
    FALLS_BACK = 2
    FALLS_SILENT = 3


@dataclass(slots=True)
class Columns:
    """`buckets` rise; `models` number into `names`; `there` is when a device is on, `takes` how long it then takes."""

    buckets: Ints
    models: npt.NDArray[np.int16]
    names: tuple[str, ...]
    fate: npt.NDArray[np.int8]
    there: Times
    takes: Times
    installed: npt.NDArray[np.bool_]

    @property
    def size(self) -> int:
        """How many devices."""
        return len(self.buckets)

    def rows(self, buckets: tuple[Buckets, ...], models: tuple[str, ...] = ()) -> Rows:
        """The rows in these ranges, in the order of the ranges; all for none."""
        ranges = buckets or (Buckets(0, BUCKETS - 1),)
        found = np.concatenate([self._slice(each) for each in ranges])
        if not models:
            return found
        wanted = [number for number, name in enumerate(self.names) if name in models]
        return found[np.isin(self.models[found], wanted)]

    def _slice(self, each: Buckets) -> Rows:
        first = np.searchsorted(self.buckets, each.first, side="left")
        end = np.searchsorted(self.buckets, each.last, side="right")
        return np.arange(first, end, dtype=np.int64)

    def count_models(self, rows: Rows) -> Mapping[str, int]:
        """How many of `rows` are of each model."""
        counts = np.bincount(self.models[rows], minlength=len(self.names))
        return {name: int(count) for name, count in zip(self.names, counts, strict=True) if count}


def draw(models: Mapping[str, int], assumptions: Assumptions, dice: np.random.Generator) -> Columns:
    """A fleet with so many devices of each model, every fate drawn by `dice`."""
    names = tuple(models)
    numbers = np.repeat(np.arange(len(names), dtype=np.int16), [models[name] for name in names])
    dice.shuffle(numbers)
    size = len(numbers)
    fate, there = np.zeros(size, np.int8), np.zeros(size)
    for number, name in enumerate(names):
        rows = np.flatnonzero(numbers == number)
        own = assumptions.of(name)
        fate[rows] = _fates(len(rows), own, dice)
        there[rows] = _returns(len(rows), own, dice)
    takes = np.exp(dice.normal(np.log(max(1.0, span(assumptions.installs).total_seconds())), SPREAD, size))
    buckets = np.sort(dice.integers(0, BUCKETS, size, dtype=np.int64))
    return Columns(buckets, numbers, names, fate, there, takes, np.zeros(size, np.bool_))


def _fates(size: int, own: Assumptions, dice: np.random.Generator) -> npt.NDArray[np.int8]:
    shares = np.cumsum([own.failing, own.falling_back, own.silent]) / 100
    drawn = dice.random(size)
    fates = np.zeros(size, np.int8)
    for fate, low, high in zip((Fate.FAILS, Fate.FALLS_BACK, Fate.FALLS_SILENT), (0.0, *shares), shares, strict=False):
        fates[(drawn >= low) & (drawn < high)] = fate
    return fates


def _returns(size: int, own: Assumptions, dice: np.random.Generator) -> Times:
    """When a device that is off comes back; the others are there from the beginning."""
    back = dice.exponential(max(1.0, span(own.returns).total_seconds()), size)
    return np.where(dice.random(size) < own.offline / 100, back, 0.0)
