"""What a command took, as a value."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

WATCH = Path(__file__).with_name("watch.py")
CANNOT_RUN = 127


class Limits(msgspec.Struct, frozen=True):
    """What each command may take: seconds of CPU of a process, bytes of its private memory, seconds in all."""

    cpu: int = 300
    memory: int = 4 * 10**9
    wall: int = 1800


class Cost(msgspec.Struct, frozen=True):
    """CPU in seconds over all processes, and the peak of resident memory in bytes."""

    cpu: float
    peak: int


class Unfinished(Exception):
    """A command did not end well: what it says is the reason, as the table shows it."""


class _Report(msgspec.Struct, frozen=True):
    code: int
    overtime: bool
    cpu: float
    peak: int


def run(command: Sequence[str], limits: Limits) -> Cost:
    """Run it to its end.

    Raises: Unfinished for limits that were met, signals and exit codes other than 0.
    """
    with tempfile.TemporaryDirectory(prefix="otabridge-bench-") as folder:
        report = Path(folder, "report.json")
        figures = [str(report), str(limits.cpu), str(limits.memory), str(limits.wall)]
        watcher = [sys.executable, "-I", "-S", str(WATCH), *figures, *command]
        ended = subprocess.run(watcher, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
        outcome = msgspec.json.decode(report.read_bytes(), type=_Report)
    if outcome.code or outcome.overtime:
        raise Unfinished(_reason(outcome, limits, ended.stderr.decode(errors="replace")))
    return Cost(round(outcome.cpu, 3), outcome.peak)


def _reason(outcome: _Report, limits: Limits, said: str) -> str:
    if outcome.overtime:
        return f"over {limits.wall} s"
    if outcome.code == -signal.SIGXCPU or "SIGXCPU" in said:
        return f"over {limits.cpu} s of CPU"
    if outcome.code < 0:
        return f"{signal.Signals(-outcome.code).name} after {outcome.cpu:.0f} s of CPU"
    last = (said.strip().splitlines() or [f"exit code {outcome.code}"])[-1]
    if "MemoryError" in last or "memory" in last.lower():
        return f"over {limits.memory / 1e9:.1f} GB"
    return last[:120]
