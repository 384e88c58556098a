"""A slot as a file: whatever its device does wrong is a SlotError that names it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from agent.disk import BlockFile, Disk, Medium
from bridge.release.errors import SlotError

ADVICE = MappingProxyType(
    {
        errno.ENOSPC: "; it ends there, or its file system is full: make room, or give it a larger device",
        errno.EIO: "; its medium may be failing: see the kernel's log, and replace it",
        errno.EROFS: "; it was made read-only, perhaps after errors: see the kernel's log, and make it writable",
        errno.EBUSY: "; somebody has it mounted, or in use: let go of it (lsblk shows by whom)",
        errno.ENODEV: "; the device is gone: bring it back",
        errno.ENXIO: "; the device is gone: bring it back",
        errno.ENOENT: "; correct the slots in the agent's configuration, or bring the device back",
    }
)
"""What to do about it; other errors speak for themselves."""


class SlotFile:
    """One slot, open; every fault of its device is a SlotError that names it."""

    def __init__(self, path: Path, file: BlockFile) -> None:
        self._path = path
        self._file = file

    def write(self, offset: int, data: bytes) -> None:
        """Write `data` at byte `offset`. Raises: SlotError."""
        with _naming(self._path, f"cannot be written at byte {offset}"):
            self._file.write(offset, data)

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`. Raises: SlotError."""
        with _naming(self._path, f"cannot be read at byte {offset}"):
            return self._file.read(offset, length)

    def length(self) -> int:
        """Bytes of room. Raises: SlotError."""
        with _naming(self._path, "does not tell its length"):
            return self._file.length()

    def sync(self) -> None:
        """Make all that was written durable. Raises: SlotError."""
        with _naming(self._path, "could not be synced"):
            self._file.sync()


@contextmanager
def opened(disk: Disk, path: Path, *, to_write: bool = False) -> Iterator[SlotFile]:
    """The slot at `path`, closed at the end. Raises: SlotError."""
    with _naming(path, "cannot be opened"):
        file = disk.open_slot(path, to_write=to_write)
    try:
        yield SlotFile(path, file)
    finally:
        file.close()


class SlotMedium:
    """What a slot's medium holds; every fault is a SlotError that names it."""

    def __init__(self, path: Path, medium: Medium) -> None:
        self._path = path
        self._medium = medium

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """See Medium. Raises: SlotError."""
        with _naming(self._path, f"cannot be read at byte {offset}"):
            return self._medium.read_into(buffer, offset)


@contextmanager
def opened_medium(disk: Disk, path: Path) -> Iterator[SlotMedium]:
    """The slot at `path`, to be read past every cache, closed at the end. Raises: SlotError."""
    with _naming(path, "cannot be opened"):
        medium = disk.open_medium(path)
    try:
        yield SlotMedium(path, medium)
    finally:
        medium.close()


@contextmanager
def _naming(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, "")
        raise SlotError(f"{path} {what}: {error.strerror or error}{advice}") from error
