"""The slot that runs, as what a delta starts from: few reads, and nothing beyond its image."""

from __future__ import annotations

import errno
from pathlib import Path
from random import Random

import pytest

from agent.image.slotfile import SlotFile
from agent.image.source import WINDOW_BYTES, WINDOWS, SlotSource
from bridge.release.delta.errors import ForeignSource

IMAGE = Random(8).randbytes(3_000_001)


def old_slot(at: int = -1) -> tuple[SlotSource, Counted]:
    """A source of IMAGE which cannot be read at byte `at`."""
    file = Counted(at)
    return SlotSource(SlotFile(Path("slot"), file), len(IMAGE) - 7), file


class Counted:
    """A medium that holds IMAGE and more behind it, and has a bad sector at `bad`."""

    def __init__(self, bad: int) -> None:
        self.bad = bad
        self.calls = 0

    def read(self, offset: int, length: int) -> bytes:
        """See BlockFile."""
        self.calls += 1
        if offset <= self.bad < offset + length:
            raise OSError(errno.EIO, "Input/output error")
        return (IMAGE + b"beyond")[offset : offset + length]

    def write(self, offset: int, data: bytes) -> None:
        """Nobody may write what runs."""
        raise OSError(errno.EBADF, f"{len(data)} bytes for byte {offset}")

    def length(self) -> int:
        """See BlockFile."""
        return len(IMAGE) + 6

    def sync(self) -> None:
        """See BlockFile."""

    def close(self) -> None:
        """See BlockFile."""


def test_a_source_is_read_in_windows():
    """Small reads near each other ask the medium once; each gives just what was asked for, never beyond the extent."""
    source, file = old_slot()

    for offset in range(0, WINDOW_BYTES, 100):
        assert source.pread(offset, 100) == IMAGE[offset : offset + 100]
    assert file.calls <= 3
    for offset, length in ((WINDOW_BYTES - 5, 10), (5, 2 * WINDOW_BYTES), (len(IMAGE) - 9, 9), (len(IMAGE), 5)):
        assert source.pread(offset, length) == IMAGE[offset : min(offset + length, len(IMAGE) - 7)]


def test_the_windows_of_a_source_are_few():
    """A delta that reads everywhere takes no more memory than another."""
    source, file = old_slot()
    for number in (*range(WINDOWS + 1), 0):
        source.pread(number * WINDOW_BYTES, 1)

    assert file.calls == WINDOWS + 2


def test_a_bad_sector_beside_what_is_wanted_does_no_harm():
    """What can be read is read; what cannot is a reason to take the full artifact."""
    source, _ = old_slot(at=5000)

    assert source.pread(100, 4000) == IMAGE[100:4100]
    with pytest.raises(ForeignSource, match="take the full artifact"):
        source.pread(4900, 200)
