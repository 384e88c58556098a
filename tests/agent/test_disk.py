"""Durable writes, on the real file system and on a kernel that loses power."""

from __future__ import annotations

import stat
from pathlib import Path
from random import Random

import pytest

from agent.disk import SystemBlockFile, SystemDisk
from tests.agent.power import Loss, PowerCut, SimulatedKernel

TARGET = Path("/state/file")


class Hesitant(SimulatedKernel):
    """A kernel that takes at most 100 bytes at once, as it may."""

    def write(self, descriptor: int, data: memoryview, offset: int) -> int:
        """See Kernel."""
        return super().write(descriptor, data[:100], offset)


@pytest.mark.parametrize("disk", [SystemDisk(), SystemDisk(SimulatedKernel())], ids=["linux", "simulated"])
def test_a_replaced_file_reads_back(disk, tmp_path):
    """Both kernels do the same: longer and shorter content, and None for no file."""
    path = tmp_path / "journal"

    assert disk.read(path) is None
    for content in (b"first", b"a longer one", b""):
        disk.replace(path, content)
        assert disk.read(path) == content


def test_a_file_of_ours_is_for_the_owner_only_and_leaves_no_draft(tmp_path):
    """The journal names releases and offers: nobody else's business."""
    path = tmp_path / "journal"

    SystemDisk().replace(path, b"content")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_slot_is_random_access_and_keeps_its_length(tmp_path):
    """Writes land where they should; length is what the device has room for; close is idempotent."""
    path = tmp_path / "slot.img"
    path.write_bytes(bytes(1000))
    slot = SystemDisk().open_slot(path)

    slot.write(990, b"0123456789")
    slot.sync()

    assert slot.read(995, 100) == b"56789"
    assert slot.length() == 1000
    slot.close()
    slot.close()
    assert path.read_bytes() == bytes(990) + b"0123456789"


def test_a_slot_must_exist(tmp_path):
    """A wrong device path is an error, never a new file."""
    with pytest.raises(FileNotFoundError):
        SystemDisk().open_slot(tmp_path / "sda9")

    assert list(tmp_path.iterdir()) == []


def test_a_short_write_is_continued():
    """The kernel may take less than it was given."""
    disk = SystemDisk(Hesitant())

    disk.replace(TARGET, bytes(range(256)) * 2)

    assert disk.read(TARGET) == bytes(range(256)) * 2


def test_descriptors_are_given_back(tmp_path):
    """A thousand replacements use no more descriptors than one."""
    disk = SystemDisk()
    before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(50):
        disk.replace(tmp_path / "journal", b"content")
        disk.read(tmp_path / "journal")

    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("at", range(1, 6))
def test_a_power_cut_leaves_the_old_or_the_new(loss, at):
    """At each of the five calls of a replacement, whatever is lost, one whole content stands."""
    kernel = SimulatedKernel()
    old, new = bytes(2000), b"n" * 3000
    SystemDisk(kernel).replace(TARGET, old)
    kernel.cut_at = kernel.calls + at

    with pytest.raises(PowerCut):
        SystemDisk(kernel).replace(TARGET, new)
    kernel.lose(loss, Random(at))

    assert SystemDisk(kernel).read(TARGET) in (old, new)


def test_after_replace_has_returned_the_new_content_stands():
    """Once it returned, no power cut takes it back."""
    kernel = SimulatedKernel()
    SystemDisk(kernel).replace(TARGET, b"old")
    SystemDisk(kernel).replace(TARGET, b"new")

    kernel.lose(Loss.LOST, Random(0))

    assert SystemDisk(kernel).read(TARGET) == b"new"


@pytest.mark.parametrize(("loss", "left"), [(Loss.LOST, 0), (Loss.KEPT, 2048), (Loss.TORN, 1024), (Loss.NAMES_ONLY, 0)])
def test_the_simulated_medium_loses_what_was_not_synced(loss, left):
    """The kernel that the sweep stands on really loses: without a sync, only the kind of loss decides."""
    kernel = SimulatedKernel()
    SystemDisk(kernel).replace(TARGET, bytes(2048))
    slot = SystemDisk(kernel).open_slot(TARGET)
    slot.write(0, b"x" * 2048)

    kernel.lose(loss, Random(0))

    assert kernel.content(TARGET).count(b"x") == left


def test_the_simulated_sync_keeps_everything():
    """And what was synced survives every kind of loss."""
    for loss in Loss:
        kernel = SimulatedKernel()
        SystemDisk(kernel).replace(TARGET, bytes(2048))
        slot: SystemBlockFile = SystemDisk(kernel).open_slot(TARGET)
        slot.write(0, b"x" * 2048)
        slot.sync()
        kernel.lose(loss, Random(0))

        assert kernel.content(TARGET) == b"x" * 2048
