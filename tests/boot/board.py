"""The board natively: a disk whose U-Boot environment is read and changed by the agent's own boot loader class and the
real fw_printenv and fw_setenv, on the file that QEMU boots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from agent.bootloaders.partitions import Partitions
from agent.bootloaders.tool import SystemTool
from agent.bootloaders.uboot import UBoot
from agent.slots import Slot
from tests.boot import uboot
from tests.boot.disk import ENVIRONMENT_BYTES, ENVIRONMENT_OFFSETS, DiskImage
from tests.boot.programs import run, search_path

PARTITIONS = {Slot.A: 2, Slot.B: 3}
SCRIPT = Path(__file__).parents[2] / "agent" / "bootloaders" / "uboot" / "boot.cmd"
FACTORY = "otabridge_default=a\n"


class Board:
    """A disk, blank but for the boot `script` and a factory's environment, in `folder`. Debian's U-Boot starts it."""

    def __init__(self, folder: Path, slot_mib: int, script: Path = SCRIPT) -> None:
        self.folder = folder
        self._slot_mib = slot_mib
        self._script = script
        self._writable = True
        self.flash = folder / "flash.img"
        self.disk = DiskImage(folder / "disk.img", slot_mib)
        self.config = folder / "fw_env.config"
        self._command_line = folder / "cmdline"

    def create(self) -> None:
        """Make it. Raises: ProgramFailed."""
        uboot.write_flash(self.flash)
        self.compose()
        self.set_environment(FACTORY)

    def compose(self) -> None:
        """Its disk, with no environment yet. Raises: ProgramFailed."""
        partition = self.folder / "boot.img"
        uboot.write_boot_partition(partition, self._script)
        self.disk.create()
        self.disk.fill(1, partition)
        self.adopt()

    def copied_to(self, folder: Path) -> Self:
        """One like it in another folder, with a disk of its own. Raises: ProgramFailed."""
        copy = type(self)(folder, self._slot_mib, self._script)
        copy.flash = self.flash
        run("cp", "--sparse=always", self.disk.path, copy.disk.path)
        copy.adopt()
        return copy

    def adopt(self) -> None:
        """Tell fw_printenv of the disk, which is there already."""
        copies = (f"{self.disk.path} {offset:#x} {ENVIRONMENT_BYTES:#x}\n" for offset in ENVIRONMENT_OFFSETS)
        self.config.write_text("".join(copies))

    def line(self, memory: int, *, direct: bool) -> list[str]:
        """QEMU's command line: `memory` in MiB; `direct` goes past this machine's page cache."""
        drive = f"cache={'none' if direct else 'writeback'}"
        return uboot.command(self.disk.path, self.flash, memory, drive if self._writable else f"{drive},readonly=on")

    def configure(self, settings: Mapping[str, str]) -> None:
        """Settings of the boot script in U-Boot's built-in environment. Raises: ProgramFailed."""
        self.flash = self.folder / "flash.img"
        uboot.write_flash(self.flash, settings)

    def refuse_writes(self) -> None:
        """From now on U-Boot cannot write to the disk."""
        self._writable = False

    def agent_in(self, slot: Slot) -> UBoot:
        """The agent's boot loader, as if `slot` ran."""
        self._command_line.write_text(f"otabridge.slot={slot}\n")
        devices = {each: self.folder / f"slot-{each}" for each in Slot}
        partitions = Partitions(devices, self._command_line)
        return UBoot(partitions, self.config, SystemTool(environment={"PATH": search_path()}))

    def set_environment(self, lines: str) -> None:
        """Set variables, `name=value` a line, as an integrator would. Raises: ProgramFailed."""
        defaults = self.folder / "defaults"
        defaults.write_text(FACTORY)
        run("fw_setenv", "-c", self.config, "-f", defaults, "-s", "-", given=lines)

    def variables(self) -> dict[str, str]:
        """What fw_printenv reads. Raises: ProgramFailed."""
        printed = run("fw_printenv", "-c", self.config).splitlines()
        return dict(line.split("=", 1) for line in printed if "=" in line)
