"""What azure-iot-device calls back, written down: its threads must not wait for ours."""

from __future__ import annotations

import logging
import threading
import time

from adapters.azure.channel.drops import Drops
from adapters.azure.channel.sdk import is_drop, is_refusal

_log = logging.getLogger(__name__)


class Notes:
    """What the SDK's callbacks saw, for the thread that waits."""

    def __init__(self) -> None:
        self._drops = Drops()
        self._changed = threading.Condition()
        self._heard = False
        self._refused = False
        self._restless = False

    @property
    def restless(self) -> bool:
        """Whether the connection drops as often as the SDK mends it."""
        with self._changed:
            return self._restless

    @property
    def refused(self) -> bool:
        """Whether the hub has refused the device since it was connected; the SDK has given up then."""
        with self._changed:
            return self._refused

    def on_patch(self, _: object) -> None:
        """Noted: somebody wrote desired properties."""
        self._hear()

    def on_state_change(self) -> None:
        """Noted: the connection dropped or came back."""
        self._hear()

    def on_failure(self, error: Exception) -> None:
        """Noted: something went wrong in a thread of the SDK's."""
        _log.debug("azure-iot-device: %s", error)
        restless = is_drop(error) and self._drops.note(time.monotonic())
        self._hear(refused=is_refusal(error), restless=restless)

    def forget(self) -> None:
        """From here on `wait_heard` waits for something new."""
        with self._changed:
            self._heard = False

    def wait_heard(self, seconds: float) -> bool:
        """Whether the twin may have changed within `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._heard, max(0.0, seconds))

    def _hear(self, *, refused: bool = False, restless: bool = False) -> None:
        with self._changed:
            self._heard = True
            self._refused = self._refused or refused
            self._restless = self._restless or restless
            self._changed.notify_all()
