"""A slot read past the page cache: what its medium holds, not what was meant to come there."""

from __future__ import annotations

import errno
import mmap
from typing import Protocol

PIECE_BYTES = 512 * 1024
"""Read at once: enough for any medium, and little enough to stay in the processor's cache until it is hashed."""


class DirectReads(Protocol):
    """What is needed of `agent.kernel.Kernel`."""

    def read_into(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        """See Kernel."""

    def close(self, descriptor: int) -> None:
        """See Kernel."""


class CachedFile(Protocol):
    """The same file, by way of the page cache."""

    def read(self, offset: int, length: int) -> bytes:
        """See BlockFile."""

    def forget(self, offset: int, length: int) -> None:
        """Drop what is cached of a range and durable."""

    def close(self) -> None:
        """See BlockFile."""


class SystemMedium:
    """agent.disk.Medium. `direct` is a descriptor opened with O_DIRECT; where there is none, or the device refuses
    such a read, what is cached of `file` is dropped before it is read."""

    def __init__(self, kernel: DirectReads, file: CachedFile, direct: int | None) -> None:
        self._kernel = kernel
        self._file = file
        self._direct = direct

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """See Medium."""
        if self._direct is not None:
            try:
                return self._kernel.read_into(self._direct, buffer, offset)
            except OSError as error:
                if error.errno != errno.EINVAL:  # which says that no read like this one will do
                    raise
                self._give_up_direct()
        self._file.forget(offset, len(buffer))
        data = self._file.read(offset, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """See Medium."""
        self._give_up_direct()
        self._file.close()

    def _give_up_direct(self) -> None:
        if self._direct is not None:
            descriptor, self._direct = self._direct, None
            self._kernel.close(descriptor)


def piece() -> memoryview:
    """Memory for one piece, whole pages as O_DIRECT wants it."""
    return memoryview(mmap.mmap(-1, PIECE_BYTES))
