"""Slots that hold noise before each installation, and the proof that they hold the image after it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.install.caches import evict
from benchmarks.install.programs import Unavailable, run

BLOCK_BYTES = 1 << 20
NOISE = random.Random(20).randbytes(BLOCK_BYTES)
"""No block of an image is this one: a tool that skips equal blocks or zeros finds none, and has to write them all."""


def spoil(slot: Path, length: int) -> None:
    """Fill `slot` with noise, in the blocks that it has on the disk already, and out of the cache."""
    with slot.open("r+b" if slot.exists() else "wb") as file:
        for start in range(0, length, BLOCK_BYTES):
            file.write(NOISE[: length - start])
    evict(slot)


def require_image(slot: Path, image: Path) -> None:
    """Raises: Unavailable when the tool left something else in `slot`."""
    run(["cmp", f"--bytes={image.stat().st_size}", image, slot])


def make_durable(slot: Path) -> None:
    """Bring what a tool wrote, and did not sync itself, to the disk."""
    descriptor = os.open(slot, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def attached(file: Path) -> Iterator[Path]:
    """A loop device over `file`. Raises: Unavailable."""
    device = Path(run(["losetup", "--find", "--show", file]).strip())
    if not device.is_block_device():
        raise Unavailable(f"losetup gave {device}, which is no block device")
    try:
        yield device
    finally:
        run(["losetup", "--detach", device])
