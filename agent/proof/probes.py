"""How each kind of check is done: once, within a time, with what is wrong in words for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from agent.attending import attended, begun
from agent.command import Ended, run
from agent.pace import Timing
from agent.proof.checks import SYSTEM, Check, HttpCheck
from bridge.release.errors import ChannelError, DownloadError

Environment = Mapping[str, str]


class Web(Protocol):
    """What answers an HTTP check."""

    def get(self, check: HttpCheck, seconds: float) -> str | None:
        """None when `check` was answered as it should be, else what is wrong. Raises: DownloadError."""


class Reach(Protocol):
    """Asks the device's clouds something."""

    def __call__(self, timeout: float, *, every: bool = False) -> None:
        """Return once a cloud, or every one, has answered. Raises: ChannelError."""


Probe = Callable[[Check, float, Environment], str | None]
"""One kind of check, done within so many seconds: None when all is well, else what is wrong, to be read after the name
of the check."""


class Probes:
    """All kinds. `systemctl` is the program and its first arguments."""

    def __init__(self, timing: Timing, web: Web, reach: Reach, systemctl: Sequence[str] = ("systemctl",)) -> None:
        self._timing = timing
        self._web = web
        self._reach = reach
        self._systemctl = tuple(systemctl)
        self._reaching: Future[None] | None = None
        self._kinds: Mapping[str, Probe] = {
            "command": self._command,
            "unit": self._unit,
            "http": self._http,
            "cloud": self._cloud,
        }

    def fault(self, check: Check, seconds: float, environment: Environment) -> str | None:
        """What is wrong with the part of the device that `check` is about, found out within `seconds`; else None."""
        kind = next(kind for kind in self._kinds if getattr(check, kind) is not None)
        fault = self._kinds[kind](check, seconds, environment)
        return None if fault is None else f"health check {check.name} {fault}"

    def _command(self, check: Check, seconds: float, environment: Environment) -> str | None:
        return self._run(check.command or (), seconds, environment).fault(seconds)

    def _unit(self, check: Check, seconds: float, environment: Environment) -> str | None:
        """`systemctl is-active` and `is-system-running` exit with 0 for active and running, and print the state."""
        asked = ("is-system-running",) if check.unit == SYSTEM else ("is-active", "--", check.unit or "")
        told = self._run((*self._systemctl, *asked), seconds, environment)
        if told.ended is None or told.ended.status is None or not told.ended.tail or told.ended.status == 0:
            return told.fault(seconds)
        what = "the system" if check.unit == SYSTEM else check.unit
        return f"failed: {what} is {told.ended.tail}"

    def _http(self, check: Check, seconds: float, _: Environment) -> str | None:
        if check.http is None:
            raise RuntimeError("an HTTP check has a URL")
        asked = check.http
        answer = begun(lambda: self._web.get(asked, seconds), "health-http")
        try:
            fault = attended(answer, seconds, self._timing)
        except TimeoutError:
            return f"took longer than {seconds:g} s: {asked.url}"
        except DownloadError as error:
            return f"failed: {error}"
        return None if fault is None else f"failed: {asked.url} {fault}"

    def _cloud(self, check: Check, seconds: float, _: Environment) -> str | None:
        every = check.cloud == "all"
        if self._reaching is None:  # a channel is used from one thread at a time: one that hangs is waited for again
            self._reaching = begun(lambda: self._reach(seconds, every=every), "health-cloud")
        try:
            attended(self._reaching, seconds, self._timing)
        except TimeoutError:
            return f"took longer than {seconds:g} s: the cloud does not answer"
        except ChannelError as error:
            self._reaching = None
            return f"failed: {error}"
        self._reaching = None
        return None

    def _run(self, command: Sequence[str], seconds: float, environment: Environment) -> _Told:
        try:
            return _Told(run(command, seconds, self._timing, environment))
        except OSError as error:
            return _Told(None, str(error))


@dataclass(frozen=True, slots=True)
class _Told:
    """How a command ended, or why it could not be started."""

    ended: Ended | None
    trouble: str = ""

    def fault(self, seconds: float) -> str | None:
        if self.ended is None:
            return f"cannot be started: {self.trouble}"
        if self.ended.status == 0:
            return None
        said = f": {self.ended.tail}" if self.ended.tail else ""
        if self.ended.status is None:
            return f"took longer than {seconds:g} s{said}"
        signal = self.ended.status < 0
        how = f"signal {-self.ended.status}" if signal else f"exit status {self.ended.status}"
        return f"failed with {how}{said}"
