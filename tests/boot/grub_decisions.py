"""What Debian's GRUB decides, by the shipped grub.cfg over an environment block that the agent's verbs left, and that
GRUB itself writes to. No Linux is started: the kernel of the slot that was chosen says so.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from agent.bootloaders.grub import Grub
from agent.bootloaders.partitions import Partitions
from agent.disk import SystemDisk
from agent.slots import Slot
from tests.boot import grub
from tests.boot.bench import Verb
from tests.boot.board import PARTITIONS
from tests.boot.decisions import SLOT_MIB, chosen_by
from tests.boot.disk import BOOT_MIB, DiskImage
from tests.boot.images import file_system
from tests.boot.programs import run

SCRIPT = Path(__file__).parents[2] / "agent" / "bootloaders" / "grub" / "grub.cfg"
BLOCK = "grub/grubenv"
FACTORY = ("ORDER=A B", "A_OK=1", "A_TRY=0", "B_OK=0", "B_TRY=0")
KERNEL = "vmlinuz"


def make_template(folder: Path, settings: str = "") -> Path:
    """A disk with GRUB, the shipped script, a factory's environment, and a kernel in each slot. `settings` are GRUB's
    commands before the script. Raises: ProgramFailed."""
    disk = DiskImage(folder / "disk.img", SLOT_MIB)
    disk.create()
    write_boot_folder(folder / "boot")
    file_system(folder / "boot.img", BOOT_MIB, folder / "boot")
    disk.fill(1, folder / "boot.img")
    for slot, partition in PARTITIONS.items():
        write_slot(folder / "slot.img", grub.kernel(f"slot {slot} runs"))
        disk.fill(partition, folder / "slot.img")
    grub.install(disk.path, folder / "early.cfg", settings)
    return disk.path


def write_boot_folder(folder: Path) -> None:
    """What is on the boot partition: the shipped script and a factory's environment. Raises: ProgramFailed."""
    boot = folder / "grub"
    boot.mkdir(parents=True)
    shutil.copy2(SCRIPT, boot / "grub.cfg")
    run("grub-editenv", boot / "grubenv", "create")
    run("grub-editenv", boot / "grubenv", "set", *FACTORY)


def write_slot(image: Path, content: bytes | None) -> None:
    """A slot's file system with `content` as its kernel; None leaves it without one."""
    with tempfile.TemporaryDirectory() as folder:
        boot = Path(folder, "boot")
        boot.mkdir()
        if content is not None:
            (boot / KERNEL).write_bytes(content)
        file_system(image, SLOT_MIB, Path(folder))


class GrubBench:
    """tests.boot.bench.Bench: a copy of the disk `template` in `folder`."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.disk = DiskImage(folder / "disk.img", SLOT_MIB)
        run("cp", "--sparse=always", template, self.disk.path)
        self.powers_on = 0
        self._drive = "cache=writeback"
        self._folder = folder
        self._block = folder / "grubenv"
        self._command_line = folder / "cmdline"

    def act(self, slot: Slot, verb: Verb) -> None:
        """See Bench. The block is taken from the boot partition and put back, since nothing is mounted here."""
        self._command_line.write_text(f"otabridge.slot={slot}\n")
        self.take_block()
        devices = {each: self._folder / f"slot-{each}" for each in Slot}
        verb(Grub(Partitions(devices, self._command_line), self._block, SystemDisk()))
        self.put_block(self._block.read_bytes())

    def boot(self) -> str:
        """See Bench."""
        chosen, powers_on = chosen_by(grub.command(self.disk.path, self._drive), self._folder / "console.log")
        self.powers_on += powers_on
        return chosen

    def spoil_kernel(self, slot: Slot, content: bytes | None) -> None:
        """See Bench."""
        self.erase(slot)
        write_slot(self._folder / "spoilt.img", content)
        self.disk.fill(PARTITIONS[slot], self._folder / "spoilt.img")

    def erase(self, slot: Slot) -> None:
        """See Bench."""
        self.disk.write(self.disk.start(PARTITIONS[slot]), bytes(SLOT_MIB << 20))

    def refuse_writes(self) -> None:
        """See Bench."""
        self._drive = "cache=writeback,readonly=on"

    def remembered(self) -> Mapping[str, str]:
        """See Bench: by grub-editenv."""
        self.take_block()
        return dict(line.split("=", 1) for line in run("grub-editenv", self._block, "list").splitlines() if "=" in line)

    def take_block(self) -> bytes:
        """GRUB's environment block as it is on the disk. Raises: ProgramFailed."""
        run("debugfs", "-R", f"dump {BLOCK} {self._block}", self._boot_partition)
        return self._block.read_bytes()

    def put_block(self, content: bytes) -> None:
        """Another block in its place. Raises: ProgramFailed."""
        source = self._folder / "put"
        source.write_bytes(content)
        run("debugfs", "-w", "-f", "-", self._boot_partition, given=f"rm {BLOCK}\nwrite {source} {BLOCK}\n")

    @property
    def _boot_partition(self) -> str:
        return f"{self.disk.path}?offset={self.disk.start(1)}"
