"""Devices as Linux describes them: a made-up machine in a folder, and real loop devices where we may have them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.disk import SystemDisk
from agent.image.blocks import Blocks
from agent.image.fitness import UnfitSlot
from agent.image.slotfile import opened
from bridge.release.errors import SlotError

MOUNT = "36 25 {number} / {folder} rw,relatime shared:1 - ext4 {source} rw\n"


class Machine:
    """A machine whose slots are files, and whose mounts and devices are what a test says."""

    def __init__(self, folder: Path) -> None:
        self.mountinfo, self.sysfs = folder / "mountinfo", folder / "sys"
        self.a, self.b = folder / "a.img", folder / "b.img"
        for path in (self.a, self.b):
            path.write_bytes(bytes(4096))
        self.mountinfo.write_text("")
        (self.sysfs / "block").mkdir(parents=True)

    def mount(self, number: str, folder: str, source: str = "/dev/none") -> None:
        """One more line of mountinfo."""
        with self.mountinfo.open("a") as file:
            file.write(MOUNT.format(number=number, folder=folder, source=source))

    def device(self, name: str, number: str, within: str = "") -> Path:
        """A block device in sysfs, a partition `within` another where that is given; its folder."""
        folder = self.sysfs / "devices" / within / name
        folder.mkdir(parents=True)
        (folder / "dev").write_text(f"{number}\n")
        if within:
            (folder / "partition").write_text("1\n")
        links = self.sysfs / "dev/block"
        links.mkdir(parents=True, exist_ok=True)
        (links / number).symlink_to(folder)
        return folder

    def loop(self, name: str, number: str, backing: Path) -> Path:
        """A loop device over `backing`."""
        folder = self.device(name, number)
        (folder / "loop").mkdir()
        (folder / "loop/backing_file").write_text(f"{backing}\n")
        (self.sysfs / "block" / name).symlink_to(folder)
        return folder

    @property
    def blocks(self) -> Blocks:
        """How the agent sees it."""
        return Blocks(files=True, mountinfo=self.mountinfo, sysfs=self.sysfs)

    def refusal(self) -> str:
        """Why slot b is not to be written."""
        with pytest.raises(UnfitSlot) as refusal:
            self.blocks.require_fit(self.b, self.a)
        return str(refusal.value)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Two slots, nothing mounted."""
    return Machine(tmp_path)


def test_two_slots_of_their_own(machine: Machine):
    """Nothing is in the way, and looking changes nothing."""
    machine.mount("8:1", "/")

    machine.blocks.require_fit(machine.b, machine.a)

    assert machine.b.read_bytes() == bytes(4096)


def test_both_slots_one_by_another_name(machine: Machine):
    """Symlinks as in /dev/disk/by-partlabel are followed, hard links too."""
    for link in (machine.b.symlink_to, machine.b.hardlink_to):
        machine.b.unlink()
        link(machine.a)
        assert "are the same device" in machine.refusal()


def test_a_slot_that_is_not_there(machine: Machine):
    """A board whose second medium is gone, or a path that was mistyped."""
    machine.b.unlink()

    assert machine.refusal().startswith(f"slot {machine.b}: No such file or directory; correct the slots")


def test_a_slot_that_is_loop_mounted(machine: Machine):
    """Somebody looks into the image by `mount -o loop`: writing it would damage what they see."""
    machine.loop("loop3", "7:3", machine.b)
    machine.mount("7:3", r"/mnt/the\040image")

    assert f"{machine.b} is mounted at /mnt/the image by way of /dev/loop3; unmount it" in machine.refusal()


def test_a_loop_under_a_device_mapper(machine: Machine):
    """However many layers are between the slot and the mount."""
    holders = machine.loop("loop3", "7:3", machine.b) / "holders"
    holders.mkdir()
    (holders / "dm-0").symlink_to(machine.device("dm-0", "253:0"))
    machine.mount("253:0", "/")

    assert "holds the root file system that runs by way of /dev/dm-0" in machine.refusal()


