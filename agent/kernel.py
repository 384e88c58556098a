"""The few calls of the operating system that durable writes are made of."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Protocol


class Kernel(Protocol):
    """The few calls of the operating system that durable writes are made of. All raise OSError."""

    def open(self, path: Path, flags: int) -> int:
        """A descriptor of `path`, opened with `flags` of `os`; O_DIRECTORY opens a folder."""

    def write(self, descriptor: int, data: memoryview, offset: int) -> int:
        """Write at `offset`; the count of bytes taken, at least 1."""

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """Up to `length` bytes from `offset`; b"" at the end."""

    def read_into(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset`; the count of bytes read, 0 at the end. Where the file was opened with O_DIRECT,
        the buffer's address and length and the offset are whole pages."""

    def forget(self, descriptor: int, offset: int, length: int) -> None:
        """Drop what is cached of a range and durable."""

    def length(self, descriptor: int) -> int:
        """Bytes in the file or block device."""

    def sync(self, descriptor: int) -> None:
        """Make a file's content, or a folder's names, durable."""

    def rename(self, old: Path, new: Path) -> None:
        """Give `old` the name `new`, in place of what had it."""

    def make_folder(self, path: Path) -> None:
        """Make a folder. FileExistsError where something is there."""

    def names(self, folder: Path) -> list[str]:
        """The names in a folder. NotADirectoryError where `folder` is something else, also a link to one."""

    def remove(self, path: Path) -> None:
        """Take away the name of a file."""

    def remove_folder(self, path: Path) -> None:
        """Take away an empty folder."""

    def free(self, folder: Path) -> int:
        """Bytes that an ordinary user may still write to the file system of `folder`."""

    def close(self, descriptor: int) -> None:
        """Give the descriptor back."""


class Linux:
    """The operating system's own calls."""

    def open(self, path: Path, flags: int) -> int:
        """See Kernel. New files are for the owner only."""
        return os.open(path, flags | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, data: memoryview, offset: int) -> int:
        """See Kernel."""
        return os.pwrite(descriptor, data, offset)

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """See Kernel."""
        return os.pread(descriptor, length, offset)

    def read_into(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        """See Kernel."""
        return os.preadv(descriptor, [buffer], offset)

    def forget(self, descriptor: int, offset: int, length: int) -> None:
        """See Kernel."""
        os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)

    def length(self, descriptor: int) -> int:
        """See Kernel. A block device has no size in its stat, but an end."""
        return os.lseek(descriptor, 0, os.SEEK_END)

    def sync(self, descriptor: int) -> None:
        """See Kernel. Then drops the cached pages: a slot is read back from the medium, and memory stays free."""
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def rename(self, old: Path, new: Path) -> None:
        """See Kernel."""
        old.replace(new)

    def make_folder(self, path: Path) -> None:
        """See Kernel. For the owner only."""
        path.mkdir(mode=0o700)

    def names(self, folder: Path) -> list[str]:
        """See Kernel."""
        if folder.is_symlink():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        return [path.name for path in folder.iterdir()]

    def remove(self, path: Path) -> None:
        """See Kernel."""
        path.unlink()

    def remove_folder(self, path: Path) -> None:
        """See Kernel."""
        path.rmdir()

    def free(self, folder: Path) -> int:
        """See Kernel."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def close(self, descriptor: int) -> None:
        """See Kernel."""
        os.close(descriptor)
