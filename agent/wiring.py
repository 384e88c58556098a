"""Puts the agent together from its configuration. Only here, and in `agent.firmware`, are parts chosen by name."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from adapters.devices import OPENERS, open_channel
from agent.access import Access, access_of, identity_of
from agent.cloud.announcer import Announcer
from agent.cloud.channel import Channel, Clouds
from agent.cloud.channels import Channels, SoleChannel
from agent.cloud.folder import FolderDownload
from agent.cloud.uplink import UnopenedChannel, Uplink
from agent.config import AgentConfig, ConfigError, DownloadSettings
from agent.disk import Disk, SystemDisk
from agent.download.connections import ClientCertificate, Connections
from agent.download.fetch import HttpDownload, Limits
from agent.download.link import Links
from agent.download.metering import CommandMeter
from agent.download.spread import Spread
from agent.download.turn import Turn
from agent.handler_parts import handlers_of
from agent.heartbeat import Heartbeat
from agent.local.herald import Herald
from agent.local.parts import LocalParts
from agent.notify import Notifier, watchdog_seconds
from agent.pace import Timing
from agent.permit.consent import Spokesman
from agent.ports import Download, Health, Identity, Ports, at_once, unmetered
from agent.proof.guard import HardwareGuard
from agent.proof.parts import checked_health, guard_of, guarded, hardware_guard, staying
from agent.service import Service, Surroundings
from agent.shutdown import is_going_down
from agent.slots import BootLoader
from agent.update.context import Limits as UpdateLimits
from agent.update.engine import Engine
from agent.update.journal import Journal, JournalError
from agent.update.judgement import running_version
from agent.update.record import Record, Update
from bridge.release.errors import ChannelError, DownloadError, OtabridgeError, SlotError

logger = logging.getLogger(__name__)

JOURNAL = "journal"
LOCK = "lock"
MACHINE_ID = Path("/etc/machine-id")


@dataclass(frozen=True, slots=True)
class Agent:
    """The parts that a command works with."""

    config: AgentConfig
    boots: BootLoader
    engine: Engine
    uplink: Uplink
    heartbeat: Heartbeat
    service: Service
    herald: Herald
    local: LocalParts
    staying: Callable[[], AbstractContextManager[None]]
    """For the process that stays: what is to be guarded beyond a trial boot is, within it."""


def build(config: AgentConfig, *, from_folder: bool = False) -> Agent:
    """The agent that `config` describes; `from_folder` takes artifacts from files instead of the network.

    Nothing is connected or written yet. Raises: ConfigError, JournalError.
    """
    notifier, guard = Notifier(), hardware_guard(config)
    heartbeat = Heartbeat(notifier, watchdog_seconds(), pulse=guard)
    timing = Timing(sleep=heartbeat.sleep, beat=heartbeat.beat)
    access, journal = access_of(config, timing), config.state.directory / JOURNAL
    local = LocalParts(config, SystemDisk(), timing, _now)
    uplink = Uplink(lambda: _open_channel(config, lambda: _begun(access.disk, journal)), silent=from_folder)
    ports = _Porting(config, timing, access, uplink, local, guard).ports(from_folder=from_folder)
    limits = replace(_limits(config.download), fallbacks=config.health.quarantine_after)
    engine = Engine(identity_of(config), ports, journal, limits)
    herald = Herald(uplink, local.hooks, local.socket(lambda: pending_in(journal)))
    around = Surroundings(local.stirred, is_going_down, config.reboot.excused, partial(_tell, engine, local, herald))
    supervised = not config.reboot.command
    service = Service(engine, herald, heartbeat, notifier, timing, supervised=supervised, surroundings=around)
    return Agent(config, access.boots, engine, uplink, heartbeat, service, herald, local, partial(staying, guard))


@dataclass(frozen=True, slots=True)
class _Porting:
    """What the engine's surroundings are made of."""

    config: AgentConfig
    timing: Timing
    access: Access
    uplink: Uplink
    local: LocalParts
    guard: HardwareGuard | None

    def ports(self, *, from_folder: bool) -> Ports:
        config, timing, access = self.config, self.timing, self.access
        return Ports(
            disk=access.disk,
            boots=access.boots,
            download=FolderDownload(timing) if from_folder else _http(config, timing),
            health=guarded(ReachableHealth(self._checks(), self.uplink), self.guard),
            board=access.board,
            clock=_now,
            metered=unmetered if from_folder else _metered(config.download, timing),
            permission=self.local.permission(),
            await_turn=at_once if from_folder else _turn(config, timing).wait,
            require_fit=access.require_fit,
            introduce=access.introduce,
            guard=guard_of(self.guard),
            crashes=access.crashes,
            handlers=handlers_of(config, timing, access.disk),
        )

    def _checks(self) -> Health:
        access, journal = self.access, self.config.state.directory / JOURNAL
        identity = identity_of(self.config)
        facts = partial(_facts, identity, access.boots, access.disk, journal)
        return checked_health(self.config, self.timing, self.uplink.reach, facts)


