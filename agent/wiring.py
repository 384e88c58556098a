"""Puts the agent together from its configuration. Only here are parts chosen by name."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType

from adapters.devices import OPENERS, open_channel
from agent.announcer import Announcer
from agent.board import CommandBoard
from agent.bootloaders.file import FileBootLoader
from agent.channel import Channel
from agent.channels import Channels, SoleChannel
from agent.config import AgentConfig, ConfigError, DownloadSettings, SlotSettings
from agent.connections import Connections
from agent.context import Limits as UpdateLimits
from agent.disk import Disk, SystemDisk
from agent.engine import Engine
from agent.fetch import HttpDownload, Limits
from agent.folder import FolderDownload
from agent.health import CommandHealth
from agent.heartbeat import BeatingDisk, Heartbeat
from agent.journal import Journal, JournalError
from agent.judgement import running_version
from agent.link import Links
from agent.metering import CommandMeter
from agent.notify import Notifier, watchdog_seconds
from agent.pace import Timing
from agent.ports import Download, Health, Identity, Ports, unmetered
from agent.record import Record
from agent.service import Service
from agent.slots import BootLoader
from agent.uplink import UnopenedChannel, Uplink
from agent.watchdog import caused_by_watchdog
from bridge.release.errors import ChannelError, DownloadError, OtabridgeError
from bridge.release.trust import MAX_ROOT_BYTES

JOURNAL = "journal"
LOCK = "lock"
WATCHDOGS = "watchdog"
"""In the directory of a board of files: what /sys/class/watchdog is on a machine."""


@dataclass(frozen=True, slots=True)
class Firmware:
    """A boot loader, who names the boots on its board, and where the board's watchdogs tell what they did."""

    boots: BootLoader
    boot_id: Callable[[], str]
    watchdogs: Path


@dataclass(frozen=True, slots=True)
class Agent:
    """The parts that a command works with."""

    config: AgentConfig
    boots: BootLoader
    engine: Engine
    uplink: Uplink
    heartbeat: Heartbeat
    service: Service


def _file_board(settings: SlotSettings, disk: Disk) -> Firmware:
    boots = FileBootLoader(settings.directory, disk)
    return Firmware(boots, boots.boot_id, settings.directory / WATCHDOGS)


BOOT_LOADERS: Mapping[str, Callable[[SlotSettings, Disk], Firmware]] = MappingProxyType({"file": _file_board})


def build(config: AgentConfig, *, from_folder: bool = False) -> Agent:
    """The agent that `config` describes; `from_folder` takes artifacts from files instead of the network.

    Nothing is connected or written yet. Raises: ConfigError, JournalError.
    """
    notifier = Notifier()
    heartbeat = Heartbeat(notifier, watchdog_seconds())
    timing = Timing(sleep=heartbeat.sleep, beat=heartbeat.beat)
    disk = BeatingDisk(SystemDisk(), heartbeat.beat)
    firmware = firmware_of(config.slots, disk)
    identity, journal = identity_of(config), config.state.directory / JOURNAL
    uplink = Uplink(lambda: _open_channel(config, lambda: _begun(disk, journal)), silent=from_folder)
    download = FolderDownload(timing) if from_folder else _http(config, timing)
    health = CommandHealth(config.health, timing, lambda: _facts(identity, firmware.boots, disk, journal))
    ports = Ports(
        disk=disk,
        boots=firmware.boots,
        download=download,
        health=ReachableHealth(health, uplink),
        board=_board(config, timing, firmware),
        clock=lambda: datetime.now(UTC),
        metered=unmetered if from_folder else _metered(config.download, timing),
    )
    engine = Engine(identity, ports, journal, _limits(config.download))
    supervised = not config.reboot.command
    service = Service(engine, uplink, heartbeat, notifier, timing, supervised=supervised)
    return Agent(config, firmware.boots, engine, uplink, heartbeat, service)


def _limits(settings: DownloadSettings) -> UpdateLimits:
    return UpdateLimits(memory=settings.memory, full_over_metered=settings.full_over_metered)


def _metered(settings: DownloadSettings, timing: Timing) -> Callable[[], bool]:
    if settings.metered_command is not None:
        return CommandMeter(settings.metered_command, timing)
    return lambda: settings.metered == "yes"


