"""Images for the tests of the maker: made of nothing but a seed, so that a failure can be seen again."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from pathlib import Path

from bridge.delta.making import make_delta
from bridge.delta.pieces import NEW
from bridge.release.delta.apply import Applier, Expected
from tests.bridge.release.delta.payloads import Memory


def program(seed, size, moved=0):
    """`size` bytes that look like machine code: addresses, all of them `moved` on, between bytes that stay."""
    chosen = random.Random(seed)
    words = [chosen.randbytes(12) for _ in range(400)]
    parts = [
        chosen.choice(words) + struct.pack("<I", chosen.randrange(1 << 16) * 64 + moved) for _ in range(size // 16)
    ]
    return b"".join(parts).ljust(size, b"\x90")


def noise(seed, size):
    """`size` bytes that nothing compresses."""
    return random.Random(seed).randbytes(size)


def is_whole(pieces, length, window):
    """Whether `pieces` follow one another over `length` bytes, from nothing outside of a window of `window` bytes."""
    at = 0
    for start, count, source in pieces.rows():
        if start != at or count <= 0 or not (source == NEW or 0 <= source <= window - count):
            return False
        at += count
    return at == length


@dataclass
class Pair:
    """Two image files, and what is made of them."""

    old: Path
    new: Path
    target: Path

    def make(self, making=None, progress=None, **options):
        """The delta."""
        return make_delta(self.old, self.new, self.target, making, progress, **options)

    def applied(self, made):
        """The image that the payload makes on a device, out of the old one."""
        applier = Applier(Memory(self.old.read_bytes()), Expected(made.new, made.old), memory=made.memory)
        data = self.target.read_bytes()
        image = b"".join(b"".join(applier.feed(data[at : at + 65536])) for at in range(0, len(data), 65536))
        applier.finish()
        return image
