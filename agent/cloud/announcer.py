"""A channel that tells its cloud what the device is at its own pace, so that nobody waits for that."""

from __future__ import annotations

import logging
import math

from agent.cloud.channel import Channel, Offer
from agent.pace import Backoff, Timing
from bridge.release.errors import ChannelError
from bridge.release.report import Progress, Report
from bridge.release.state import DeviceState

PATIENCE = Backoff(first=2.0, most=300.0)

_log = logging.getLogger(__name__)


class Announcer:
    """A Channel over another, whose `state` is only noted, and told before the next wait for an offer. One thread."""

    def __init__(self, channel: Channel, patience: Backoff = PATIENCE, timing: Timing | None = None) -> None:
        """`patience` spaces the tries of a state that does not get through."""
        self._channel = channel
        self._patience = patience
        self._timing = timing or Timing()
        self._untold: DeviceState | None = None
        self._due = -math.inf
        self._faults = 0

    def next_offer(self, timeout: float) -> Offer | None:
        """See Channel. What is told before takes of the time to wait."""
        return self._channel.next_offer(max(0.0, timeout - self._announce()))

    def reach(self, timeout: float) -> None:
        """See Channel."""
        self._channel.reach(timeout)

    def renew(self, offer_id: str) -> Offer:
        """See Channel."""
        return self._channel.renew(offer_id)

    def progress(self, offer_id: str, progress: Progress) -> None:
        """See Channel."""
        self._channel.progress(offer_id, progress)

    def conclude(self, offer_id: str, report: Report) -> None:
        """See Channel."""
        self._channel.conclude(offer_id, report)

    def state(self, state: DeviceState) -> None:
        """See Channel. Raises nothing; a state that does not get through is tried again, one refused is given up."""
        self._untold, self._due, self._faults = state, -math.inf, 0

    def close(self) -> None:
        """See Channel."""
        self._channel.close()

    def _announce(self) -> float:
        """Tell the state, where it is due. The seconds that it took."""
        start = self._timing.clock()
        if self._untold is None or start < self._due:
            return 0.0
        try:
            self._channel.state(self._untold)
        except ChannelError as error:
            self._put_off(error)
        else:
            self._untold = None
        return self._timing.clock() - start

    def _put_off(self, error: ChannelError) -> None:
        if not error.retryable:
            _log.warning("the cloud is not told what this device is: %s", error)
            self._untold = None
            return
        self._faults += 1
        self._due = self._timing.clock() + self._patience.delay(self._faults, self._timing.random())
        _log.info("the cloud has not heard what this device is, and is told again later: %s", error)
