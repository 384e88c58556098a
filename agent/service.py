"""The agent at work: one offer after the other, over outages of the cloud, until it is told to stop."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, assert_never

from agent.cloud.channel import Channel, Offer
from agent.cloud.uplink import UnopenedChannel
from agent.heartbeat import Heartbeat
from agent.notify import Notifier
from agent.pace import Backoff, StopRequested, Timing
from agent.ports import Concluded, Halt, Idle, Postponed, Rebooting, Suspended
from agent.printing import report_text
from bridge.release.errors import ChannelError, OtabridgeError
from bridge.release.state import DeviceState

OFFER_SECONDS = 600.0
"""How long to wait for an offer at a time. Each new wait asks the cloud, which is paid by the message."""
ONCE_SECONDS = 30.0
LOOK_SECONDS = 1.0
"""How often somebody is looked for who gives permission."""
RESTART_SECONDS = 600.0
"""How long the machine may take to go down before the agent asks for the restart again."""
RECENT = 8
"""Ends that are remembered, so that several clouds that repeat themselves are told from several offers."""
PATIENCE = Backoff(first=2.0, most=300.0)

_log = logging.getLogger(__name__)


class Updates(Protocol):
    """What the service needs of `agent.update.engine.Engine`."""

    def resume(self, channel: Channel) -> Halt:
        """See Engine."""

    def install(self, channel: Channel, offer: Offer) -> Halt:
        """See Engine."""

    def describe(self) -> DeviceState:
        """See Engine."""

    def excuse_restart(self, most: int) -> None:
        """See Engine."""


def _never() -> bool:
    return False


def _to_nobody() -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The device around the service. `stirred`: whether somebody said something since it was last asked, so that an
    update need not wait any longer. `going_down`: whether the machine is being shut down on purpose; so many times as
    `excused` says that is not held against one trial boot. `told`: called when there is something new to tell."""

    stirred: Callable[[], bool] = _never
    going_down: Callable[[], bool] = _never
    excused: int = 0
    told: Callable[[], None] = _to_nobody


ALONE = Surroundings()


class Service:
    """Runs updates. `supervised`: somebody else restarts the machine once the agent has ended for it."""

    def __init__(
        self,
        updates: Updates,
        channel: Channel,
        heartbeat: Heartbeat,
        notifier: Notifier,
        timing: Timing,
        *,
        supervised: bool = False,
        surroundings: Surroundings = ALONE,
    ) -> None:
        self._updates = updates
        self._channel = channel
        self._heartbeat = heartbeat
        self._notifier = notifier
        self._timing = timing
        self._supervised = supervised
        self._surroundings = surroundings
        self._faults = 0
        self._described: DeviceState | None = None
        self._recent: deque[str] = deque(maxlen=RECENT)

    def run(self) -> Rebooting | None:
        """Work until the heartbeat is stopped (None), or, when supervised, until the machine is to be restarted.

        Raises: OtabridgeError that waiting does not mend: journal, boot environment, a channel that cannot be set up.
        """
        # Ready before the first step: proving a trial boot takes minutes and may itself wait for the system to be up.
        self._notifier.ready()
        try:
            halt = self._updates.resume(self._channel)
            while not (self._supervised and isinstance(halt, Rebooting)):
                halt = self._after(halt)
        except StopRequested:
            _log.info("stopping")
            self._excuse_restart()
            return None
        finally:
            self._notifier.stopping()
        return halt

    def once(self, timeout: float = ONCE_SECONDS) -> Halt:
        """Bring the update under way one step further, or else wait up to `timeout` seconds for an offer and begin it.

        Raises: OtabridgeError; StopRequested.
        """
        halt = self._updates.resume(self._channel)
        if not isinstance(halt, Idle):
            return halt
        offer = self._ask(timeout)
        return halt if offer is None else self._updates.install(self._channel, offer)

    def _after(self, halt: Halt) -> Halt:
        self._heartbeat.beat()
        self._surroundings.told()
        match halt:
            case Idle():
                return self._await_offer()
            case Suspended(reason=reason):
                self._pause(reason)
                return self._await_offer()
            case Postponed(reason=reason, seconds=seconds):
                self._wait(reason, seconds)
                return self._await_offer()
            case Concluded(report=report, delivered=True):
                self._tell(report_text(report))  # and on: another end may be waiting to be told
            case Concluded(report=report):
                self._pause(f"{report_text(report)}, which the cloud has not heard of yet")
            case Rebooting():
                self._tell("waiting for the machine to restart")
                self._timing.sleep(RESTART_SECONDS)
            case _:
                assert_never(halt)
        return self._updates.resume(self._channel)

    def _excuse_restart(self) -> None:
        """A trial boot that somebody ends by a restart of the machine is no failed one."""
        self._heartbeat.heed()
        try:
            if self._surroundings.excused and self._surroundings.going_down():
                self._updates.excuse_restart(self._surroundings.excused)
        except OtabridgeError as error:
            _log.warning("the restart counts as a failed boot: %s", error)

    def _await_offer(self) -> Halt:
        self._notifier.status("waiting for an offer")
        try:
            offer = self._ask(min(OFFER_SECONDS, self._heartbeat.patience))
        except UnopenedChannel:
            raise
        except ChannelError as error:
            self._pause(str(error))
            return Idle()
        if offer is None:
            self._faults = 0
            return Idle()
        return self._install(offer)

    def _ask(self, timeout: float) -> Offer | None:
        with self._heartbeat.waiting():
            self._describe()
            return self._channel.next_offer(timeout)

    def _describe(self) -> None:
        """Let the cloud know what the device has become; the channel sees to it that nobody waits for that."""
        state = self._updates.describe()
        if state != self._described:
            self._channel.state(state)
            self._described = state

    def _install(self, offer: Offer) -> Halt:
        if offer.id in self._recent:  # a cloud that repeats itself must not keep the device busy
            self._pause(f"offer {offer.id} came again")
        self._tell(f"installing offer {offer.id}")
        halt = self._updates.install(self._channel, offer)
        if isinstance(halt, Concluded) and offer.id not in self._recent:
            self._faults = 0
            self._recent.append(offer.id)
        return halt

    def _wait(self, reason: str, seconds: float) -> None:
        """For permission; not longer than until somebody on the device may have changed his mind."""
        self._tell(f"waiting: {reason}")
        for _ in range(math.ceil(seconds / LOOK_SECONDS)):
            self._timing.sleep(LOOK_SECONDS)
            if self._surroundings.stirred():
                return

    def _pause(self, reason: str) -> None:
        self._faults += 1
        seconds = PATIENCE.delay(self._faults, self._timing.random())
        self._tell(f"{reason}; next try in {seconds:.0f} s")
        self._timing.sleep(seconds)

    def _tell(self, text: str) -> None:
        _log.info("%s", text)
        self._notifier.status(text)
