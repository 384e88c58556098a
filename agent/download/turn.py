"""A device's turn to fetch a release, see `agent.download.spread`; waited for once, before the slot is touched."""

from __future__ import annotations

import logging

from agent.cloud.channel import Offer
from agent.download.spread import Spread
from agent.pace import Timing

logger = logging.getLogger(__name__)


class Turn:
    """When this device may ask for the first byte of a release."""

    def __init__(self, spread: Spread, timing: Timing) -> None:
        self._spread = spread
        self._timing = timing
        self._had = b""

    def wait(self, offer: Offer) -> None:
        """Return when it is this device's turn. Once for each release: its second artifact, or another try, goes on."""
        if self._had == offer.release:
            return
        seconds = self._spread.wait(offer.release, self._timing.time_of_day())
        if seconds > 0:
            logger.info("the download begins in %.0f seconds (download.spread_seconds)", seconds)
            self._timing.sleep(seconds)
        self._had = offer.release
