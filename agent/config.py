"""The agent's configuration: one TOML file, read once, refused whole when any part of it is wrong.

`docs/reference/agent-config.md` describes every field; a test compares it with the structures here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from agent.bootloaders.settings import SlotSettings
from agent.config_words import Table, explained
from agent.handlers.settings import NEEDS_ROOT, HandlerSettings, fault_in
from agent.local.unix_socket import SocketSettings
from agent.permit.consent import ConsentSettings
from agent.permit.hooks import HookSettings
from agent.permit.power import PowerSettings
from agent.permit.space import SpaceSettings
from agent.permit.window import WindowSettings
from agent.proof.checks import Command, Word
from agent.proof.guard import WatchdogSettings
from agent.proof.health import HealthSettings
from agent.writer.settings import WriterSettings
from bridge.release.delta.memory import DEVICE_MEMORY
from bridge.release.errors import OtabridgeError
from bridge.release.manifest import MAX_MEMORY, Text

DEFAULT_PATH = Path("/etc/otabridge/agent.toml")
PATH_VARIABLE = "OTABRIDGE_AGENT_CONFIG"
MAX_CONFIG_BYTES = 64 * 1024
LEAST_MEMORY = 16 * 1024 * 1024
"""Bytes; with less no artifact at all could be applied (docs/payload-format.md, Memory)."""

Deadline = Annotated[float, msgspec.Meta(gt=0, le=600)]
ProxyUrl = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]


class ConfigError(OtabridgeError):
    """The configuration cannot be used; the message names file, field and value."""

    @property
    def exit_code(self) -> int:
        """2, as for every misuse of a command line."""
        return 2


class DeviceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What this device is; releases are held against it."""

    model: Text
    hardware: Text
    version: Text | None = None


class TrustSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom this device believes: the pinned root.json."""

    root: Path


class StateSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the journal lies; a directory that neither slot holds and that survives both."""

    directory: Path = Path("/var/lib/otabridge")


class ChannelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which cloud, or which clouds, and the tables that their adapters read: one for each name."""

    cloud: Text | None = None
    clouds: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1, max_length=8)] | None = None
    tables: dict[str, Table] = {}

    def __post_init__(self) -> None:
        if (self.cloud is None) == (self.clouds is None):
            what = "both cloud and clouds are given" if self.cloud is not None else "no cloud is named"
            raise ValueError(f'{what}; write either cloud = "NAME" or clouds = ["NAME", "OTHER"]')
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"clouds names one twice: {', '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The clouds that offer releases, one or several."""
        return self.clouds if self.clouds is not None else (self.cloud or "",)


class Proxies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Proxies instead of those of the environment; an empty table means none. `no`: hosts reached directly."""

    http: ProxyUrl | None = None
    https: ProxyUrl | None = None
    no: Annotated[str, msgspec.Meta(max_length=4096)] | None = None

    def by_scheme(self) -> dict[str, str]:
        """Only what is set, as `agent.download.connections` takes it."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}


class DownloadSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How artifacts are fetched and applied. `rate_limit` in bytes a second, None for as fast as it goes; in windows of
    `spread_seconds` each device has a moment of its own to begin at; `memory` in bytes, what applying an artifact may
    take. `metered_command` decides in place of `metered`: exit status 0 for a metered link, 1 for another."""

    rate_limit: Annotated[int, msgspec.Meta(ge=1024)] | None = None
    spread_seconds: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 0.0
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    proxies: Proxies | None = None
    allow_http: bool = False
    connect_seconds: Deadline = 15.0
    read_seconds: Deadline = 30.0
    stall_seconds: Deadline = 60.0
    faults: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 8
    memory: Annotated[int, msgspec.Meta(ge=LEAST_MEMORY, le=MAX_MEMORY)] = DEVICE_MEMORY
    metered: Literal["no", "yes"] = "no"
    metered_command: Annotated[tuple[Word, ...], msgspec.Meta(min_length=1, max_length=64)] | None = None
    full_over_metered: bool = True
    wait_for_link: bool = False

    def __post_init__(self) -> None:
        if (self.certificate_file is None) != (self.key_file is None):
            missing = "key_file" if self.key_file is None else "certificate_file"
            raise ValueError(f"{missing} is missing; a store that asks for a certificate needs both, it and its key")


class RebootSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the machine is restarted; an empty command leaves it to whoever sees the agent's exit code 75. `when`: at
    once, in the maintenance window, or once a local program says yes; None for in the window where there is one.
    `excused`: how many planned restarts in the middle of one trial boot are not held against it."""

    command: Command = ("systemctl", "reboot")
    when: Literal["at once", "in the window", "by the application"] | None = None
    excused: Annotated[int, msgspec.Meta(ge=0, le=8)] = 3


class AgentConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of the file. Every path is absolute by now."""

    device: DeviceSettings
    slots: SlotSettings
    trust: TrustSettings
    channel: ChannelSettings
    state: StateSettings = StateSettings()
    download: DownloadSettings = DownloadSettings()
    health: HealthSettings = HealthSettings()
    watchdog: WatchdogSettings = WatchdogSettings()
    reboot: RebootSettings = RebootSettings()
    hooks: HookSettings = HookSettings()
    consent: ConsentSettings = ConsentSettings()
    window: WindowSettings | None = None
    power: PowerSettings | None = None
    space: SpaceSettings | None = None
    socket: SocketSettings | None = None
    writer: WriterSettings | None = None
    handlers: dict[str, HandlerSettings] = {}

    def __post_init__(self) -> None:
        privileged = [name for name, settings in self.handlers.items() if isinstance(settings, NEEDS_ROOT)]
        if self.writer is not None and privileged:
            raise ValueError(f"handlers.{min(privileged)} needs an agent that is root, and with [writer] it is not")
        if self.reboot.when == "in the window" and self.window is None:
            raise ValueError("reboot.when is 'in the window', and there is no window; add the table [window]")


def load(path: Path) -> AgentConfig:
    """The configuration in the file at `path`; relative paths in it start from its folder. Raises: ConfigError."""
    path = path.absolute()
    document, resolve = _read(path), _resolver(path.parent)
    if (fault := fault_in(document.get("handlers"), resolve)) is not None:
        raise ConfigError(f"{path}: {fault}")
    try:
        tables = {**document, **_channel(document, path)}
        return msgspec.convert(tables, AgentConfig, dec_hook=resolve)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {explained(str(error), document, AgentConfig)}") from error


def _read(path: Path) -> Table:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}); write it as docs/reference/agent-config.md says, "
            f"or name another file with --config or {PATH_VARIABLE}"
        ) from error
    if len(text) > MAX_CONFIG_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes: is it the right file?")
    try:
        return tomllib.loads(text.decode())
    except ValueError as error:  # of TOML, or of UTF-8
        raise ConfigError(f"{path} is not TOML: {error}") from error


def _channel(document: Table, path: Path) -> Table:
    """The `channel` table with the tables of the clouds, which only their adapters understand, in `tables`.

    What names no cloud properly is left for the structure to refuse.
    """
    channel = document.get("channel")
    if not isinstance(channel, dict):
        return {}
    names = _clouds(channel)
    if names is None:
        return {"channel": {name: value for name, value in channel.items() if not isinstance(value, dict)}}
    chosen = {name: channel[name] for name in ("cloud", "clouds") if name in channel}
    tables = {name: table for name, table in channel.items() if name not in chosen}
    _require_tables(tables, names, path, all_needed="clouds" in chosen)
    settings = {name: _with_absolute_files(tables.get(name, {}), path.parent) for name in names}
    return {"channel": {**chosen, "tables": settings}}


def _clouds(channel: Table) -> list[str] | None:
    """The clouds that the table names; None when it does not name them as it should."""
    cloud, clouds = channel.get("cloud"), channel.get("clouds")
    if isinstance(cloud, str) and clouds is None:
        return [cloud]
    if cloud is None and isinstance(clouds, list) and all(isinstance(name, str) for name in clouds):
        return clouds
    return None


def _require_tables(tables: Mapping[str, object], names: list[str], path: Path, *, all_needed: bool) -> None:
    field = f"channel.clouds = {names!r}" if all_needed else f"channel.cloud = {names[0]!r}"
    wanted = ", ".join(f"[channel.{name}]" for name in names)
    wrong = [name for name, table in tables.items() if name not in names or not isinstance(table, dict)]
    if wrong:
        count = "one table" if len(names) == 1 else "one table for each"
        raise ConfigError(f"{path}: channel.{min(wrong)} is not understood; beside {field} there is {count}, {wanted}")
    missing = [name for name in names if name not in tables]
    if all_needed and missing:
        raise ConfigError(f"{path}: channel.{missing[0]} is missing; {field} needs a table for each, {wanted}")


def _with_absolute_files(settings: Mapping[str, object], folder: Path) -> Table:
    """By convention a cloud's field whose name ends in `_file` is a path."""
    return {
        name: str(folder / value) if name.endswith("_file") and isinstance(value, str) else value
        for name, value in settings.items()
    }


def _resolver(folder: Path) -> Callable[[type, object], object]:
    def resolve(kind: type, value: object) -> object:
        if kind is not Path:
            return value
        if not isinstance(value, str) or not value:
            raise ValueError("Expected the path of a file or folder")
        return folder / value

    return resolve
