"""How this process gets at the slots and the boot loader: by itself, or by way of the slot writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agent.board import CommandBoard
from agent.bootloaders.settings import SlotSettings
from agent.config import AgentConfig, ConfigError
from agent.disk import Disk, SystemDisk
from agent.firmware import BOOT_LOADERS, FILE_BOARD, Firmware
from agent.heartbeat import BeatingDisk
from agent.image.blocks import Blocks
from agent.pace import Timing
from agent.ports import Board, Identity, believed
from agent.proof.crashes import panics
from agent.proof.watchdog import caused_by_watchdog
from agent.slots import BootLoader
from agent.writer.client import RETURN_SECONDS, SlotWriter
from agent.writer.remote import Presenting, RemoteBoard, RemoteBootLoader, RemoteDisk
from bridge.release.trust import MAX_ROOT_BYTES


@dataclass(frozen=True, slots=True)
class Access:
    """What of the engine's ports touches the board; see `agent.ports.Ports`, and Firmware for `inspect`."""

    disk: Disk
    boots: BootLoader
    inspect: Callable[[], str]
    board: Board
    crashes: Callable[[], tuple[str, ...]]
    require_fit: Callable[[Path, Path], None]
    introduce: Callable[[bytes, Sequence[bytes]], None]


def access_of(config: AgentConfig, timing: Timing, *, patience: float = RETURN_SECONDS) -> Access:
    """As `config` says; a slot writer that is not there is waited for `patience` seconds. Raises: ConfigError."""
    if config.writer is None:
        return own_access(config, timing)
    writer = SlotWriter(config.writer.socket, timing, patience)
    boots = RemoteBootLoader(writer)
    board, shown = RemoteBoard(writer, restarts=bool(config.reboot.command)), Presenting(writer, boots)
    inspect = partial("by way of the slot writer at {}".format, config.writer.socket)
    disk = BeatingDisk(RemoteDisk(writer, boots), timing.beat)
    return Access(disk, boots, inspect, board, board.crashes, shown.require_fit, shown.introduce)


def own_access(config: AgentConfig, timing: Timing) -> Access:
    """By this process itself. Raises: ConfigError."""
    disk = BeatingDisk(SystemDisk(), timing.beat)
    firmware = firmware_of(config.slots, disk)
    by_watchdog = partial(caused_by_watchdog, firmware.watchdogs)
    board = CommandBoard(config.reboot.command, timing, firmware.boot_id, by_watchdog)
    crashes = partial(panics, firmware.crashes)
    fit = blocks_of(config.slots).require_fit
    return Access(disk, firmware.boots, firmware.inspect, board, crashes, fit, believed)


def firmware_of(settings: SlotSettings, disk: Disk) -> Firmware:
    """The boot loader that `settings` name. Raises: ConfigError."""
    make = BOOT_LOADERS.get(settings.boot_loader)
    if make is None:
        raise ConfigError(f"slots.boot_loader is {settings.boot_loader!r}; there are: {', '.join(BOOT_LOADERS)}")
    return make(settings, disk)


def blocks_of(settings: SlotSettings) -> Blocks:
    """What tells a slot from any other device; only a board of files has slots that are files."""
    return Blocks(files=settings.boot_loader == FILE_BOARD)


def identity_of(config: AgentConfig) -> Identity:
    """What the device is, with the pinned root read. Raises: ConfigError."""
    device = config.device
    return Identity(device.model, device.hardware, _pinned_root(config.trust.root), device.version)


def _pinned_root(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_ROOT_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"trust.root {path} cannot be read: {error.strerror}; put the owner's first root.json there"
        ) from error
