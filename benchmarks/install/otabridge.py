"""The agent: resident, fed over HTTP with the full artifact or a delta; and as a command on a release folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from benchmarks.install.contestant import Checks, Facts, Session, Spent
from benchmarks.install.device import RESTARTS, Device, install_from, made_device
from benchmarks.install.payload import LEVEL, Payload
from benchmarks.install.programs import Unavailable, tail
from benchmarks.install.releasing import Releases, artifact_in
from benchmarks.install.serving import HTTP, Server
from benchmarks.install.speaking import CHECKOUT, Speaker, speaking

FULL, DELTA, COMMAND = "otabridge, full", "otabridge, delta", "otabridge, full, command"
UNIT = CHECKOUT / "agent" / "systemd" / "otabridge-agent.service"
MEANWHILE = "sha256 of the payload"
CHECKS = Checks("signatures of the release", MEANWHILE, "sha256 of the slot, from the medium")
DELTA_CHECKS = Checks(f"{CHECKS.before}; sha256 of the slot that runs", MEANWHILE, CHECKS.after)


class Resident:
    """Runs already, idle, when the offer comes."""

    def __init__(self, payload: Payload, folder: Path, releases: Releases, server: Server, *, delta: bool) -> None:
        """Raises: Unavailable."""
        self._folder = folder
        self._release = releases.delta if delta else releases.full
        self._device = made_device(folder, releases, payload.slot_bytes)
        self.artifact = artifact_in(self._release, "delta" if delta else "full")
        self._url = server.url(self.artifact)
        self.sources = (self.artifact, self._device.running) if delta else (self.artifact,)
        self.slot = self._device.target
        name, packing, checks = (DELTA, "delta", DELTA_CHECKS) if delta else (FULL, f"zstd -{LEVEL}", CHECKS)
        self.facts = Facts(name, version("otabridge"), HTTP, packing, checks, is_peer=False)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """See Contestant."""
        self._device.forget()
        log = self._folder / "agent.log"
        line: list[str | Path] = [
            "env",
            *unit_environment(),
            sys.executable,
            "-m",
            "benchmarks.install.resident",
            self._device.config,
            self._release,
            self._url,
        ]
        with speaking(line, log) as agent:
            if agent.hear() != "idle":
                raise Unavailable(f"the agent did not start: {tail(log.read_text())}")
            yield Session(lambda: _install(agent, log), (agent.pid,))
        self._device.require_switched()


def unit_environment() -> list[str]:
    """What the shipped unit sets in the agent's environment, as NAME=VALUE."""
    name, lines = "Environment=", UNIT.read_text(encoding="utf-8").splitlines()
    return [each for line in lines if line.startswith(name) for each in line.removeprefix(name).split()]


def _install(agent: Speaker, log: Path) -> Spent:
    agent.say("go")
    end = json.loads(agent.hear() or '{"code": "no word"}')
    if end["code"] != RESTARTS:
        raise Unavailable(f"the agent ended with {end['code']}: {tail(log.read_text())}")
    return Spent(end["wall"], end["cpu"])


class Command:
    """`otabridge-agent install FOLDER`, the start of its interpreter included."""

    def __init__(self, payload: Payload, folder: Path, releases: Releases) -> None:
        """Raises: Unavailable."""
        self._device: Device = made_device(folder, releases, payload.slot_bytes)
        self._release = releases.full
        self.artifact = artifact_in(self._release, "full")
        self.sources = (self.artifact,)
        self.slot = self._device.target
        self.facts = Facts(COMMAND, version("otabridge"), "a file", f"zstd -{LEVEL}", CHECKS, is_peer=False)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """See Contestant."""
        self._device.forget()
        yield Session(self._install)
        self._device.require_switched()

    def _install(self) -> Spent:
        install_from(self._device, self._release)
        return Spent()
