"""Puts a boot loader together from the `[slots]` table: only here are boot loaders chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from agent.bootloaders import inspection
from agent.bootloaders.boot_id import boot_id
from agent.bootloaders.file import FileBootLoader
from agent.bootloaders.grub import Grub
from agent.bootloaders.partitions import Partitions
from agent.bootloaders.rauc import Rauc
from agent.bootloaders.sdboot import ENTRIES, SystemdBoot, SystemFolder
from agent.bootloaders.settings import GrubSettings, RaucSettings, SlotSettings, SystemdBootSettings, UBootSettings
from agent.bootloaders.tool import SystemTool
from agent.bootloaders.uboot import UBoot
from agent.disk import Disk
from agent.kernel import Linux
from agent.proof.crashes import PSTORE
from agent.proof.watchdog import WATCHDOGS
from agent.slots import BootLoader, Slot

FILE_BOARD = "file"
FILE_WATCHDOGS = "watchdog"
"""In the directory of a board of files: what /sys/class/watchdog is on a machine."""
FILE_CRASHES = "pstore"
"""Likewise, what /sys/fs/pstore is."""


@dataclass(frozen=True, slots=True)
class Firmware:
    """A boot loader, who names the boots on its board, and where watchdogs and a dying kernel leave word.

    `inspect` gives a word for people on how the boot loader is set up. Raises: BootEnvironmentError.
    """

    boots: BootLoader
    boot_id: Callable[[], str]
    inspect: Callable[[], str]
    watchdogs: Path = WATCHDOGS
    crashes: tuple[Path, ...] = PSTORE


def _file_board(settings: SlotSettings, disk: Disk) -> Firmware:
    if settings.directory is None:
        raise RuntimeError("the settings of a board of files name its directory")
    folder, boots = settings.directory, FileBootLoader(settings.directory, disk)
    inspect = partial("files in {}".format, folder)
    return Firmware(boots, boots.boot_id, inspect, folder / FILE_WATCHDOGS, (folder / FILE_CRASHES,))


def _uboot(settings: SlotSettings, disk: Disk) -> Firmware:
    del disk  # fw_setenv writes
    config = (settings.uboot or UBootSettings()).config
    boots = UBoot(Partitions(settings.devices()), config, SystemTool())
    return _machine(boots, partial(inspection.of_uboot, config))


def _grub(settings: SlotSettings, disk: Disk) -> Firmware:
    environment = (settings.grub or GrubSettings()).environment
    boots = Grub(Partitions(settings.devices()), environment, disk)
    return _machine(boots, partial(inspection.of_grub, environment))


def _systemd_boot(settings: SlotSettings, disk: Disk) -> Firmware:
    del disk  # entries are renamed, not written
    boot = (settings.systemd_boot or SystemdBootSettings()).boot
    entries = boot / ENTRIES
    boots = SystemdBoot(Partitions(settings.devices()), SystemFolder(entries, Linux()), entries)
    return _machine(boots, partial(inspection.of_systemd_boot, boots, boot, entries))


def _rauc(settings: SlotSettings, disk: Disk) -> Firmware:
    rauc = settings.rauc or RaucSettings()
    boots = Rauc({Slot.A: rauc.a, Slot.B: rauc.b}, rauc.trial, SystemTool(), disk)
    return _machine(boots, partial(inspection.of_rauc, boots, rauc.trial))


def _machine(boots: BootLoader, inspect: Callable[[], str]) -> Firmware:
    return Firmware(boots, boot_id, inspect)


BOOT_LOADERS: Mapping[str, Callable[[SlotSettings, Disk], Firmware]] = MappingProxyType(
    {FILE_BOARD: _file_board, "uboot": _uboot, "grub": _grub, "systemd-boot": _systemd_boot, "rauc": _rauc}
)
