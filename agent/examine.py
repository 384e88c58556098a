"""Looks at all that an update will need, and changes nothing: `otabridge-agent check`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from agent.access import Access, access_of, identity_of
from agent.config import AgentConfig, ConfigError
from agent.disk import SystemDisk
from agent.handler_parts import handlers_of
from agent.image.slotfile import opened
from agent.pace import Timing
from agent.permit.hooks import Hooks
from agent.printing import Finding
from agent.proof.checks import Check
from agent.proof.guard import WatchdogSettings
from agent.proof.systemd_watchdog import runtime_watchdog
from agent.proof.watchdog_device import examined
from agent.slots import BootLoader, Slot
from agent.wiring import Agent, build, open_cloud
from bridge.release.errors import OtabridgeError
from bridge.release.trust import Trust

ONLINE_SECONDS = 15.0
PATIENCE_SECONDS = 5.0
"""For a slot writer that has to be started."""


def examine(config: AgentConfig, *, online: bool) -> Iterator[Finding]:
    """Each finding as it is made. `online` also asks the cloud for an offer, without installing it.

    Raises: ConfigError when the boot loader is not known.
    """
    access = access_of(config, Timing(), patience=PATIENCE_SECONDS)
    boots = access.boots
    yield _finding("root", partial(_root, config))
    yield _finding("boot loader", partial(_boot_loader, boots))
    for slot in Slot:
        yield _finding(f"slot {slot}", partial(_slot, access, slot))
    yield _finding("boot loader set-up", access.inspect)
    yield _finding("state", partial(_writable, config.state.directory))
    yield from _commands(config)
    yield from _whole(config, online=online)


def _commands(config: AgentConfig) -> Iterator[Finding]:
    if not config.health.checks:
        yield Finding("health", ok=True, detail="no checks: a trial boot proves no more than that the agent starts")
    for check in config.health.checks:
        yield _finding(f"health check {check.name}", partial(_check, check))
    if config.watchdog.device is not None or config.watchdog.owner == "systemd":
        yield _finding("watchdog", partial(_watchdog, config.watchdog))
    if config.download.metered_command:
        yield _finding("metered link", partial(_program, config.download.metered_command[0]))
    if config.hooks.directory.exists():
        yield _finding("hooks", Hooks(config.hooks, Timing()).survey)
    for name, handler in handlers_of(config, Timing(), SystemDisk()).items():
        yield _finding(f"handler {name}", handler.inspect)
    if config.reboot.command:
        yield _finding("reboot", partial(_program, config.reboot.command[0]))


def _whole(config: AgentConfig, *, online: bool) -> Iterator[Finding]:
    try:
        agent = build(config)
    except OtabridgeError as error:
        yield Finding("agent", ok=False, detail=str(error))
        return
    yield _finding("journal", partial(_journal, agent))
    yield _finding("channel", partial(_channel, agent))
    for cloud in config.channel.names if online else ():
        yield _finding("cloud" if config.channel.cloud else f"cloud {cloud}", partial(_cloud, config, cloud))


def _finding(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, ok=True, detail=look())
    except OtabridgeError as error:
        return Finding(subject, ok=False, detail=str(error))


def _root(config: AgentConfig) -> str:
    root = Trust.pin(identity_of(config).root).root
    return f"version {root.version}, expires {root.expires:%Y-%m-%d}"


def _boot_loader(boots: BootLoader) -> str:
    trial = boots.trial()
    booted = f"slot {boots.booted()} runs, slot {boots.default()} is the default"
    return f"{booted}, slot {trial} is on trial" if trial else booted


def _slot(access: Access, slot: Slot) -> str:
    """The slot that does not run is opened as an update would open it."""
    boots = access.boots
    path, running = boots.device(slot), boots.booted()
    with opened(access.disk, path) as file:
        length = file.length()
    if slot is not running:
        access.require_fit(path, boots.device(running))
    return f"{path}, {length} bytes"


def _check(check: Check) -> str:
    """Of what is asked for in the trial boot, only that it can be asked."""
    if check.command is not None:
        return _program(check.command[0])
    if check.unit is not None:
        return f"{_program('systemctl')}, {check.unit}"
    if check.http is not None:
        return f"GET {check.http.url}"
    return "each cloud answers" if check.cloud == "all" else "one of the clouds answers"


def _watchdog(settings: WatchdogSettings) -> str:
    """Not opened: that would start it."""
    if settings.device is None:
        return runtime_watchdog(Timing())
    return examined(settings.device, settings.when)


def _writable(folder: Path) -> str:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigError(f"state.directory {folder}: {existing} is no folder that this user may write to")
    return str(folder)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ConfigError(f"there is no program {name!r} that this user may run")
    return found


def _journal(agent: Agent) -> str:
    status = agent.engine.status()
    if status.trouble:
        raise ConfigError(status.trouble)
    return f"{status.state}, release {status.version or 'unknown'}, floor {status.floor}"


def _channel(agent: Agent) -> str:
    agent.uplink.open()
    return ", ".join(agent.config.channel.names)


def _cloud(config: AgentConfig, cloud: str) -> str:
    """Each cloud is asked by itself: one that is down is a fault, however well another does."""
    with closing(open_cloud(config, cloud)) as channel:
        offer = channel.next_offer(ONLINE_SECONDS)
    return "connected, no offer" if offer is None else f"connected, offer {offer.id}"
