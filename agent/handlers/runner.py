"""Runs what handlers need: bounded in time and output, showing that the agent lives, with errors that name the step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from agent.attending import attended, begun
from agent.command import TAIL_CHARACTERS, Heard, listen, shown
from agent.disk import Disk
from agent.handling import StepError
from agent.pace import Timing
from agent.permit.hooks import HookFault, require_own

MAX_ANSWER_BYTES = 1024 * 1024
TAIL_BYTES = 4 * TAIL_CHARACTERS

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Runner:
    """Each call takes at most `seconds`; `environment` is put beside our own. `who` is what an error begins with: the
    step, or the handler's table where no step is at hand."""

    timing: Timing
    seconds: float
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, who: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Run `command`, which must end with status 0. Raises: StepError with the end of what it said."""
        self._heard(who, command, environment, TAIL_BYTES)

    def ask(self, who: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
        """All that `command` says, which must end with status 0.

        Raises: StepError, also for more than MAX_ANSWER_BYTES.
        """
        output = self._heard(who, command, environment, MAX_ANSWER_BYTES + 1)
        if len(output) > MAX_ANSWER_BYTES:
            raise StepError(f"{who}: {command[0]} has too much to say, more than {MAX_ANSWER_BYTES} bytes")
        return output.decode(errors="replace")

    def sync_all(self, who: str) -> None:
        """Make durable all that any program has written. Raises: StepError."""
        self.await_(who, "making it durable", os.sync)

    def sync_device(self, who: str, disk: Disk, device: Path) -> None:
        """Make durable what was written to `device`. Raises: StepError."""

        def sync() -> None:
            with closing(disk.open_slot(device, to_write=False)) as file:
                file.sync()

        try:
            self.await_(who, f"making {device} durable", sync)
        except OSError as error:
            raise StepError(f"{who}: {device} cannot be made durable: {error.strerror or error}") from error

    def await_(self, who: str, what: str, act: Callable[[], Answer]) -> Answer:
        """What `act` returns or raises; done on a thread of its own, while this one beats. Raises: StepError."""
        try:
            return attended(begun(act, "handler"), self.seconds, self.timing)
        except TimeoutError as error:
            raise StepError(f"{who}: {what} took longer than {self.seconds:g} s") from error

    def _heard(self, who: str, command: Sequence[str], environment: Mapping[str, str] | None, most: int) -> bytes:
        try:
            heard = listen(command, self.seconds, self.timing, {**self.environment, **(environment or {})}, most)
        except OSError as error:
            raise StepError(f"{who}: {command[0]} cannot be started: {error.strerror or error}") from error
        if heard.status != 0:
            raise StepError(f"{who}: {Path(command[0]).name} {_how(heard, self.seconds)}")
        return heard.output


def program(who: str, name: str) -> str:
    """Where the program `name` is. Raises: StepError when there is none, or anybody may write to it."""
    found = shutil.which(name)
    if found is None:
        raise StepError(f"{who}: there is no program {name!r} that this user may run; install it, or correct the path")
    try:
        require_own(Path(found))
    except HookFault as error:
        raise StepError(f"{who}: {error}") from error
    return found


def _how(heard: Heard, seconds: float) -> str:
    tail = shown(heard.output[-TAIL_BYTES:])
    said = f": {tail}" if tail else ""
    if heard.status is None:
        return f"took longer than {seconds:g} s and was ended{said}"
    if heard.status < 0:
        return f"was ended by signal {-heard.status}{said}"
    return f"ended with status {heard.status}{said}"
