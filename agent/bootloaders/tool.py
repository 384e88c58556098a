"""Runs a boot loader's own program: bounded in time and output, without a shell, in the language that we parse."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

from agent.slots import BootEnvironmentError

SECONDS = 30.0
MAX_OUTPUT_BYTES = 1024 * 1024
MAX_INPUT_BYTES = 4096
"""A pipe takes so much at once (POSIX, PIPE_BUF), whether or not the program reads it."""
SHOWN_CHARACTERS = 300
_READ_BYTES = 64 * 1024

Tool = Callable[[Sequence[str], str], str]
"""Runs a command with a text as its input; its output and errors, one after the other as they came.

Raises: BootEnvironmentError when it cannot be run, does not end in time, says too much, or ends with a status but 0.
"""


@dataclass(frozen=True, slots=True)
class SystemTool:
    """Tool on this machine. `environment` is put beside our own."""

    seconds: float = SECONDS
    environment: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, command: Sequence[str], text: str = "") -> str:
        """See Tool. Raises: ValueError for an input longer than MAX_INPUT_BYTES."""
        data = text.encode()
        if len(data) > MAX_INPUT_BYTES:
            raise ValueError(f"{len(data)} bytes of input do not fit into a pipe at once")
        process = self._start(command)
        with process:
            try:
                output = self._converse(process, data)
                status = None if output is None else self._status(process)
            finally:
                _end(process)
        return _judged(command, status, output)

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - a program of the boot loader's, named by us or the device's owner
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment, "LC_ALL": "C"},
                start_new_session=True,
            )
        except OSError as error:
            raise BootEnvironmentError(
                f"{command[0]} cannot be run ({error.strerror}); install it, or name where it is"
            ) from error

    def _converse(self, process: subprocess.Popen[bytes], data: bytes) -> bytes | None:
        """All that the program says; None when it says too much, or does not stop in time."""
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process started with pipes has them")
        with suppress(BrokenPipeError), process.stdin:  # it did not want to be told; its status says why
            process.stdin.write(data)
        return _read_all(process.stdout, time.monotonic() + self.seconds)

    def _status(self, process: subprocess.Popen[bytes]) -> int | None:
        try:
            return process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            return None


def _read_all(output: IO[bytes], deadline: float) -> bytes | None:
    data = bytearray()
    while len(data) <= MAX_OUTPUT_BYTES:
        readable, _, _ = select.select([output], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            return None
        piece = os.read(output.fileno(), _READ_BYTES)
        if not piece:
            return bytes(data)
        data += piece
    return None


def _judged(command: Sequence[str], status: int | None, output: bytes | None) -> str:
    line = " ".join(command)
    if output is None or status is None:
        raise BootEnvironmentError(f"`{line}` did not come to an end, or has too much to say: it was stopped")
    text = output.decode(errors="replace")
    if status != 0:
        raise BootEnvironmentError(f"`{line}` failed with status {status}: {shown(text)}")
    return text


def shown(text: str) -> str:
    """The end of what a program said, in one line for people."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[-SHOWN_CHARACTERS:] or "it says nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
