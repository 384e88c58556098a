"""Boards for the contract of boot loaders: the agent's side is the real one, the firmware's side is read from the
script that this project ships, or from the boot loader's own rules.

Each rig starts with slot a as the default and slot b not to be booted.
"""

from __future__ import annotations

import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from agent.bootloaders.file import FileBootLoader, boot, create, environment_paths, read_environment
from agent.bootloaders.grub import Grub
from agent.bootloaders.grubenv import Block, parse, render
from agent.bootloaders.partitions import Partitions
from agent.bootloaders.sdboot import Entry, SystemdBoot, SystemFolder, entry_of
from agent.bootloaders.tool import SystemTool
from agent.bootloaders.uboot import UBoot
from agent.disk import SystemDisk
from agent.slots import BootLoader, Slot
from tests.agent.power import SimulatedKernel

ATTEMPTS = 3
DEVICES = {Slot.A: Path("/dev/board2"), Slot.B: Path("/dev/board3")}


class Rig(Protocol):
    """A board with a boot loader."""

    attempts: int
    """Boots of a trial before the boot loader gives it up."""
    place: str
    """What an error calls the environment."""
    loader: BootLoader

    def power_up(self) -> Slot:
        """The firmware chooses a slot, and starts it."""

    def spoil(self) -> None:
        """Nothing that the boot loader remembers can be read any more."""

    def remembered(self) -> object:
        """All that is stored, to be compared."""


def require(*programs: str) -> None:
    """Skip the test on a machine that lacks one."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


class FileRig:
    """The board of files."""

    attempts, place = ATTEMPTS, "/board"

    def __init__(self, _folder: Path) -> None:
        self.kernel = SimulatedKernel()
        self.disk = SystemDisk(self.kernel)
        create(Path("/board"), self.disk, 64, [b"image"])
        self.loader = FileBootLoader(Path("/board"), self.disk)

    def power_up(self) -> Slot:
        """See Rig."""
        return boot(Path("/board"), self.disk).slot

    def spoil(self) -> None:
        """See Rig."""
        for path in environment_paths(Path("/board")):
            self.kernel.spoil(path)

    def remembered(self) -> object:
        """See Rig."""
        return read_environment(Path("/board"), self.disk)


class Machine:
    """What the rigs with partitions share: the kernel's arguments in a file."""

    def __init__(self, folder: Path) -> None:
        self.command_line = folder / "cmdline"
        self.partitions = Partitions(DEVICES, self.command_line, folder / "disk")
        self.start(Slot.A)

    def start(self, slot: Slot) -> Slot:
        """A kernel runs with the arguments of `slot`."""
        self.command_line.write_text(f"BOOT_IMAGE=/boot/vmlinuz root={DEVICES[slot]} ro otabridge.slot={slot} quiet\n")
        return slot