def _board(config: AgentConfig, timing: Timing, firmware: Firmware) -> CommandBoard:
    by_watchdog = partial(caused_by_watchdog, firmware.watchdogs)
    return CommandBoard(config.reboot.command, timing, firmware.boot_id, by_watchdog)


def firmware_of(settings: SlotSettings, disk: Disk) -> Firmware:
    """The boot loader that `settings` name. Raises: ConfigError."""
    make = BOOT_LOADERS.get(settings.boot_loader)
    if make is None:
        raise ConfigError(f"slots.boot_loader is {settings.boot_loader!r}; there are: {', '.join(BOOT_LOADERS)}")
    return make(settings, disk)


def identity_of(config: AgentConfig) -> Identity:
    """What the device is, with the pinned root read. Raises: ConfigError."""
    device = config.device
    return Identity(device.model, device.hardware, _pinned_root(config.trust.root), device.version)


@contextmanager
def sole(config: AgentConfig) -> Iterator[None]:
    """Only one process at a time may change the journal and the slots.

    Raises: ConfigError when the state directory cannot be used; Occupied when another agent is at work.
    """
    folder = config.state.directory
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"state.directory {folder} cannot be used: {error.strerror}") from error
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


class Occupied(OtabridgeError):
    """Another agent works on this device."""


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Occupied(
            f"another otabridge-agent works with {folder}; stop it first, as by `systemctl stop otabridge-agent`"
        ) from error


class ReachableHealth:
    """A Health that first wants the agent to have its channel: a release in which it cannot even be set up would be
    the last one that the device ever installs."""

    def __init__(self, health: Health, uplink: Uplink) -> None:
        self._health = health
        self._uplink = uplink

    def prove(self, names: Sequence[str]) -> str | None:
        """See Health. Connects to nothing: a device may be proved where there is no network."""
        try:
            self._uplink.open()
        except UnopenedChannel as error:
            return f"the agent cannot set up its channel: {error}"
        return self._health.prove(names)


def open_cloud(config: AgentConfig, cloud: str) -> Channel:
    """The channel to one of the clouds that `config` names. Raises: UnopenedChannel."""
    try:
        return open_channel(cloud, config.channel.tables[cloud])
    except ChannelError as error:
        raise UnopenedChannel(str(error)) from error


def _open_channel(config: AgentConfig, begun: Callable[[], str]) -> Channel:
    if config.channel.cloud is not None:
        sole_cloud = open_cloud(config, config.channel.cloud)
        return SoleChannel(config.channel.cloud, Announcer(sole_cloud), OPENERS)
    return Channels({cloud: open_cloud(config, cloud) for cloud in config.channel.names}, begun)


def _http(config: AgentConfig, timing: Timing) -> Download:
    settings = config.download
    limits = Limits(faults=settings.faults, stall_seconds=settings.stall_seconds, rate=settings.rate_limit)
    links = Links(_connections(settings), allow_http=settings.allow_http)
    return HttpDownload(links, limits, timing)


def _connections(settings: DownloadSettings) -> Connections:
    try:
        return Connections(
            connect_seconds=settings.connect_seconds,
            read_seconds=settings.read_seconds,
            ca_file=settings.ca_file,
            proxies=None if settings.proxies is None else settings.proxies.by_scheme(),
        )
    except DownloadError as error:
        raise ConfigError(str(error)) from error


def _facts(identity: Identity, boots: BootLoader, disk: Disk, journal: Path) -> Mapping[str, str]:
    """What the health checks are told; during a trial boot the version is that of the release on trial."""
    running = boots.booted()
    return {
        "OTABRIDGE_SLOT": running,
        "OTABRIDGE_SLOT_DEVICE": str(boots.device(running)),
        "OTABRIDGE_RELEASE_VERSION": running_version(identity, _record(disk, journal), running) or "",
    }


def _begun(disk: Disk, journal: Path) -> str:
    """The offer that the journal holds; an unusable journal holds none, and the engine says so."""
    try:
        update = _record(disk, journal).update
    except JournalError:
        return ""
    return "" if update is None else update.offer


def _record(disk: Disk, path: Path) -> Record:
    journal = Journal(disk, path)
    journal.load()
    return journal.record


def _pinned_root(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_ROOT_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"trust.root {path} cannot be read: {error.strerror}; put the owner's first root.json there"
        ) from error