def test_a_read_only_file_system_is_said_to_be_one(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    """EROFS, as after a remount on errors."""
    real = os.open

    def remounted(path, flags, *rest, **more):
        if flags & os.O_RDWR:
            raise OSError(30, "Read-only file system", str(path))
        return real(path, flags, *rest, **more)

    monkeypatch.setattr("agent.image.blocks.os.open", remounted)

    assert machine.refusal().startswith(f"{machine.b} is read-only; make it writable (blockdev --setrw,")


def test_without_proc_nothing_is_written(machine: Machine):
    """What is mounted cannot be known."""
    machine.mountinfo.unlink()

    assert f"{machine.mountinfo} cannot be read: No such file or directory; mount /proc" in machine.refusal()


def test_partitions_share_with_their_disk_and_not_with_each_other(machine: Machine):
    """The whole disk is never a slot while one of its partitions runs; a neighbour is none of our business."""
    disk = machine.device("mmcblk0", "179:0")
    for number in (2, 3):
        machine.device(f"mmcblk0p{number}", f"179:{number}", within="mmcblk0")

    assert disk.exists()
    assert machine.blocks._sharing("179:0") == {"179:0", "179:2", "179:3"}
    assert machine.blocks._sharing("179:3") == {"179:0", "179:3"}


MAY_LOOP = os.geteuid() == 0 and all(map(shutil.which, ("losetup", "mkfs.ext4", "mount", "umount", "blockdev")))


def run(*words: object) -> str:
    """What a program prints; the test is skipped where this machine does not allow it."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        pytest.skip(f"this machine has no loop devices for us: {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout.strip()


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Path]:
    """A real block device of 4 MiB."""
    image = tmp_path / "loop.img"
    image.write_bytes(bytes(4 << 20))
    device = Path(run("losetup", "--find", "--show", image))
    run("blockdev", "--setrw", device)  # a device number keeps what its last user set
    yield device
    subprocess.run(["blockdev", "--setrw", device], check=True, timeout=60)
    subprocess.run(["losetup", "--detach", device], check=True, timeout=60)


@pytest.fixture
def mounted(loop: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder where a file system on it is mounted."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    run("mkfs.ext4", "-q", loop)
    run("mount", loop, folder)
    yield folder
    subprocess.run(["umount", folder], check=True, timeout=60)


@pytest.mark.skipif(not MAY_LOOP, reason="loop devices need root, losetup, mkfs.ext4 and mount")
class TestRealDevices:
    """What the kernel itself says."""

    def test_a_free_device_is_fit(self, loop: Path, machine: Machine):
        """A block device that nobody uses, as the only kind that most boot loaders have."""
        Blocks(files=False).require_fit(loop, machine.a)

    def test_the_same_device_through_a_link(self, loop: Path, tmp_path: Path):
        """As by /dev/disk/by-partlabel."""
        link = tmp_path / "by-label"
        link.symlink_to(loop)

        with pytest.raises(UnfitSlot, match="are the same device"):
            Blocks(files=False).require_fit(link, loop)

    def test_a_mounted_device_is_refused(self, loop: Path, mounted: Path, machine: Machine):
        """With the folder where it is mounted; and the kernel would not give it to us for writing either."""
        with pytest.raises(UnfitSlot, match=f"{loop} is mounted at {mounted}; unmount it"):
            Blocks(files=False).require_fit(loop, machine.a)
        with (
            pytest.raises(SlotError, match=f"{loop} cannot be opened: Device or resource busy"),
            opened(SystemDisk(), loop, to_write=True),
        ):
            pytest.fail("a mounted device was opened for writing")

    @pytest.mark.usefixtures("mounted")
    def test_a_mount_out_of_sight_is_refused(self, loop: Path, machine: Machine):
        """In another mount namespace, say: this process sees no mount, the kernel knows."""
        blind = Blocks(files=False, mountinfo=machine.mountinfo)

        with pytest.raises(UnfitSlot, match=f"{loop} is in use: mounted out of the agent's sight"):
            blind.require_fit(loop, machine.a)

    def test_a_device_cannot_be_mounted_while_it_is_written(self, loop: Path, tmp_path: Path):
        """An automounter that comes in the middle of an update gets nothing."""
        run("mkfs.ext4", "-q", loop)
        with opened(SystemDisk(), loop, to_write=True):
            words = ["mount", str(loop), str(tmp_path)]
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

        assert done.returncode != 0

    def test_a_read_only_device_is_refused(self, loop: Path, machine: Machine):
        """As by a write-protect switch."""
        run("blockdev", "--setro", loop)

        with pytest.raises(UnfitSlot, match=f"{loop} is read-only; make it writable"):
            Blocks(files=False).require_fit(loop, machine.a)
