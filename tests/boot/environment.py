"""The two copies of U-Boot's environment as bytes on the disk (libubootenv, U-Boot's env/flags): CRC-32, flag, data."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from tests.boot.disk import ENVIRONMENT_BYTES, ENVIRONMENT_OFFSETS, DiskImage

HEAD = struct.Struct("<IB")
HALF = 128
"""A flag that is less than so far ahead is newer."""
SECTOR = 512
ROT = 40
"""Where a copy is changed by rot: within the variables."""


def environment_of(disk: DiskImage) -> bytes:
    """Both copies, one behind the other."""
    return disk.read(ENVIRONMENT_OFFSETS[0], 2 * ENVIRONMENT_BYTES)


def sound(copy: bytes) -> bool:
    """Whether the checksum is of the data."""
    return bool(HEAD.unpack_from(copy)[0] == zlib.crc32(copy[HEAD.size :]))


def offsets_by_age(disk: DiskImage) -> tuple[int, int]:
    """Where the newest copy is and where the oldest, both sound or not."""
    first, second = ENVIRONMENT_OFFSETS
    ahead = (_flag(disk, second) - _flag(disk, first)) % 256
    return (second, first) if 0 < ahead < HALF else (first, second)


def tear(disk: DiskImage, change: Callable[[], None]) -> None:
    """Do `change`, the last write of which is torn: its first sector, in which all variables are, is new on the disk,
    of the others one is unreadable. Who believes such a copy believes what was never finished."""
    before = {offset: disk.read(offset, ENVIRONMENT_BYTES) for offset in ENVIRONMENT_OFFSETS}
    change()
    newest, _ = offsets_by_age(disk)
    if disk.read(newest, ENVIRONMENT_BYTES) == before[newest]:
        raise AssertionError("nothing was written that could be torn")
    disk.write(newest + SECTOR, b"\xff" * SECTOR)
    if sound(disk.read(newest, ENVIRONMENT_BYTES)):
        raise AssertionError("the torn copy is sound")


def spoil(disk: DiskImage, which: str) -> None:
    """Change a byte in the `newest` copy, in the `oldest`, or in `both`."""
    newest, oldest = offsets_by_age(disk)
    for offset in {"newest": (newest,), "oldest": (oldest,), "both": (newest, oldest)}[which]:
        (byte,) = disk.read(offset + ROT, 1)
        disk.write(offset + ROT, bytes([byte ^ 0x40]))


def set_flags(disk: DiskImage, flag: int) -> None:
    """The newest copy gets `flag` (0..255), the oldest the one before it."""
    newest, oldest = offsets_by_age(disk)
    disk.write(newest + 4, bytes([flag % 256]))
    disk.write(oldest + 4, bytes([(flag - 1) % 256]))


def erase(disk: DiskImage) -> None:
    """Zeros in both copies."""
    for offset in ENVIRONMENT_OFFSETS:
        disk.write(offset, bytes(ENVIRONMENT_BYTES))


def _flag(disk: DiskImage, offset: int) -> int:
    return disk.read(offset + 4, 1)[0]
