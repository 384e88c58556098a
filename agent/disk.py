"""Every durable write of the agent goes through here, so that a test can cut the power between any two calls."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from agent.kernel import Kernel, Linux
from agent.medium import SystemMedium

READ_BYTES = 1024 * 1024
"""Bytes asked for in one call while a small file is read."""


FOLIO_BYTES = 2 * 1024 * 1024
"""Pages are cached in groups of up to so many bytes, and only whole groups can be dropped."""


class BlockFile(Protocol):
    """An open slot: random access, durable only after `sync`."""

    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data` at byte `offset`. Raises: OSError."""

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from byte `offset`; fewer at the end. Raises: OSError."""

    def length(self) -> int:
        """Bytes that the slot has room for. Raises: OSError."""

    def sync(self) -> None:
        """Return once all that was written is durable; later reads come from the medium. Raises: OSError."""

    def close(self) -> None:
        """Release the file; idempotent. Says nothing about durability."""


class Medium(Protocol):
    """An open slot, read past every cache of this machine: only what is durable is seen."""

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from byte `offset`, a multiple of its length; both are whole pages. The count of bytes
        read: fewer at the end, 0 behind it. Raises: OSError."""

    def close(self) -> None:
        """Release the file; idempotent."""


class Disk(Protocol):
    """The agent's way to durable storage."""

    def read(self, path: Path) -> bytes | None:
        """The whole small file at `path`; None when there is none. Raises: OSError."""

    def replace(self, path: Path, data: bytes) -> None:
        """Make `data` the whole content of `path`, durably: after a power cut the old or the new content stands.

        Raises: OSError; then the old or the new content stands.
        """

    def open_slot(self, path: Path, *, to_write: bool = True) -> BlockFile:
        """Open an existing file or block device, for reading and writing or for reading alone. Raises: OSError."""

    def open_file(self, path: Path) -> BlockFile:
        """Open the file at `path` for reading and writing, made where there is none; its name is durable then.

        Raises: OSError.
        """

    def make_folder(self, path: Path) -> None:
        """Have a folder at `path`, durably, in one that is there. Raises: OSError."""

    def names(self, folder: Path) -> list[str]:
        """What is in `folder`, sorted; nothing where there is no such folder. Raises: OSError."""

    def remove(self, path: Path) -> None:
        """Have nothing at `path`, durably: no file, and no folder with all that is in it. Raises: OSError."""

    def free(self, folder: Path) -> int:
        """Bytes that this process may still write to the file system of `folder`. Raises: OSError."""

    def open_medium(self, path: Path) -> Medium:
        """Open it for reading from the medium. Raises: OSError."""


