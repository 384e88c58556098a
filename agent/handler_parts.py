"""Puts the handlers together from their tables: only here are they chosen by kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, assert_never

from agent.config import AgentConfig
from agent.disk import Disk
from agent.handlers.dpkg import Dpkg
from agent.handlers.kept import Kept
from agent.handlers.package import PackageHandler
from agent.handlers.rauc import RaucHandler
from agent.handlers.runner import Runner
from agent.handlers.script import ScriptHandler
from agent.handlers.settings import (
    HandlerSettings,
    PackageSettings,
    RaucBundleSettings,
    ScriptSettings,
    SwupdateSettings,
)
from agent.handlers.swupdate import SwupdateHandler
from agent.handling import Handler
from agent.pace import Timing

PACKAGES = "packages"
"""In the state directory, where `directory` of a package handler names no other folder."""
PLAIN = {"LC_ALL": "C"}
"""What tools of others say goes into reports, in one language."""


class InspectedHandler(Handler, Protocol):
    """One that can say how it is set up, too."""

    def inspect(self) -> str:
        """A word for people. Changes nothing. Raises: StepError."""


@dataclass(frozen=True, slots=True)
class _Around:
    """What handlers may need besides their own table."""

    timing: Timing
    disk: Disk
    packages: Path
    rauc_owns_boot_loader: bool


def handlers_of(config: AgentConfig, timing: Timing, disk: Disk) -> Mapping[str, InspectedHandler]:
    """The handlers of `config`, by the names that releases call them. Starts and reads nothing."""
    owns = config.slots.boot_loader == "rauc"
    around = _Around(timing, disk, config.state.directory / PACKAGES, owns)
    return {name: _handler(name, settings, around) for name, settings in config.handlers.items()}


def _handler(name: str, settings: HandlerSettings, around: _Around) -> InspectedHandler:
    runner = Runner(around.timing, settings.timeout_seconds, PLAIN)
    match settings:
        case ScriptSettings():
            return ScriptHandler(name, settings, Runner(around.timing, settings.timeout_seconds))
        case PackageSettings():
            dpkg = Dpkg(runner, settings.root, settings.options)
            return PackageHandler(name, dpkg, Kept(settings.directory or around.packages, around.disk), around.disk)
        case RaucBundleSettings():
            owns = around.rauc_owns_boot_loader
            return RaucHandler(name, settings, runner, around.disk, owns_boot_loader=owns)
        case SwupdateSettings():
            return SwupdateHandler(name, settings, runner, around.disk)
    assert_never(settings)
