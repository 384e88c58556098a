"""An installation leaves the page cache to the applications: what it writes and reads does not stay in memory.

Measured by mincore(2), which tells page by page what is cached, so nothing else on the machine disturbs it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.disk import SystemDisk
from agent.image.imagewriter import ImageWriter, Pace
from agent.image.readback import check_image
from agent.image.slotfile import opened, opened_medium
from agent.image.source import SlotSource, found_in
from bridge.release.delta.checkpoint import START
from tests.releases import image_of

MEGABYTE = 1 << 20
SLOT_BYTES = 64 * MEGABYTE
CROWD_BYTES = 8 * MEGABYTE
CHUNK_BYTES = 256 * 1024
KEEPS_NOTHING = {"tmpfs", "ramfs", "overlay", "9p"}
"""File systems whose pages are the file itself, or another one's."""


def cached_pages(path: Path) -> int:
    """How many pages of the file are in memory."""
    libc = ctypes.CDLL(None, use_errno=True)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        length = len(mapped)
        told = (ctypes.c_ubyte * -(-length // mmap.PAGESIZE))()
        start = ctypes.c_char.from_buffer(mapped)
        failed = libc.mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(length), told)
        del start
        assert not failed, os.strerror(ctypes.get_errno())
        return sum(each & 1 for each in told)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder on a disk, unlike those of most tests."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="otabridge-cache-") as name:
        kind = subprocess.run(
            ["stat", "-f", "-c", "%T", name], capture_output=True, text=True, check=True
        ).stdout.strip()
        if kind in KEEPS_NOTHING:
            pytest.skip(f"/var/tmp is a {kind}, which is memory itself")
        yield Path(name)


@pytest.fixture
def crowd(folder: Path) -> Path:
    """A file that an application works with: all of it is cached."""
    path = folder / "application.db"
    path.write_bytes(random.Random(1).randbytes(CROWD_BYTES))
    os.sync()
    path.read_bytes()
    return path


@pytest.fixture
def slot(folder: Path) -> Path:
    """A blank slot."""
    path = folder / "slot.img"
    path.touch()
    os.truncate(path, SLOT_BYTES)
    return path


def test_an_installation_does_not_evict_what_applications_cache(slot: Path, crowd: Path):
    """64 MB are written with checkpoints on the way, synced and read back: of the slot no page stays."""
    image = random.Random(2).randbytes(SLOT_BYTES)
    disk, pages = SystemDisk(), CROWD_BYTES // mmap.PAGESIZE

    with opened(disk, slot, to_write=True) as file:
        writer = ImageWriter(file, SLOT_BYTES, START, Pace(8 * MEGABYTE, 60.0, lambda: 0.0), lambda _: None)
        for at in range(0, SLOT_BYTES, CHUNK_BYTES):
            writer.take(image[at : at + CHUNK_BYTES], START)
        writer.finish()
    with opened_medium(disk, slot) as medium:
        check_image(medium, image_of(image), lambda _: None)

    assert (cached_pages(slot), cached_pages(crowd)) == (0, pages)
    assert slot.read_bytes() == image
    assert cached_pages(slot) == SLOT_BYTES // mmap.PAGESIZE  # whoever reads it plainly does fill the cache


def test_reading_what_a_delta_starts_from_caches_nothing(slot: Path, crowd: Path):
    """The slot that runs is read whole before a delta is taken, and here and there while it is applied."""
    image = random.Random(3).randbytes(SLOT_BYTES)
    slot.write_bytes(image)
    with opened(SystemDisk(), slot, to_write=True) as file:
        file.sync()

    with opened(SystemDisk(), slot) as file:
        assert found_in(file, [image_of(image)])
        source = SlotSource(file, SLOT_BYTES)
        for at in range(0, SLOT_BYTES, 3 * MEGABYTE):
            assert source.pread(at, 5000) == image[at : at + 5000]

        assert (
            cached_pages(slot) * mmap.PAGESIZE < 16 * MEGABYTE
        )  # what the kernel read ahead, until the slot is closed
    assert cached_pages(slot) == 0
    assert cached_pages(crowd) * mmap.PAGESIZE == CROWD_BYTES