class SystemDisk:
    """The real one; a test puts another kernel below the same code."""

    def __init__(self, kernel: Kernel | None = None) -> None:
        self._kernel = kernel or Linux()

    def read(self, path: Path) -> bytes | None:
        """See Disk."""
        try:
            file = self._open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            return file.read_all()
        finally:
            file.close()

    def replace(self, path: Path, data: bytes) -> None:
        """See Disk. Writes beside the target, syncs, renames, syncs the folder."""
        draft = path.with_name(path.name + ".new")
        file = self._open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            file.write(0, data)
            file.sync()
        finally:
            file.close()
        self._kernel.rename(draft, path)
        self._sync_folder(path.parent)

    def open_slot(self, path: Path, *, to_write: bool = True) -> SystemBlockFile:
        """See Disk. A block device is opened for writing only where nothing has it mounted, and none can mount it then:
        that is what O_EXCL means without O_CREAT (open(2)); of a file it means nothing."""
        if to_write:
            return self._open(path, os.O_RDWR | os.O_EXCL)
        return PassingFile(self._kernel, self._kernel.open(path, os.O_RDONLY))

    def open_medium(self, path: Path) -> Medium:
        """See Disk."""
        file = self._open(path, os.O_RDONLY)
        try:
            return SystemMedium(self._kernel, file, self._open_direct(path))
        except OSError:
            file.close()
            raise

    def open_file(self, path: Path) -> BlockFile:
        """See Disk."""
        file = self._open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
        try:
            self._sync_folder(path.parent)
        except OSError:
            file.close()
            raise
        return file

    def make_folder(self, path: Path) -> None:
        """See Disk. One that is there need not be durable yet."""
        with suppress(FileExistsError):
            self._kernel.make_folder(path)
        self._sync_folder(path.parent)

    def names(self, folder: Path) -> list[str]:
        """See Disk."""
        try:
            return sorted(self._kernel.names(folder))
        except FileNotFoundError:
            return []

    def remove(self, path: Path) -> None:
        """See Disk. A link is taken away, never followed."""
        with suppress(FileNotFoundError):
            self._remove(path)
        with suppress(FileNotFoundError):  # what is gone already need not be durably so
            self._sync_folder(path.parent)

    def free(self, folder: Path) -> int:
        """See Disk."""
        return self._kernel.free(folder)

    def _remove(self, path: Path) -> None:
        try:
            names = self._kernel.names(path)
        except NotADirectoryError:
            self._kernel.remove(path)
            return
        for name in sorted(names):
            self._remove(path / name)
        self._kernel.remove_folder(path)

    def _open_direct(self, path: Path) -> int | None:
        """None where the file system has no such thing."""
        try:
            return self._kernel.open(path, os.O_RDONLY | os.O_DIRECT)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return None

    def _open(self, path: Path, flags: int) -> SystemBlockFile:
        return SystemBlockFile(self._kernel, self._kernel.open(path, flags))

    def _sync_folder(self, folder: Path) -> None:
        file = self._open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            file.sync()
        finally:
            file.close()


class SystemBlockFile:
    """An open file, folder or block device; closes `descriptor` once."""

    def __init__(self, kernel: Kernel, descriptor: int) -> None:
        self._kernel = kernel
        self._descriptor = descriptor
        self._open = True

    def forget(self, offset: int, length: int) -> None:
        """Drop what is cached of a range and durable."""
        self._kernel.forget(self._descriptor, offset, length)

    def write(self, offset: int, data: bytes) -> None:
        """See BlockFile."""
        view = memoryview(data)
        while view:
            count = self._kernel.write(self._descriptor, view, offset)
            view, offset = view[count:], offset + count

    def read(self, offset: int, length: int) -> bytes:
        """See BlockFile."""
        return self._kernel.read(self._descriptor, length, offset)

    def read_all(self) -> bytes:
        """From the first byte to the end."""
        data = bytearray()
        while chunk := self.read(len(data), READ_BYTES):
            data += chunk
        return bytes(data)

    def length(self) -> int:
        """See BlockFile."""
        return self._kernel.length(self._descriptor)

    def sync(self) -> None:
        """See BlockFile."""
        self._kernel.sync(self._descriptor)

    def close(self) -> None:
        """See BlockFile."""
        if self._open:
            self._open = False
            self._kernel.close(self._descriptor)


class PassingFile(SystemBlockFile):
    """A slot that is read once, and then not again for weeks: it takes no room in the page cache, which belongs to the
    applications. What was read ahead of a read is left for the next one, and dropped with the rest at the end."""

    def __init__(self, kernel: Kernel, descriptor: int) -> None:
        super().__init__(kernel, descriptor)
        self._end = 0

    def read(self, offset: int, length: int) -> bytes:
        """See BlockFile."""
        data = super().read(offset, length)
        start = max(0, offset - FOLIO_BYTES)
        self.forget(start, offset + len(data) - start)
        self._end = max(self._end, offset + len(data))
        return data

    def close(self) -> None:
        """See BlockFile."""
        if self._end and self._open:
            self.forget(0, self._end + FOLIO_BYTES)
        super().close()
