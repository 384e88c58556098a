"""The slot that is being written: its device, which nobody else holds, and the memory from which it is filled."""

from __future__ import annotations

import fcntl
import mmap
import os
from pathlib import Path

from agent.disk import Disk
from agent.slots import Slot
from agent.writer.protocol import BUFFER_BYTES

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
"""Of the memory's size, for good: what is mapped stays there, whatever the other side does with its descriptor."""


class OpenSlot:
    """One slot from its opening to its closing. The other side may change the shared memory at any time: what came of
    it is read back from the medium, after this was closed."""

    def __init__(self, disk: Disk, slot: Slot, path: Path, extent: int) -> None:
        """Open `slot` at `path`, of which the first `extent` bytes may be written. Raises: OSError."""
        self.slot = slot
        self._file = disk.open_slot(path)
        try:
            self.length = self._file.length()
            self._extent = min(extent, self.length)
            self._memory = _new_memory()
        except OSError:
            self._file.close()
            raise
        self._view = mmap.mmap(self._memory, BUFFER_BYTES, prot=mmap.PROT_READ)

    def lend(self) -> int:
        """A descriptor of the shared memory, for the caller to close."""
        return os.dup(self._memory)

    def write(self, offset: int, length: int) -> None:
        """Put the first `length` bytes of the memory at byte `offset`. Raises: ValueError outside; OSError."""
        if offset + length > self._extent or length > BUFFER_BYTES:
            raise ValueError(f"bytes {offset} to {offset + length} are asked for, signed are {self._extent}")
        self._file.write(offset, self._view[:length])

    def sync(self) -> None:
        """Make what was written durable. Raises: OSError."""
        self._file.sync()

    def close(self) -> None:
        """From now on nobody can write the slot."""
        self._file.close()
        self._view.close()
        os.close(self._memory)


def _new_memory() -> int:
    memory = os.memfd_create("otabridge-slot", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(memory, BUFFER_BYTES)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, SEALS)
    return memory
