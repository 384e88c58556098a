"""Guards a trial boot by a hardware watchdog: fed while the agent works, and only until the proof has to be there.

An agent that hangs, is killed, or has not committed in time leaves it running, and the machine restarts; the boot
loader counts that boot, and falls back. Nothing but a beat of working code feeds it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from agent.ports import Health
from agent.proof.watchdog_device import WatchdogDevice, WatchdogError, require_stoppable

GRACE_SECONDS = 120.0
"""Beyond the deadline of the health checks, for all that comes before and after them: starting, asking, committing."""
FEEDS = 4
"""How often it is fed within its time, at most: beats come by the thousand."""

logger = logging.getLogger(__name__)


class WatchdogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which hardware watchdog guards a trial boot, and whose it is. No device, or systemd's: the agent opens none.

    `idle_timeout_seconds` is for when = "always": a beat may then be as far away as a cloud that does not answer.
    """

    owner: Literal["agent", "systemd"] = "agent"
    device: Path | None = None
    when: Literal["trial", "always"] = "trial"
    timeout_seconds: Annotated[int, msgspec.Meta(ge=10, le=3600)] = 60
    idle_timeout_seconds: Annotated[int, msgspec.Meta(ge=1200, le=86400)] = 1200

    def __post_init__(self) -> None:
        if self.owner == "systemd" and self.device is not None:
            raise ValueError(f'device {self.device} is systemd\'s with owner = "systemd": leave one of the two out')


class HardwareGuard:
    """The engine's Guard, and what the heartbeat feeds."""

    def __init__(
        self,
        settings: WatchdogSettings,
        path: Path,
        trial_seconds: float,
        clock: Callable[[], float],
        *,
        opened: Callable[[Path], WatchdogDevice] = WatchdogDevice,
        require_stoppable: Callable[[Path], None] = require_stoppable,
    ) -> None:
        """A trial has to be committed within `trial_seconds` and `GRACE_SECONDS` after it is armed."""
        self._settings = settings
        self._path = path
        self._patience = trial_seconds + GRACE_SECONDS
        self._clock = clock
        self._opened = opened
        self._require_stoppable = require_stoppable
        self._device: WatchdogDevice | None = None
        self._deadline: float | None = None
        self._fed = -math.inf
        self._standing = False
        self.fault: str | None = None
        """Why the trial is not guarded, for people; None when it is, or there is none."""

    def arm(self) -> None:
        """See Guard."""
        if self._deadline is not None:
            return
        try:
            self._hold(self._settings.timeout_seconds)
        except WatchdogError as error:
            logger.warning("the trial boot is not guarded: %s", error)
            self.fault = str(error)
            return
        self.fault = None
        self._deadline = self._clock() + self._patience

    def release(self) -> None:
        """See Guard. With when = "always" the service goes on feeding it, at leisure."""
        self._deadline = None
        try:
            self._hold(self._settings.idle_timeout_seconds if self._standing else self._settings.timeout_seconds)
        except WatchdogError as error:
            logger.warning("what runs is good, and no watchdog guards it: %s", error)
            self._let_go()
        if not self._standing:
            self._let_go()

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Within it, this process stays, and feeds the watchdog also where there is no trial, if it is to. At its end
        a trial stays guarded by a watchdog that nobody feeds, anything else does not."""
        self._standing = self._settings.when == "always"
        if self._standing:
            self.release()
        try:
            yield
        finally:
            self._standing = False
            if self._deadline is None:
                self._let_go()

    @property
    def patience(self) -> float:
        """The longest wait, in seconds, without a beat that the watchdog bears well."""
        return math.inf if self._device is None else self._device.seconds / 2

    def feed(self) -> None:
        """The agent works. Does nothing once the trial has taken too long."""
        now = self._clock()
        if self._device is None or now - self._fed < self._device.seconds / FEEDS:
            return
        self._fed = now
        if self._deadline is not None and now >= self._deadline:
            logger.error("the trial has taken longer than %g s: the watchdog restarts the machine", self._patience)
            return
        try:
            self._device.feed()
        except WatchdogError:
            logger.exception("the watchdog restarts the machine")

    def _hold(self, seconds: int) -> None:
        """Have the watchdog run with `seconds`. Raises: WatchdogError; then it is as it was."""
        if self._settings.when == "trial":
            self._require_stoppable(self._path)
        device = self._device or self._opened(self._path)
        try:
            device.set_seconds(seconds)
        except WatchdogError:
            if self._device is None:
                device.hand_back()
            raise
        self._device, self._fed = device, -math.inf

    def _let_go(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            device.hand_back()


class GuardedHealth:
    """A Health that wants the trial guarded: where the watchdog should be and is not, the next hang would be for ever,
    and a release that has lost its driver is not one to keep."""

    def __init__(self, health: Health, guard: HardwareGuard) -> None:
        self._health = health
        self._guard = guard

    def prove(self, names: Sequence[str]) -> str | None:
        """See Health."""
        if self._guard.fault is not None:
            return f"the trial boot is not guarded: {self._guard.fault}"
        return self._health.prove(names)