class UBootRig(Machine):
    """The real fw_setenv and fw_printenv on a file; U-Boot as `uboot/boot.cmd` has it, where the script counts."""

    attempts = ATTEMPTS
    length, first, second = 0x1000, 0x2000, 0x3000

    def __init__(self, folder: Path, *, count_default: bool = False) -> None:
        require("fw_setenv", "fw_printenv")
        super().__init__(folder)
        self.medium, self.config = folder / "medium", folder / "fw_env.config"
        self.medium.write_bytes(bytes(0x5000))
        self.config.write_text(
            "".join(f"{self.medium} {offset:#x} {self.length:#x}\n" for offset in (self.first, self.second))
        )
        self.place = str(self.config)
        self.count_default = count_default
        self.loader = UBoot(self.partitions, self.config, SystemTool())
        self.power_up()
        self.loader.refill()
        self.loader.mark_unbootable(Slot.B)

    def power_up(self) -> Slot:
        """See Rig."""
        newest, variables = self._load()
        before = dict(variables)
        chosen = _uboot_choice(variables, count_default=self.count_default)
        if variables != before:
            self._save(newest, variables)
        return self.start(chosen)

    def spoil(self) -> None:
        """See Rig."""
        data = bytearray(self.medium.read_bytes())
        for offset in (self.first, self.second):
            data[offset + 20] ^= 1
        self.medium.write_bytes(data)

    def remembered(self) -> object:
        """See Rig."""
        return self.medium.read_bytes()

    def tear_newest(self) -> None:
        """The copy that was written last was not written whole."""
        newest, _ = self._load()
        data = bytearray(self.medium.read_bytes())
        data[newest + 7] ^= 1
        self.medium.write_bytes(data)

    def set_newest_flag(self, flag: int) -> None:
        """As after many writes: the other copy's is one less. No checksum covers it."""
        newest, _ = self._load()
        data = bytearray(self.medium.read_bytes())
        data[self.first + 4] = data[self.second + 4] = (flag - 1) % 256
        data[newest + 4] = flag
        self.medium.write_bytes(data)

    def _load(self) -> tuple[int, dict[str, str]]:
        """Where the newest sound copy is, and what it holds; the first place and nothing, where there is none."""
        data = self.medium.read_bytes()
        copies = {}
        for offset in (self.first, self.second):
            content = data[offset + 5 : offset + self.length]
            if zlib.crc32(content) == int.from_bytes(data[offset : offset + 4], "little"):
                copies[offset] = (data[offset + 4], content)
        if not copies:
            return self.second, {}
        newest = self.first if self.first in copies else self.second
        if len(copies) > 1 and 0 < (copies[self.second][0] - copies[self.first][0]) % 256 < 128:
            newest = self.second
        lines = copies[newest][1].split(b"\0\0")[0].decode().split("\0")
        return newest, dict(line.split("=", 1) for line in lines if "=" in line)

    def _save(self, newest: int, variables: dict[str, str]) -> None:
        older = self.second if newest == self.first else self.first
        data = bytearray(self.medium.read_bytes())
        content = b"".join(f"{name}={value}\0".encode() for name, value in sorted(variables.items()) if value)
        content = (content + b"\0").ljust(self.length - 5, b"\0")
        flag = (data[newest + 4] + 1) % 256
        data[older : older + self.length] = zlib.crc32(content).to_bytes(4, "little") + bytes([flag]) + content
        self.medium.write_bytes(data)


def _uboot_choice(env: dict[str, str], *, count_default: bool) -> Slot:
    """What boot.cmd does to the environment `env`, and the slot that it starts; the names are those of the script."""
    if env.get("otabridge_default") not in tuple(Slot):
        env.update(otabridge_default="a", otabridge_trial="", otabridge_unbootable="", upgrade_available="1")
        env["bootcount"] = "0"
    other = Slot(env["otabridge_default"]).other
    trial = env.get("otabridge_trial") == other and env.get("upgrade_available") == "1"
    if env.get("upgrade_available") != "1" and count_default:
        env.update(upgrade_available="1", bootcount="0")
    if env.get("upgrade_available") == "1":
        env["bootcount"] = f"{int(env.get('bootcount') or '0', 16) + 1:x}"
        if int(env["bootcount"], 16) > int(env.get("bootlimit") or "3", 16):
            _uboot_gives_up(env, other, trial=trial)
            trial = False
    return other if trial else Slot(env["otabridge_default"])


def _uboot_gives_up(env: dict[str, str], other: Slot, *, trial: bool) -> None:
    if trial:
        env.update(otabridge_unbootable=other, otabridge_trial="", upgrade_available="0", bootcount="0")
        return
    env["bootcount"] = "1"
    if env.get("otabridge_unbootable") != other:
        env["otabridge_default"] = other


