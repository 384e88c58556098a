"""Puts together what proves a trial boot, and what guards it meanwhile, from the agent's configuration."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

from agent.config import AgentConfig, ConfigError
from agent.pace import Timing
from agent.ports import Guard, Health, Unguarded
from agent.proof.checks import Check
from agent.proof.guard import GuardedHealth, HardwareGuard
from agent.proof.health import CheckedHealth
from agent.proof.probes import Probes, Reach
from agent.proof.web import UrllibWeb, require_authorities
from bridge.release.errors import DownloadError


def hardware_guard(config: AgentConfig) -> HardwareGuard | None:
    """The watchdog that guards a trial boot; None where that is nobody's business, or systemd's. Opens nothing."""
    settings = config.watchdog
    if settings.device is None:
        return None
    return HardwareGuard(settings, settings.device, _trial_seconds(config), time.monotonic)


def _trial_seconds(config: AgentConfig) -> float:
    """What a trial boot may take: each handler once, as the steps may come in that boot, and the proof."""
    steps = sum(handler.timeout_seconds for handler in config.handlers.values())
    return steps + config.health.deadline_seconds + config.hooks.before_commit()


def guard_of(guard: HardwareGuard | None) -> Guard:
    """The engine's Guard."""
    return guard or Unguarded()


def guarded(health: Health, guard: HardwareGuard | None) -> Health:
    """`health`, only where the trial is guarded as configured."""
    return health if guard is None else GuardedHealth(health, guard)


def staying(guard: HardwareGuard | None) -> AbstractContextManager[None]:
    """Within it the process is the one that stays, not one that a person called."""
    return nullcontext() if guard is None else guard.standing()


def checked_health(
    config: AgentConfig, timing: Timing, reach: Reach, facts: Callable[[], Mapping[str, str]]
) -> CheckedHealth:
    """The checks of `config`. `reach` asks the clouds, `facts` are for commands. Raises: ConfigError."""
    for check in config.health.checks:
        _require_usable(check)
    proxies = config.download.proxies
    web = UrllibWeb(None if proxies is None else proxies.by_scheme())
    return CheckedHealth(config.health, timing, Probes(timing, web, reach), facts)


def _require_usable(check: Check) -> None:
    if check.http is None or check.http.ca_file is None:
        return
    try:
        require_authorities(check.http.ca_file)
    except DownloadError as error:
        raise ConfigError(f"health check {check.name}: http.{error}") from error
