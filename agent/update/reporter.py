"""What the engine says to the cloud about one offer: few words while it lasts, one report at its end."""

from __future__ import annotations

from agent.cloud.channel import Channel, Offer
from bridge.release.report import Phase, Progress, Report

STEP_PERCENT = 10
"""Progress below this is not worth a message: both clouds count them."""


class Reporter:
    """One offer's line to its cloud. Without a channel nothing is said, and nothing can be asked."""

    def __init__(self, offer_id: str, channel: Channel | None = None, offer: Offer | None = None) -> None:
        self._offer_id = offer_id
        self._channel = channel
        self._offer = offer
        self._last: Progress | None = None

    @property
    def offer(self) -> Offer:
        """The offer as it was handed over. Raises: RuntimeError when there is none, which is a bug."""
        if self._offer is None:
            raise RuntimeError("this state needs an offer")
        return self._offer

    def renew(self) -> Offer:
        """The offer with fresh URLs. Raises: OfferWithdrawn, ChannelError."""
        if self._channel is None:
            raise RuntimeError("without a channel no offer can be renewed")
        return self._channel.renew(self._offer_id)

    def show(self, phase: Phase, percent: int = 0, detail: str = "") -> None:
        """Tell of progress when it is a new phase, or ten per cent more of it. Raises: OfferWithdrawn."""
        if self._channel is None or self._offer_id == "" or not self._is_news(phase, percent):
            return
        self._last = Progress(phase, percent, detail)
        self._channel.progress(self._offer_id, self._last)

    def conclude(self, report: Report) -> bool:
        """Tell the end; whether anybody was there to be told. Raises: OfferWithdrawn, ChannelError."""
        if self._offer_id == "":
            return True
        if self._channel is None:
            return False
        self._channel.conclude(self._offer_id, report)
        return True

    def _is_news(self, phase: Phase, percent: int) -> bool:
        last = self._last
        return last is None or last.phase is not phase or percent >= last.percent + STEP_PERCENT