class GrubRig(Machine):
    """A block on a disk whose power can be cut; GRUB as `grub/grub.cfg` has it."""

    attempts, place = ATTEMPTS, "/boot/grub/grubenv"
    path = Path("/boot/grub/grubenv")

    def __init__(self, folder: Path, *, count_default: bool = False) -> None:
        super().__init__(folder)
        self.kernel = SimulatedKernel()
        self.disk = SystemDisk(self.kernel)
        self.disk.replace(self.path, render(Block((), {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "0"})))
        self.count_default = count_default
        self.loader = Grub(self.partitions, self.path, self.disk)

    def power_up(self) -> Slot:
        """See Rig."""
        try:
            variables = dict(parse(self.disk.read(self.path) or b"").variables)
        except ValueError:
            return self.start(Slot.A)  # or b, by the clock
        before = dict(variables)
        chosen = grub_choice(variables, count_default=self.count_default)
        if variables != before:
            self.disk.replace(self.path, render(Block((), variables)))
        return self.start(chosen)

    def spoil(self) -> None:
        """See Rig."""
        self.kernel.spoil(self.path)

    def remembered(self) -> object:
        """See Rig."""
        return self.kernel.content(self.path)


def grub_choice(env: dict[str, str], *, count_default: bool) -> Slot:
    """What grub.cfg does to the variables `env`, and the slot that it starts."""
    for name in env["ORDER"].split():
        if env.get(f"{name}_OK") != "1":
            continue
        on_trial = env.get("otabridge_trial") == name.lower()
        tries = int(env.get(f"{name}_TRY") or "0")
        if not on_trial and not count_default:
            return Slot(name.lower())
        if tries < ATTEMPTS:
            env[f"{name}_TRY"] = str(tries + 1)
            return Slot(name.lower())
        if on_trial:
            env.update({f"{name}_OK": "0", f"{name}_TRY": "0", "otabridge_trial": ""})
    env.update(A_TRY="0", B_TRY="0")
    return grub_choice(env, count_default=count_default)


class KernelFolder(SystemFolder):
    """A folder on a disk whose power can be cut."""

    def __init__(self, path: Path, kernel: SimulatedKernel) -> None:
        super().__init__(path, kernel)
        self.path, self.kernel = path, kernel
        self.fault: OSError | None = None

    def names(self) -> Sequence[str]:
        """See Folder."""
        if self.fault is not None:
            raise self.fault
        return [path.name for path in self.kernel._names if path.parent == self.path]


class SystemdBootRig(Machine):
    """Entries on a disk whose power can be cut; systemd-boot by its rules (its boot.c, config_entry_compare)."""

    attempts, place = ATTEMPTS, "/boot/loader/entries"
    path = Path("/boot/loader/entries")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.kernel = SimulatedKernel()
        for entry in (Entry(Slot.A, 1), Entry(Slot.B, 1, unbootable=True)):
            SystemDisk(self.kernel).replace(self.path / entry.name, f"options otabridge.slot={entry.slot}\n".encode())
        self.folder = KernelFolder(self.path, self.kernel)
        self.loader = SystemdBoot(self.partitions, self.folder, self.path)

    def power_up(self) -> Slot:
        """See Rig."""
        seen = [entry for entry in map(entry_of, self._names()) if entry is not None and not entry.unbootable]
        first = max(seen, key=lambda entry: (entry.left != 0, entry.number))
        if first.left:
            counted = Entry(first.slot, first.number, first.left - 1, first.done + 1)
            SystemFolder(self.path, self.kernel).rename(first.name, counted.name)
        return self.start(first.slot)

    def spoil(self) -> None:
        """See Rig."""
        self.folder.fault = OSError(5, "Input/output error")

    def remembered(self) -> object:
        """See Rig."""
        return sorted(self._names())

    def _names(self) -> list[str]:
        return [path.name for path in self.kernel._names if path.parent == self.path]


FAST: dict[str, Callable[[Path], Rig]] = {"file": FileRig, "grub": GrubRig, "systemd-boot": SystemdBootRig}
"""Those without a process of their own."""
COUNTING: dict[str, Callable[[Path], Rig]] = {
    "file": FileRig,
    "grub": lambda folder: GrubRig(folder, count_default=True),
    "uboot": lambda folder: UBootRig(folder, count_default=True),
}
"""Those that can count boots of the default slot."""
RIGS: dict[str, Callable[[Path], Rig]] = {**FAST, "uboot": UBootRig}


@contextmanager
def process(command: Sequence[str], log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A service that runs until it is left."""
    with log.open("ab") as output:
        running = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(30)
