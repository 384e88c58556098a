"""Runs one command of the configuration: bounded in time and output, and its offspring ended with it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from agent.pace import Timing

TAIL_CHARACTERS = 300
_OF_A_CALL = "OTABRIDGE_"
_OF_THE_AGENT = "OTABRIDGE_AGENT_"
SLICE_SECONDS = 0.5
_READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit status (negative: the signal), None when its time was up; the end of its output."""

    status: int | None
    tail: str


@dataclass(frozen=True, slots=True)
class Heard:
    """How a command ended, and the last bytes of its output, as many as were asked for."""

    status: int | None
    output: bytes


def run(command: Sequence[str], timeout: float, timing: Timing, environment: Mapping[str, str] | None = None) -> Ended:
    """Run `command` for at most `timeout` seconds, with `environment` beside our own; output and errors are one.

    Raises: OSError when it cannot be started.
    """
    heard = listen(command, timeout, timing, environment, 4 * TAIL_CHARACTERS)
    return Ended(heard.status, shown(heard.output))


def listen(
    command: Sequence[str], timeout: float, timing: Timing, environment: Mapping[str, str] | None, most: int
) -> Heard:
    """Likewise, with the last `most` bytes of what it says."""
    process = subprocess.Popen(  # noqa: S603 - the command is the device owner's own configuration, no shell reads it
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**inherited(os.environ), **(environment or {})},
        start_new_session=True,
    )
    with process:
        if process.stdout is None:
            raise RuntimeError("a process started with a pipe has one")
        try:
            return _watch(process, process.stdout, timing.clock() + timeout, timing, most)
        finally:
            _end(process)


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What a command gets of the agent's own `environment`: no OTABRIDGE_ name, for these speak of this call alone, and
    one set around the agent would pass for a release's. Those of `otabridge-agent` stay: a command may run it."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_OF_THE_AGENT) or not name.startswith(_OF_A_CALL)
    }


def _watch(process: subprocess.Popen[bytes], output: IO[bytes], deadline: float, timing: Timing, most: int) -> Heard:
    tail = b""
    while process.poll() is None and timing.clock() < deadline:
        timing.beat()
        piece = _read(output, SLICE_SECONDS)
        if piece == b"":  # it closed its output and works on
            _wait(process)
        tail = (tail + (piece or b""))[-most:]
    status = process.poll()
    return Heard(status, (tail + (_read(output, 0.0) or b""))[-most:])


def _read(output: IO[bytes], patience: float) -> bytes | None:
    """What came within `patience` seconds, None for nothing: a daemon may keep the pipe open for ever."""
    readable, _, _ = select.select([output], [], [], patience)
    return os.read(output.fileno(), _READ_BYTES) if readable else None


def _wait(process: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(SLICE_SECONDS)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and all that it started, a daemon that made its own session excepted."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def shown(tail: bytes) -> str:
    """The end of what a command said, in one line for people."""
    printable = "".join(letter if letter.isprintable() else " " for letter in tail.decode(errors="replace"))
    return " ".join(printable.split())[-TAIL_CHARACTERS:]
