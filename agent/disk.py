"""Every durable write of the agent goes through here, so that a test can cut the power between any two of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class BlockFile(Protocol):
    """An open slot: random access, durable only after `sync`."""

    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data` at byte `offset`. Raises: OSError."""

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from byte `offset`; fewer at the end. Raises: OSError."""

    def sync(self) -> None:
        """Return once all that was written is durable. Raises: OSError."""

    def close(self) -> None:
        """Release the file; idempotent. Says nothing about durability."""


class Disk(Protocol):
    """The agent's way to durable storage."""

    def read(self, path: Path) -> bytes | None:
        """The whole small file at `path`; None when there is none. Raises: OSError."""

    def replace(self, path: Path, data: bytes) -> None:
        """Make `data` the whole content of `path`, durably: after a power cut the old or the new content stands.

        Raises: OSError; then the old content stands.
        """

    def open_slot(self, path: Path) -> BlockFile:
        """Open an existing file or block device for reading and writing. Raises: OSError."""


class SystemDisk:
    """The real one."""

    def read(self, path: Path) -> bytes | None:
        """See Disk."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, path: Path, data: bytes) -> None:
        """See Disk. Writes beside the target, syncs, renames, syncs the folder."""
        draft = path.with_name(path.name + ".new")
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)

    def open_slot(self, path: Path) -> BlockFile:
        """See Disk."""
        return SystemBlockFile(path)


class SystemBlockFile:
    """A slot opened with the calls of the operating system."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._open = True

    def write(self, offset: int, data: bytes) -> None:
        """See BlockFile."""
        view = memoryview(data)
        while view:
            count = os.pwrite(self._descriptor, view, offset)
            view, offset = view[count:], offset + count

    def read(self, offset: int, length: int) -> bytes:
        """See BlockFile."""
        return os.pread(self._descriptor, length, offset)

    def sync(self) -> None:
        """See BlockFile."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """See BlockFile."""
        if self._open:
            self._open = False
            os.close(self._descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
