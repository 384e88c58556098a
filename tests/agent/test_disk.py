"""Durable writes, on the real file system and on a kernel that loses power."""

from __future__ import annotations

import os
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


def test_a_folder_is_durable_when_it_is_made(tmp_path):
    """Its name, in the folder above; once more is no mistake, as it may not have been durable yet."""
    kernel = SimulatedKernel()
    disk = SystemDisk(kernel)

    disk.make_folder(Path("/state/steps"))
    disk.make_folder(Path("/state/steps"))

    assert kernel.log == ["make steps", "sync folder state", "sync folder state"]
    SystemDisk().make_folder(tmp_path / "steps")
    SystemDisk().make_folder(tmp_path / "steps")
    assert (tmp_path / "steps").stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_gone_on_with_keeps_what_it_has(tmp_path):
    """It is made where there is none, and its name is durable before the first byte is written."""
    disk = SystemDisk()
    for offset, data in ((0, b"half"), (4, b" and half")):
        file = disk.open_file(tmp_path / "app.file")
        file.write(offset, data)
        file.sync()
        file.close()

    assert disk.read(tmp_path / "app.file") == b"half and half"
    kernel = SimulatedKernel()
    SystemDisk(kernel).open_file(Path("/state/app.file"))
    assert kernel.log == ["create app.file", "sync folder state"]


def test_a_folder_goes_with_all_that_is_in_it(tmp_path):
    """Folders below it as well, and no link is followed; what is not there needs no removing."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "precious").write_text("stays")
    (tmp_path / "steps" / "app").mkdir(parents=True)
    (tmp_path / "steps" / "app" / "before").write_text("way back")
    (tmp_path / "steps" / "link").symlink_to(tmp_path / "kept")
    disk = SystemDisk()

    assert disk.names(tmp_path / "steps") == ["app", "link"]
    disk.remove(tmp_path / "steps")
    disk.remove(tmp_path / "steps")

    assert disk.names(tmp_path / "steps") == []
    assert disk.names(tmp_path) == ["kept"]
    assert (tmp_path / "kept" / "precious").read_text() == "stays"


def test_a_removal_is_durable_when_it_is_done():
    """A power cut after it does not bring the file back."""
    kernel = SimulatedKernel()
    disk = SystemDisk(kernel)
    disk.replace(Path("/state/note"), b"owed")

    disk.remove(Path("/state/note"))
    kernel.lose(Loss.LOST, Random(0))

    assert disk.read(Path("/state/note")) is None


def test_what_is_free_is_what_the_file_system_says(tmp_path):
    """In bytes, for an ordinary user."""
    found = os.statvfs(tmp_path)

    assert 0 < SystemDisk().free(tmp_path) <= found.f_blocks * found.f_frsize
