"""A PC in QEMU with Debian's GRUB, and a watchdog that can tell after a restart that it was it (i6300esb)."""

from __future__ import annotations

from pathlib import Path

from agent.bootloaders.grub import Grub
from agent.bootloaders.partitions import Partitions
from agent.disk import SystemDisk
from agent.slots import BootLoader, Slot
from tests.boot import grub
from tests.boot.board import PARTITIONS
from tests.boot.disk import BOOT_MIB, DiskImage
from tests.boot.grub_decisions import BLOCK, write_boot_folder
from tests.boot.hardware import SLOTS
from tests.boot.images import SLOT_MIB, file_system
from tests.boot.platforms import AMD64
from tests.boot.programs import run

BANNER = "the PC starts GRUB"
ARGUMENTS = "ro rootwait panic=1 console=ttyS0 loglevel=5 nokaslr mitigations=off"
SETTINGS = f"""\
set otabridge_root_a=/dev/nvme0n1p{PARTITIONS[Slot.A]}
set otabridge_root_b=/dev/nvme0n1p{PARTITIONS[Slot.B]}
set otabridge_kernel=/{AMD64.kernel_file}
set otabridge_initrd=/{AMD64.ramdisk_file}
set otabridge_args="{ARGUMENTS}"
echo "{BANNER}"
"""
"""What an integrator sets before the script."""
MEMORY_MIB = 512


class GrubHardware:
    """tests.boot.hardware.Hardware: a PC with GRUB, whose environment block is on a partition of its own.

    That has no journal: GRUB would not look into one, and not see what Linux has just made durable.
    """

    name = "grub-"
    platform = AMD64
    slots = f'boot_loader = "grub"\n{SLOTS}\n[slots.grub]\nenvironment = "/boot/{BLOCK}"\n'
    boot_partition = "ext4"
    banner = BANNER

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.disk = DiskImage(folder / "disk.img", SLOT_MIB)

    def create(self, image: Path) -> None:
        """See Hardware."""
        self.disk.create()
        write_boot_folder(self._folder / "boot")
        file_system(self._folder / "boot.img", BOOT_MIB, self._folder / "boot")
        self.disk.fill(1, self._folder / "boot.img")
        self.disk.fill(PARTITIONS[Slot.A], image)
        grub.install(self.disk.path, self._folder / "early.cfg", SETTINGS)

    def boots(self) -> BootLoader:
        """See Hardware."""
        block, line = self._folder / "grubenv", self._folder / "cmdline"
        line.write_text(f"otabridge.slot={Slot.A}\n")
        run("debugfs", "-R", f"dump {BLOCK} {block}", f"{self.disk.path}?offset={self.disk.start(1)}")
        return Grub(Partitions({each: self._folder / f"slot-{each}" for each in Slot}, line), block, SystemDisk())

    def line(self) -> list[str]:
        """See Hardware."""
        return grub.living(grub.command(self.disk.path, "cache=none", memory=MEMORY_MIB))
