"""Which devices come first: the order of positions, which is stable and different for every rollout. Pure.

Each device has a bucket (`bridge.release.bucket`). A rollout begins to count at a bucket of its own, so that the same
unlucky devices are not the first of every release: a device's position is `(bucket - offset) mod 10000`. A fleet is
put in order of (position, id).

Where devices are listed, a stage of P per cent ends after `ceil(P% of N)` devices of that order: a release manager who
writes "10 per cent" of 20 devices expects 2, and a window of positions would hold 0 to 5. Where the cloud finds devices
by their buckets, the stage is the window of positions below P per cent: in a fleet so large that listing it would cost,
the difference is small, and the plan shows it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache

from bridge.release.bucket import BUCKETS, Buckets, bucket


@lru_cache(maxsize=16)
def offset(rollout: str) -> int:
    """The bucket at which the rollout of this name begins to count, 0 to 9999."""
    return int.from_bytes(hashlib.sha256(rollout.encode()).digest()) % BUCKETS


def ranked(rollout: str, devices: Iterable[str]) -> list[str]:
    """The ids, each once, in order of (position, id); the order in which they arrive does not matter."""
    start = offset(rollout)
    return sorted(set(devices), key=lambda device: _rank(start, device))


def rank(rollout: str, device: str) -> tuple[int, str]:
    """Where a device stands in the order of the rollout: its position, 0 to 9999, and its id."""
    return _rank(offset(rollout), device)


def _rank(start: int, device: str) -> tuple[int, str]:
    return (bucket(device) - start) % BUCKETS, device


def share(percent: float, count: int) -> int:
    """How many of `count` devices are `percent` (0 to 100) of them, rounded up; exact for decimal percentages."""
    return math.ceil(Fraction(str(percent)) * count / 100)


def ranges(rollout: str, first: int, end: int) -> tuple[Buckets, ...]:
    """The buckets of the positions from `first` until before `end` (0 to 10000): none, one range, or two."""
    if first >= end:
        return ()
    low = (offset(rollout) + first) % BUCKETS
    high = low + end - first - 1
    if high < BUCKETS:
        return (Buckets(low, high),)
    return (Buckets(low, BUCKETS - 1), Buckets(0, high - BUCKETS))


def allot(count: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """`count` shared out in proportion to `sizes`, none above its size; the largest remainders get what is left."""
    total = sum(sizes)
    if count >= total:
        return sizes
    exact = [Fraction(count * size, total) for size in sizes]
    shares = [math.floor(part) for part in exact]
    order = sorted(range(len(sizes)), key=lambda index: (shares[index] - exact[index], index))
    for index in order[: count - sum(shares)]:
        shares[index] += 1
    return tuple(shares)