def _now() -> datetime:
    return datetime.now(UTC)


def pending_in(journal: Path) -> Update | None:
    """The update under way; for any thread. Raises: JournalError."""
    return _record(SystemDisk(), journal).update


def spokesman_of(config: AgentConfig) -> Spokesman:
    """Takes what a person says to the update under way; needs neither slots nor cloud."""
    local = LocalParts(config, SystemDisk(), Timing(), _now)
    return local.spokesman(lambda: pending_in(config.state.directory / JOURNAL))


def _tell(engine: Engine, local: LocalParts, herald: Herald) -> None:
    try:
        herald.status(local.status_line(engine.status()))
    except SlotError as error:
        logger.warning("local programs are not told how the device stands: %s", error)


def _limits(settings: DownloadSettings) -> UpdateLimits:
    return UpdateLimits(
        memory=settings.memory,
        full_over_metered=settings.full_over_metered,
        wait_for_link=settings.wait_for_link,
    )


def _metered(settings: DownloadSettings, timing: Timing) -> Callable[[], bool]:
    if settings.metered_command is not None:
        return CommandMeter(settings.metered_command, timing)
    return lambda: settings.metered == "yes"


@contextmanager
def sole(config: AgentConfig) -> Iterator[None]:
    """Only one process at a time may change the journal and the slots.

    Raises: ConfigError when the state directory cannot be used; Occupied when another agent is at work.
    """
    _require_own_user(config)
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


def _require_own_user(config: AgentConfig) -> None:
    """Files that root made would be out of the agent's reach from then on."""
    if config.writer is not None and os.geteuid() == 0 and config.writer.user != "root":
        user = config.writer.user
        raise ConfigError(f"the agent runs as {user}: use `runuser -u {user} -- otabridge-agent ...`, not root")


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


def _open_channel(config: AgentConfig, begun: Callable[[], str]) -> Clouds:
    if config.channel.cloud is not None:
        sole_cloud = open_cloud(config, config.channel.cloud)
        return SoleChannel(config.channel.cloud, Announcer(sole_cloud), OPENERS)
    return Channels({cloud: open_cloud(config, cloud) for cloud in config.channel.names}, begun)


def _http(config: AgentConfig, timing: Timing) -> Download:
    settings = config.download
    limits = Limits(faults=settings.faults, stall_seconds=settings.stall_seconds, rate=settings.rate_limit)
    links = Links(_connections(settings), allow_http=settings.allow_http)
    return HttpDownload(links, limits, timing)


def _turn(config: AgentConfig, timing: Timing) -> Turn:
    return Turn(Spread(_own_name(config), config.download.spread_seconds), timing)


def _own_name(config: AgentConfig) -> str:
    """What tells this device from the others of its model: the settings of its channel, and the machine's id."""
    try:
        machine = MACHINE_ID.read_text(errors="replace")
    except OSError:
        machine = ""  # not every machine has one; the settings name the device where images do not
    return f"{config.channel.tables!r} {machine.strip()}"


def _connections(settings: DownloadSettings) -> Connections:
    try:
        return Connections(
            connect_seconds=settings.connect_seconds,
            read_seconds=settings.read_seconds,
            ca_file=settings.ca_file,
            client=_client(settings),
            proxies=None if settings.proxies is None else settings.proxies.by_scheme(),
        )
    except DownloadError as error:
        raise ConfigError(str(error)) from error


def _client(settings: DownloadSettings) -> ClientCertificate | None:
    if settings.certificate_file is None or settings.key_file is None:
        return None
    return ClientCertificate(settings.certificate_file, settings.key_file)


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
