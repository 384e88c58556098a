"""Every write and flush of a guest's disk, recorded by QEMU's blklogwrites in the format of Linux' dm-log-writes
(Documentation/admin-guide/device-mapper/log-writes.rst).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SECTOR = 512
SUPER = struct.Struct("<QQQI")
"""Magic, version, entries, bytes in a sector."""
MAGIC = 0x6A736677736872
VERSION = 1
ENTRY = struct.Struct("<QQQQ")
"""First sector, sectors, flags, bytes of extra data."""
FLUSH, FUA, DISCARD = 1, 2, 4
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Entry:
    """Something the guest did: `flush` makes all before it durable, `fua` this write; `data` lies at byte `offset`."""

    offset: int
    data: Bytes
    flush: bool = False
    fua: bool = False


def begin(log: Path) -> None:
    """An empty recording."""
    log.write_bytes(SUPER.pack(MAGIC, VERSION, 0, SECTOR).ljust(SECTOR, b"\0"))


def recorded(line: list[str], disk: Path, log: Path) -> list[str]:
    """QEMU's command `line` with what is written to `disk` appended to `log`, which was begun."""
    file = {"driver": "file", "filename": str(disk), "cache": {"direct": True}}
    base = {"driver": "raw", "node-name": "base", "file": file}
    logged = {"driver": "file", "filename": str(log)}
    recording = {"log": logged, "log-append": True, "log-super-update-interval": 1}
    writes = {"driver": "blklogwrites", "node-name": "d0", "file": "base", **recording}
    at = next(index for index, part in enumerate(line) if "id=d0" in part) - 1
    return [*line[:at], "-blockdev", json.dumps(base), "-blockdev", json.dumps(writes), *line[at + 2 :]]


def entries(log: Path) -> Iterator[Entry]:
    """What was recorded, in order. Raises: ValueError for a file that is no recording."""
    content = np.memmap(log, np.uint8, "r")
    magic, _, count, sector = SUPER.unpack(content[: SUPER.size].tobytes())
    if magic != MAGIC:
        raise ValueError(f"{log} is no recording of writes")
    offset = sector
    for _ in range(count):
        start, length, flags, _ = ENTRY.unpack(content[offset : offset + ENTRY.size].tobytes())
        offset += sector
        stored = 0 if flags & DISCARD else length * sector
        data = np.zeros(length * sector, np.uint8) if flags & DISCARD else content[offset : offset + stored]
        offset += stored
        yield Entry(start * sector, data, bool(flags & FLUSH), bool(flags & FUA))
