"""What differs between devices whose lives are played: the machine, its boot loader, and how both are put on a disk."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from agent.slots import BootLoader, Slot
from tests.boot import uboot
from tests.boot.board import PARTITIONS, Board
from tests.boot.counting_board import CountingBoard
from tests.boot.disk import DiskImage
from tests.boot.images import SLOT_MIB
from tests.boot.platforms import ARM64, Platform

KERNEL_ARGUMENTS = "otabridge_args"
SLOTS = "".join(f'{slot} = "/dev/nvme0n1p{number}"\n' for slot, number in PARTITIONS.items())


class Hardware(Protocol):
    """A machine with a disk, in a folder of its own."""

    name: str
    """As the names of its scenarios begin, "" for those without."""
    platform: Platform
    disk: DiskImage
    slots: str
    """The `[slots]` table of the agent's configuration."""
    boot_partition: str
    """The type of the file system on partition 1, where the guest has to mount it."""
    banner: str
    """What the console says when the machine starts, where it restarts without losing its power; "" where it does."""

    def create(self, image: Path) -> None:
        """As a factory leaves it, with `image` in slot a. Raises: ProgramFailed."""

    def boots(self) -> BootLoader:
        """The agent's boot loader over what is on the disk now. Raises: ProgramFailed."""

    def line(self) -> list[str]:
        """QEMU's command line."""


class UBootHardware:
    """Hardware: QEMU's arm64 board with Debian's U-Boot."""

    board = Board
    name = ""
    platform = ARM64
    slots = f'boot_loader = "uboot"\n{SLOTS}\n[slots.uboot]\nconfig = "/etc/fw_env.config"\n'
    boot_partition = ""
    banner = ""

    def __init__(self, folder: Path) -> None:
        self._board = self.board(folder, SLOT_MIB)
        self.disk = self._board.disk

    def create(self, image: Path) -> None:
        """See Hardware."""
        self._board.create()
        self.disk.fill(PARTITIONS[Slot.A], image)

    def boots(self) -> BootLoader:
        """See Hardware."""
        return self._board.agent_in(Slot.A)

    def line(self) -> list[str]:
        """See Hardware."""
        return uboot.networked(self._board.line(uboot.MEMORY_MIB, direct=True))


class CountingHardware(UBootHardware):
    """Hardware: the same board with a U-Boot that counts boots itself."""

    board = CountingBoard
    name = "counting-"

    def create(self, image: Path) -> None:
        """See Hardware."""
        super().create(image)
        self._board.configure({KERNEL_ARGUMENTS: uboot.BUILT_IN[KERNEL_ARGUMENTS]})
