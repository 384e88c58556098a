"""Programs of others, run to their end: output captured, time bounded, and no child left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Failed(AssertionError):
    """A program ended otherwise than expected, or not in time. The message holds the command and what it printed."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a program ended."""

    command: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """All that it printed, each line without the frames that Terraform draws, so that sentences can be found."""
        lines = (line.strip("│╷╵ ") for line in (self.stdout + self.stderr).splitlines())
        return " ".join(line for line in lines if line)

    def json(self) -> Any:
        """Its standard output, read as JSON. Raises: Failed."""
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise Failed(f"{self}\nprinted no JSON: {error}") from error

    def __str__(self) -> str:
        return f"{' '.join(self.command)} ended with {self.code}\n{self.stdout}{self.stderr}"


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], *, seconds: float, codes: Sequence[int] = (0,)
) -> Run:
    """Run `command` in `folder`, with `environment` and no other.

    It leads a group of processes, which is killed as a whole when time is over: Terraform's providers are processes of
    their own, and outlive it otherwise. Raises: Failed, where it takes more than `seconds` or ends with another code
    than `codes`.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        ended = Run(tuple(command), *_wait(process, seconds))
    if ended.code not in codes:
        raise Failed(f"{ended}\nexpected to end with {' or '.join(map(str, codes))}")
    return ended


def _wait(process: subprocess.Popen[str], seconds: float) -> tuple[int, str, str]:
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = process.communicate()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        raise Failed(f"{process.args!r} took more than {seconds} s and was killed\n{stdout}{stderr}") from error
    return process.returncode, stdout, stderr
