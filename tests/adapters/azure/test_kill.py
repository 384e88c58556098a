"""The real agent's process is killed, again and again, against Azure: its update ends with one report, a true one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from agent.slots import Slot
from tests.conformance.bench import FAR, Bench

ROOT = Path(__file__).parents[3]
DEVICE = "device-1"
PROGRAM = "import sys; from agent import cli; sys.exit(cli.main(sys.argv[1:]))"
RESTART_FIRST = 75
KILLED = -signal.SIGKILL
LIVES = (0.4, 2.5) * 6
"""How long after its first word to the hub each agent is let live at most, in seconds: most of one step, or all of it.
Fewer than the restarts without progress after which an agent gives an update up."""
IMAGE = random.Random(5).randbytes(250_000)


class Victim:
    """The device on the bench, whose agent runs as a process of its own."""

    def __init__(self, bench: Bench, simulator) -> None:
        self.bench = bench
        self.simulator = simulator
        self.spoke = threading.Event()
        simulator.hub.listen(lambda device, _: self.spoke.set() if device == DEVICE else None)

    def run(self, seconds: float | None) -> int:
        """One run of the agent, killed `seconds` after it was first seen; its exit code."""
        self.spoke.clear()
        command = [sys.executable, "-c", PROGRAM, "--config", str(self.bench.folder / "agent.toml"), "once"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen([*command, "--timeout", "1"], env=surroundings, **quiet) as process:
            if seconds is not None:
                self._kill(process, seconds)
        if process.returncode == RESTART_FIRST:
            self.bench.boot()
        return process.returncode

    def _kill(self, process: subprocess.Popen, seconds: float) -> None:
        while process.poll() is None and not self.spoke.wait(0.05):
            pass
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()


@pytest.fixture
def victim(tmp_path, simulator, settings) -> Victim:
    """Slow enough at fetching to be hit in the middle of it."""
    (tmp_path / "bench").mkdir()
    bench = Bench(tmp_path / "bench")
    bench.build("azure", {name: value for name, value in settings.items() if value is not None})
    config = bench.folder / "agent.toml"
    config.write_text(config.read_text().replace("faults = 1", "faults = 1\nrate_limit = 150000"))
    return Victim(bench, simulator)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_agent_ends_its_update_with_one_true_report(victim, deployer, history, seed):
    """Whatever moment is hit: begun once, installed once, told once; and after it there is nothing left to do."""
    chance = random.Random(seed)
    package = victim.bench.owner.package(IMAGE, version="2.0.0", sequence=2, expires=FAR)
    workflow = deployer.deploy(package, stage="ob-spring-1")

    codes = [victim.run(chance.uniform(0.0, most)) for most in LIVES]
    while victim.run(None) == RESTART_FIRST:
        pass
    assert victim.run(None) == 0

    assert codes.count(KILLED) >= len(LIVES) // 3
    assert history.states == [(6, workflow), (0, workflow)]
    assert deployer.result[:2] == (0, 700)
    assert deployer.reported["otabridge"]["standing"] == "ob-spring-1/installed"
    assert victim.bench.boot() is Slot.B
    assert victim.bench.content(Slot.B).startswith(IMAGE)
