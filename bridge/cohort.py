"""Which devices a stage updates: stable, exact and different for every rollout.

Each device has a bucket, `sha256(salt + device id) mod 10000`; the salt is the rollout's name, so that the same unlucky
devices are not the canaries of every release. A fleet is put in order of (bucket, id), and a stage of P per cent ends
after `ceil(P% of N)` devices of that order.

Why counts and not windows of buckets: a release manager who writes "10 per cent" of 20 devices expects 2. The window
0..999 would hold 0 to 5 of them, and none one time in eight; a canary stage without a canary proves nothing. The price
is that a device's stage depends on the fleet's size: a device that joins moves at most one other device across each
stage's end (a window moves none). Plans settle their devices once, so this never happens inside a rollout. Where a
cloud resolves groups by itself (dynamic groups on the reported bucket), the window is the group, and the same bucket
serves. Rounding up means that a stage is empty only where earlier stages have taken the fleet's devices.

Pure: ids in, ids out; the order in which ids arrive does not matter.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

BUCKETS = 10_000


def bucket(salt: str, device: str) -> int:
    """The bucket of `device`, 0 to 9999, under `salt`."""
    return int.from_bytes(hashlib.sha256((salt + device).encode()).digest()) % BUCKETS


def share(percent: float, count: int) -> int:
    """How many of `count` devices are `percent` (0 to 100) of them, rounded up; exact for decimal percentages."""
    return math.ceil(Fraction(str(percent)) * count / 100)


def split(salt: str, devices: Iterable[str], percents: Sequence[float]) -> tuple[tuple[str, ...], ...]:
    """One tuple of device ids for each of the cumulative, increasing `percents`, without those of earlier stages."""
    order = sorted(set(devices), key=lambda device: (bucket(salt, device), device))
    ends = [0, *(share(percent, len(order)) for percent in percents)]
    return tuple(tuple(order[start:end]) for start, end in pairwise(ends))
