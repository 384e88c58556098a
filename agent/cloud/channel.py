"""PORT: how the agent talks to its cloud. Declared here by its consumer, implemented once a cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bridge.release.errors import ChannelError, FailureCode
from bridge.release.report import Progress, Report
from bridge.release.state import DeviceState


class OfferWithdrawn(ChannelError):
    """The cloud no longer wants this installation (cancelled by force, deleted, superseded)."""

    code = FailureCode.WITHDRAWN

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a channel hands the agent. Nothing in it is trusted before `bridge.release.trust` has judged it.

    `id` names the cloud's own unit of work and stays the same over reconnects, restarts and reboots. `release` is the
    whole `release.json`, `roots` the later versions of the root in order, `urls` where each artifact (by its name in
    the release) can be fetched for a while.
    """

    id: str
    release: bytes
    roots: tuple[bytes, ...]
    urls: Mapping[str, str]


class Channel(Protocol):
    """One device's line to its cloud. Used from one thread.

    A document that is no offer of ours never gets here: the channel itself reports it as rejected.
    """

    def next_offer(self, timeout: float) -> Offer | None:
        """The installation that the cloud wants now, the one already begun first; waits up to `timeout` seconds.

        Raises: ChannelError (retryable) when the cloud cannot be asked.
        """

    def reach(self, timeout: float) -> None:
        """Return once the cloud has answered a question of this process that changes nothing there; waits up to about
        `timeout` seconds for the connection.

        Raises: ChannelError when there is no answer, or the cloud refuses the device.
        """

    def renew(self, offer_id: str) -> Offer:
        """The same offer again, with fresh URLs.

        Raises: OfferWithdrawn; ChannelError when the cloud cannot be asked.
        """

    def progress(self, offer_id: str, progress: Progress) -> None:
        """Show a sign of life. Sparse: a phase, or ten per cent of one; may be dropped when the link is down.

        Raises: OfferWithdrawn.
        """

    def conclude(self, offer_id: str, report: Report) -> None:
        """Report the end. Returning means that the cloud has it, or holds this end already.

        Raises: OfferWithdrawn when the cloud has closed the offer otherwise; ChannelError when it could not be told.
        """

    def state(self, state: DeviceState) -> None:
        """Tell the cloud what the device is, in place of what it said before. Returning means that the cloud has it,
        or is not to have it (a setting). Idempotent, and of no use while nothing has changed.

        Raises: ChannelError when it could not be told; not retryable when the cloud will never take this state.
        """

    def close(self) -> None:
        """Hang up; idempotent."""


class Clouds(Channel, Protocol):
    """All that a device talks to, one cloud or several, as one channel."""

    def reach(self, timeout: float, *, every: bool = False) -> None:
        """See Channel: one of the clouds has answered, or each of them. Raises: ChannelError, naming who has not."""
