"""The page cache, brought into a known state before each installation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

DROP = Path("/proc/sys/vm/drop_caches")
ALL_CACHES = "3"
READ_BYTES = 1 << 20


class Temperature(StrEnum):
    """What is in memory when an installation begins; of the slot that is written, nothing ever is."""

    COLD = "cold"
    """Nothing."""
    HOT = "hot"
    """All that is read."""


def bring(temperature: Temperature, sources: Iterable[Path]) -> None:
    """Bring `sources`, the files that will be read, to `temperature`."""
    for path in sources:
        evict(path)
        if temperature is Temperature.HOT:
            _read_through(path)
    if temperature is Temperature.COLD:
        _drop_all()


def evict(path: Path) -> None:
    """Make the content of `path` durable and forget it."""
    with _descriptor(path) as descriptor:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def can_drop_all() -> bool:
    """Whether programs and folders can be forgotten, too: only root may."""
    return os.access(DROP, os.W_OK)


def _drop_all() -> None:
    with suppress(OSError):  # then the files alone are cold, and the table says so
        DROP.write_text(ALL_CACHES)


def _read_through(path: Path) -> None:
    with _descriptor(path) as descriptor:
        while os.read(descriptor, READ_BYTES):
            pass


@contextmanager
def _descriptor(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
