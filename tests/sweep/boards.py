"""Boards whose boot environment is swept: what the firmware makes of it, start after start, and what the agent reads.

A board of files, GRUB, and systemd-boot, whose entries lie on a FAT partition. The agent's side is the real one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.bootloaders.file import boot, create, image_path, read_environment
from agent.bootloaders.grub import Grub, environment_in
from agent.bootloaders.grubenv import Block, parse, render
from agent.bootloaders.partitions import Partitions
from agent.bootloaders.sdboot import Entry, SystemdBoot, SystemFolder, entry_of
from agent.disk import SystemDisk
from agent.slots import BootEnvironmentError, Slot
from tests.agent.bootloaders.rigs import ATTEMPTS, KernelFolder, grub_choice
from tests.agent.device import FOLDER, SLOT_BYTES, SimulatedDevice, image
from tests.agent.power import SimulatedKernel

GRUBENV = Path("/grub/grubenv")
SOMEBODYS = {"menu_entry": "x" * 430}
"""A variable of somebody else: with it the block is longer than a sector."""
FACTORY = {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "0"}
ENTRIES = Path("/esp/loader/entries")


@dataclass(frozen=True, slots=True)
class Firmware:
    """What the boot loader remembers, as the agent reads it, and which slots it starts, one boot after the other, if no
    agent ever runs. `serial` rises with each change, where there is one."""

    default: Slot
    trial: Slot | None
    bootable: frozenset[Slot]
    starts: tuple[Slot, ...]
    serial: int = 0


class Board(Protocol):
    """How a boot environment is read after a power cut."""

    folder: Path
    """Where it lies."""
    renames_in_two: bool
    """Whether a power cut may leave a renamed file under both names, as FAT does."""

    def firmware(self, files: Mapping[Path, bytes]) -> Firmware | None:
        """What is made of an environment in `files`; None when it is gone."""


class FileBoard:
    """agent.bootloaders.file."""

    folder = FOLDER
    renames_in_two = False

    def firmware(self, files: Mapping[Path, bytes]) -> Firmware | None:
        """See Board."""
        disk = SystemDisk(SimulatedKernel.holding(files))
        found = read_environment(FOLDER, disk)
        if found is None:
            return None
        boots = 1 if found.trial is None else found.attempts + 1
        starts = tuple(boot(FOLDER, disk).slot for _ in range(boots))
        return Firmware(found.default, found.trial, frozenset(Slot) - found.unbootable, starts, found.serial)


class GrubBoard:
    """agent.bootloaders.grub, with GRUB as the shipped script has it."""

    folder = GRUBENV.parent
    renames_in_two = False

    def firmware(self, files: Mapping[Path, bytes]) -> Firmware | None:
        """See Board."""
        try:
            block = parse(files.get(GRUBENV, b""))
            found = environment_in(block)
        except ValueError:
            return None
        variables = dict(block.variables)
        boots = 1 if found.trial is None else ATTEMPTS + 1 - found.count(found.trial)
        starts = tuple(grub_choice(variables, count_default=False) for _ in range(boots))
        return Firmware(found.default, found.trial, found.ok, starts)


class SystemdBootBoard:
    """agent.bootloaders.sdboot, with systemd-boot by its rules."""

    folder = ENTRIES
    renames_in_two = True

    def firmware(self, files: Mapping[Path, bytes]) -> Firmware | None:
        """See Board."""
        bootable = frozenset(entry.slot for entry in _entries(files) if not entry.unbootable)
        if not bootable:
            return None
        kernel = SimulatedKernel.holding(files)
        starts = [start_entry(kernel)]
        loader = SystemdBoot(Running(slot=starts[0]), KernelFolder(ENTRIES, SimulatedKernel.holding(files)), ENTRIES)
        try:
            default, trial = loader.default(), loader.trial()
        except BootEnvironmentError:
            return None
        starts += (start_entry(kernel) for _ in range(ATTEMPTS))
        return Firmware(default, trial, bootable, tuple(starts))


@dataclass(frozen=True)
class Running(Partitions):
    """The slots of a board of files, of which `slot` runs."""

    devices: Mapping[Slot, Path] = field(default_factory=lambda: {slot: image_path(FOLDER, slot) for slot in Slot})
    slot: Slot = Slot.A

    def booted(self) -> Slot:
        """See Partitions."""
        return self.slot


def start_entry(kernel: SimulatedKernel) -> Slot:
    """The entry that systemd-boot prefers, counted before it starts (src/boot/efi/boot.c, config_entry_compare)."""
    seen = [entry for entry in _entries(kernel.files()) if not entry.unbootable]
    first = max(seen, key=lambda entry: (entry.left != 0, entry.number, entry.left or 0, -entry.done))
    if first.left:
        counted = Entry(first.slot, first.number, first.left - 1, first.done + 1)
        SystemFolder(ENTRIES, kernel).rename(first.name, counted.name)
    return first.slot


def _entries(files: Mapping[Path, bytes]) -> Sequence[Entry]:
    found = (entry_of(path.name) for path in files if path.parent == ENTRIES)
    return [entry for entry in found if entry is not None]


@dataclass
class GrubDevice(SimulatedDevice):
    """A device with GRUB, which writes into the block where it lies."""

    power_ups: int = 0

    @classmethod
    def built(cls, **fields) -> SimulatedDevice:
        """See SimulatedDevice."""
        device = cls(**fields)
        create(FOLDER, device.disk, SLOT_BYTES, [image(1)])
        device.disk.replace(GRUBENV, render(Block((), {**SOMEBODYS, **FACTORY})))
        device.kernel.settle()
        device.power_up()
        return device

    def firmware(self) -> Slot:
        """See SimulatedDevice."""
        self.power_ups += 1
        variables = dict(parse(self.disk.read(GRUBENV) or b"").variables)
        before = dict(variables)
        chosen = grub_choice(variables, count_default=False)
        if variables != before:
            file = self.disk._open(GRUBENV, os.O_RDWR)
            file.write(0, render(Block((), variables)))
            file.sync()
            file.close()
        return chosen

    def loader(self) -> Grub:  # type: ignore[override] # the same port
        """See SimulatedDevice."""
        return Grub(Running(slot=self.booted), GRUBENV, self.disk)

    def boot_id(self) -> str:
        """See Board."""
        return f"boot-{self.power_ups}"


@dataclass
class SystemdBootDevice(SimulatedDevice):
    """A device with systemd-boot."""

    power_ups: int = 0

    @classmethod
    def built(cls, **fields) -> SimulatedDevice:
        """See SimulatedDevice."""
        device = cls(**fields)
        create(FOLDER, device.disk, SLOT_BYTES, [image(1)])
        for entry in (Entry(Slot.A, 1), Entry(Slot.B, 1, unbootable=True)):
            device.disk.replace(ENTRIES / entry.name, f"options otabridge.slot={entry.slot}\n".encode())
        device.kernel.settle()
        device.power_up()
        return device

    def firmware(self) -> Slot:
        """See SimulatedDevice."""
        self.power_ups += 1
        return start_entry(self.kernel)

    def loader(self) -> SystemdBoot:  # type: ignore[override] # the same port
        """See SimulatedDevice."""
        return SystemdBoot(Running(slot=self.booted), KernelFolder(ENTRIES, self.kernel), ENTRIES)

    def boot_id(self) -> str:
        """See Board."""
        return f"boot-{self.power_ups}"
