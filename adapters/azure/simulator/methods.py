"""Direct methods: the service asks, a connected device answers, within a time."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from adapters.azure.simulator.hub_errors import HubError, Refusal
from adapters.azure.simulator.twins import Json

Send = Callable[[str, str, bytes], bool]
"""Device id, topic and payload; whether a connected and subscribed device was sent it."""


class Answer(NamedTuple):
    """What a device answered."""

    status: int
    payload: object


class Methods:
    """Calls under way. Safe to use from any thread but the MQTT server's, which must not wait."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._ids = itertools.count(1)
        self._waiting: dict[tuple[str, str], Future[Answer]] = {}
        self._lock = threading.Lock()

    def invoke(self, device_id: str, method: str, payload: object, *, seconds: float) -> Json:
        """Call and wait, at most `seconds`.

        Raises:
            HubError: DEVICE_NOT_ONLINE, or TIMEOUT.
        """
        call = (device_id, f"{next(self._ids):x}")
        future: Future[Answer] = Future()
        with self._lock:
            self._waiting[call] = future
        try:
            topic = f"$iothub/methods/POST/{quote(method, safe='')}/?$rid={call[1]}"
            if not self._send(device_id, topic, msgspec.json.encode(payload)):
                raise HubError(Refusal.DEVICE_NOT_ONLINE, f"Device {device_id} is not online or takes no methods")
            return future.result(seconds)._asdict()
        except FutureTimeout as error:
            raise HubError(Refusal.TIMEOUT, f"Device {device_id} did not answer within {seconds:g} s") from error
        finally:
            with self._lock:
                del self._waiting[call]

    def answered(self, device_id: str, request_id: str, answer: Answer) -> None:
        """A device answered; nobody may be waiting any more."""
        with self._lock:
            future = self._waiting.get((device_id, request_id))
            if future is not None and not future.done():
                future.set_result(answer)
