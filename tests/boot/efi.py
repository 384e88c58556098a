"""A PC in QEMU with UEFI and Debian's systemd-boot, and the same watchdog as the PC with GRUB.

systemd-boot reads kernels from its own partition only: both slots' kernels lie there, put by the factory. So no release
of these tests brings another kernel, and none a bad one.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from agent.bootloaders.partitions import Partitions
from agent.bootloaders.sdboot import ENTRIES, SystemdBoot
from agent.slots import BootLoader, Slot
from tests.boot import grub
from tests.boot.board import PARTITIONS
from tests.boot.disk import MIB, DiskImage
from tests.boot.hardware import SLOTS
from tests.boot.images import SLOT_MIB
from tests.boot.pc import ARGUMENTS, MEMORY_MIB
from tests.boot.platforms import AMD64
from tests.boot.programs import FIRMWARE, SYSTEMD_BOOT_IMAGE, run
from tests.boot.rootfs import tree_with_agent

SHIPPED = Path(__file__).parents[2] / "agent" / "bootloaders" / "systemd-boot"
FACTORY = ("otabridge-2-a.conf", "otabridge-1-b.unbootable")
SHIPPED_ARGUMENTS = "ro rootwait panic=10"
BOOT_MIB = 64
ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
BANNER = "BdsDxe: starting Boot"


class FatFolder:
    """agent.bootloaders.sdboot.Folder in a FAT file system, which mtools call `place`, while a guest may have it."""

    def __init__(self, place: str) -> None:
        self._place = place

    def names(self) -> Sequence[str]:
        """See Folder. Raises: ProgramFailed."""
        found = run("mdir", "-b", "-i", self._place, f"::{ENTRIES}").splitlines()
        return [line.rpartition("/")[2] for line in found]

    def rename(self, old: str, new: str) -> None:
        """See Folder. Raises: ProgramFailed."""
        run("mren", "-i", self._place, f"::{ENTRIES}/{old}", f"::{ENTRIES}/{new}")


class EfiHardware:
    """tests.boot.hardware.Hardware: a PC with systemd-boot."""

    name = "systemd-boot-"
    platform = AMD64
    slots = f'boot_loader = "systemd-boot"\n{SLOTS}\n[slots.systemd-boot]\nboot = "/boot"\n'
    boot_partition = "vfat"
    banner = BANNER

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._variables = folder / "variables.fd"
        self.disk = DiskImage(folder / "disk.img", SLOT_MIB, BOOT_MIB, ESP)

    def create(self, image: Path) -> None:
        """See Hardware."""
        self.disk.create()
        shutil.copyfile(FIRMWARE[1], self._variables)
        partition = self._folder / "boot.img"
        self._write_partition(partition)
        self.disk.fill(1, partition)
        self.disk.fill(PARTITIONS[Slot.A], image)

    def boots(self) -> BootLoader:
        """See Hardware. The default runs."""
        return self._boots(self._boots(Slot.A).default())

    def line(self) -> list[str]:
        """See Hardware."""
        code, variables = f"format=raw,readonly=on,file={FIRMWARE[0]}", f"format=raw,file={self._variables}"
        flashes = ["-drive", f"if=pflash,{code}", "-drive", f"if=pflash,{variables}"]
        return [*grub.living(grub.command(self.disk.path, "cache=none", memory=MEMORY_MIB)), *flashes]

    def _boots(self, running: Slot) -> BootLoader:
        line = self._folder / "cmdline"
        line.write_text(f"otabridge.slot={running}\n")
        partitions = Partitions({slot: self._folder / f"slot-{slot}" for slot in Slot}, line)
        folder = FatFolder(f"{self.disk.path}@@{self.disk.start(1)}")
        return SystemdBoot(partitions, folder, Path("/boot") / ENTRIES)

    def _write_partition(self, partition: Path) -> None:
        """The loader, the shipped entries with this PC's arguments for the kernel, and a kernel for each slot."""
        root = self._folder / "esp"
        shutil.copytree(tree_with_agent(AMD64) / "boot", root / "otabridge" / "a")
        shutil.copytree(root / "otabridge" / "a", root / "otabridge" / "b")
        (root / ENTRIES).mkdir(parents=True)
        (root / "EFI" / "BOOT").mkdir(parents=True)
        shutil.copyfile(SYSTEMD_BOOT_IMAGE, root / "EFI" / "BOOT" / "BOOTX64.EFI")
        shutil.copyfile(SHIPPED / "loader.conf", root / "loader" / "loader.conf")
        for name in FACTORY:
            (root / ENTRIES / name).write_text((SHIPPED / name).read_text().replace(SHIPPED_ARGUMENTS, ARGUMENTS))
        with partition.open("wb") as file:
            file.truncate(BOOT_MIB * MIB)
        run("mformat", "-F", "-i", partition, "::")
        run("mcopy", "-s", "-i", partition, *sorted(root.iterdir()), "::")
