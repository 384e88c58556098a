"""The agent's line to its cloud: opened when first needed, and kept from offers that are none of the cloud's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from agent.cloud.channel import Clouds, Offer, OfferWithdrawn
from agent.cloud.folder import is_local
from bridge.release.errors import ChannelError
from bridge.release.report import Progress, Report
from bridge.release.state import DeviceState


class UnopenedChannel(ChannelError):
    """The channel cannot even be set up: its settings are wrong, or its SDK is missing. Waiting does not help."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


class Uplink:
    """A Channel that `opener` makes at the first call, so that an update goes on where there is no cloud."""

    def __init__(self, opener: Callable[[], Clouds], *, silent: bool = False) -> None:
        """`opener` raises UnopenedChannel. `silent`: the cloud is told nothing for now, so nobody waits for it."""
        self._opener = opener
        self._silent = silent
        self._channel: Clouds | None = None

    def open(self) -> Clouds:
        """The channel itself. Raises: UnopenedChannel."""
        if self._channel is None:
            self._channel = self._opener()
        return self._channel

    def next_offer(self, timeout: float) -> Offer | None:
        """See Channel. Raises: UnopenedChannel, too."""
        return self.open().next_offer(timeout)

    def reach(self, timeout: float, *, every: bool = False) -> None:
        """See Clouds. Raises: UnopenedChannel, too."""
        self.open().reach(timeout, every=every)

    def renew(self, offer_id: str) -> Offer:
        """See Channel."""
        if is_local(offer_id):
            raise OfferWithdrawn(f"{offer_id} came from a folder: install it from there again")
        return self.open().renew(offer_id)

    def progress(self, offer_id: str, progress: Progress) -> None:
        """See Channel."""
        if not is_local(offer_id) and not self._silent:
            with suppress(UnopenedChannel):  # a sign of life may be dropped
                self.open().progress(offer_id, progress)

    def conclude(self, offer_id: str, report: Report) -> None:
        """See Channel. A report outlives a channel that cannot be set up: that is no answer of the cloud's."""
        if is_local(offer_id):
            return
        if self._silent:
            raise ChannelError(f"the end of {offer_id} is told later, when the agent works with its cloud again")
        try:
            channel = self.open()
        except UnopenedChannel as error:
            raise ChannelError(str(error)) from error
        channel.conclude(offer_id, report)

    def state(self, state: DeviceState) -> None:
        """See Channel. Raises: UnopenedChannel, too."""
        if not self._silent:
            self.open().state(state)

    def close(self) -> None:
        """See Channel."""
        if self._channel is not None:
            self._channel.close()
