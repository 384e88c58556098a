"""A device's bucket: its stable number from 0 to 9999, which decides how early it is updated. Pure.

The device reports it, so that a cloud finds all devices of a range of buckets with one query. It never changes; what
changes is where a rollout begins to count (`bridge.planning.cohort.offset`), so that the same unlucky devices are not
the first of every release.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

BUCKETS = 10_000
SALT = "otabridge"


class Buckets(NamedTuple):
    """The buckets from `first` to `last`, both within 0..9999 and both included; `first` is not above `last`."""

    first: int
    last: int


def bucket(device: str) -> int:
    """The bucket of the device with the id `device`: sha256 of salt and id, as a number, modulo 10,000."""
    return int.from_bytes(hashlib.sha256((SALT + device).encode()).digest()) % BUCKETS
