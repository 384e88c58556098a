"""One simulated device: firmware that selects a slot, and the real agent in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.bootloaders.file import boot, read_environment
from agent.disk import SystemDisk

REBOOT = 75
"""Exit code with which the agent asks its supervisor for a reboot."""
PAUSE = 0.5
"""Seconds before an agent that ended otherwise is started again, as its service manager would."""
STOP_SECONDS = 5.0
"""Seconds to end by itself; then its power is cut."""

Tell = Callable[[str], None]
"""Gets a line for people, from any thread."""


def ignore(_: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class BoardFiles:
    """Where a device keeps its things."""

    folder: Path

    @property
    def slots(self) -> Path:
        """The folder of the `file` boot loader: two images and the boot environment."""
        return self.folder / "slots"

    @property
    def config(self) -> Path:
        """The agent's configuration."""
        return self.folder / "agent.toml"

    @property
    def log(self) -> Path:
        """All that the agent wrote to stderr, over all its lives."""
        return self.folder / "agent.log"


class Board:
    """A device that is switched on with `start` and off with `stop`; in between it boots as often as it is asked."""

    def __init__(self, name: str, files: BoardFiles, tell: Tell = ignore) -> None:
        self.name = name
        self.files = files
        self.boots: list[str] = []
        """The slot of each boot, oldest first."""
        self.booted_at: list[float] = []
        """When each of them was, in seconds of the monotonic clock."""
        self._tell = tell
        self._off = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)

    def start(self) -> None:
        """Switch the device on."""
        self._thread.start()

    def stop(self) -> None:
        """Switch it off; returns when its agent is gone. One that was never switched on stays off."""
        self._off.set()
        with self._lock:
            if self._process is not None:
                self._process.terminate()
        if self._thread.ident is None:
            return
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join()

    def status(self) -> Mapping[str, object]:
        """What the agent's own `status` says."""
        done = self._agent_run("--output", "json", "status")
        return msgspec.json.decode(done, type=dict[str, object])

    def _live(self) -> None:
        while not self._off.is_set():
            self._boot()
            while self._run_agent() != REBOOT and not self._off.wait(PAUSE):
                continue

    def _boot(self) -> None:
        slot = boot(self.files.slots, SystemDisk()).slot
        self.boots.append(str(slot))
        self.booted_at.append(time.monotonic())
        environment = read_environment(self.files.slots, SystemDisk())
        on_trial = environment is not None and environment.trial is slot
        self._tell(f"{self.name} boots slot {slot}{', on trial' if on_trial else ''}")

    def _run_agent(self) -> int:
        try:
            process = self._start_agent()
        except OSError as error:
            self._tell(f"{self.name}: its agent cannot be started: {error}")
            return os.EX_OSERR
        return REBOOT if process is None else process.wait()

    def _start_agent(self) -> subprocess.Popen[bytes] | None:
        """In a process group of its own, so that Ctrl-C reaches it through `stop` alone. None once switched off."""
        with self._lock, self.files.log.open("ab") as log:
            if self._off.is_set():
                return None
            line = self._line("run")
            self._process = subprocess.Popen(  # noqa: S603 - our own agent
                line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )
            return self._process

    def _agent_run(self, *words: str) -> bytes:
        return subprocess.run(self._line(*words), capture_output=True, check=True, timeout=60).stdout  # noqa: S603 - our own agent

    def _line(self, *words: str) -> list[str]:
        program = Path(sys.executable).with_name("otabridge-agent")
        return [str(program), "--config", str(self.files.config), *words]
