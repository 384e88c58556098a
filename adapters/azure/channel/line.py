"""One device's line to IoT Hub: its twin by MQTT, each call with a deadline, by Microsoft's own SDK.

Order of a connection: connect, read the twin, then listen for patches. Before the twin was read once the SDK would ask
for it by itself, and may do so before it has subscribed to the answer. A patch is only a hint: it holds what somebody
wrote, not what stands there now; so whoever is told reads the twin.

The SDK connects again by itself, but for two ends: the hub refused the device, or it lost the session, so that its
answers go nowhere. After either, and after any answer that did not come in time, the client is replaced; a request
of the old one that is still under way cannot arrive later.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from azure.iot.device import IoTHubDeviceClient

from adapters.azure.channel.deadline import Overdue
from adapters.azure.channel.enrolment import Assignment, Enrolment
from adapters.azure.channel.notes import Notes
from adapters.azure.channel.sdk import (
    IdentityRefused,
    ask,
    authorities,
    certificate,
    let_go,
    quieten,
    symmetric_key,
    unusable,
)
from adapters.azure.channel.settings import AzureSettings
from adapters.azure.formats.component import MODEL_ID
from bridge.release.errors import ChannelError

Answer = TypeVar("Answer")
Members = Mapping[str, object]

REST_SECONDS = 60.0
"""How long the hub is left alone when the connection does not last, on average."""
LEAST_SECONDS = 0.1
"""Each call gets that much, however little time is left."""


@dataclass(frozen=True, slots=True)
class Twin:
    """The two halves of a device's twin that the device sees."""

    desired: Members
    reported: Members


class HubClient(Protocol):
    """What is used of the SDK's client."""

    connected: bool
    on_connection_state_change: Callable[[], None]
    on_background_exception: Callable[[Exception], None]
    on_twin_desired_properties_patch_received: Callable[[object], None]

    def connect(self) -> None:
        """Return once connected."""

    def get_twin(self) -> object:
        """The twin."""

    def patch_twin_reported_properties(self, reported_properties_patch: Members) -> None:
        """Merge into the reported properties."""

    def shutdown(self) -> None:
        """Hang up for good."""


Builder = Callable[[AzureSettings, Assignment], HubClient]


def build_client(settings: AzureSettings, assignment: Assignment) -> HubClient:
    """The SDK's client, which has connected to nothing yet. Raises: ChannelError, final, naming the file at fault."""
    quieten()
    options = _options(settings)
    x509 = certificate(settings)
    key = "" if x509 else symmetric_key(settings)
    kind: Any = IoTHubDeviceClient  # its annotations are not those of what it takes
    host, device = assignment.host, assignment.device
    try:
        client: HubClient = (
            kind.create_from_x509_certificate(x509, host, device, **options)
            if x509
            else kind.create_from_symmetric_key(key, host, device, sastoken_ttl=settings.sas_seconds, **options)
        )
    except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError
        raise unusable(settings, error) from error
    return client


class HubLine:
    """The line, which connects at the first call and again whenever that is needed, until `close`.

    Each call raises ChannelError: Overdue without an answer, IdentityRefused where the hub does not take the device,
    Declined where it does not take the request.
    """

    def __init__(self, settings: AzureSettings, enrolment: Enrolment, build: Builder = build_client) -> None:
        self._settings = settings
        self._enrolment = enrolment
        self._build = build
        self._notes = Notes()
        self._client: HubClient | None = None
        self._lost = False
        self._where = "IoT Hub"
        self._rests_until = -math.inf
        self._chance = random.SystemRandom().random

    @property
    def linked(self) -> bool:
        """Whether the connection stands."""
        return self._client is not None and not self._notes.refused and self._client.connected

    @property
    def lost(self) -> bool:
        """Whether the last connection had to be given up; the next call makes another."""
        return self._lost or self._notes.restless

    @property
    def broken(self) -> bool:
        """Whether no connection comes back by itself."""
        return self._client is None or self._notes.refused or self._notes.restless

    @property
    def device(self) -> str:
        """The device's own id. Raises: ChannelError when enrolment has to say it and cannot."""
        return self._enrolment.assignment().device

    def twin(self, seconds: float | None = None) -> Twin:
        """The twin as it stands now; `seconds` at most, by default those of one request."""
        answer = self._ask(lambda client: client.get_twin(), seconds)
        return _twin(answer, self._where)

    def patch(self, reported: Members, seconds: float | None = None) -> None:
        """Merge `reported` into the reported properties; likewise."""
        self._ask(lambda client: client.patch_twin_reported_properties(reported), seconds)

    def forget_news(self) -> None:
        """From here on `await_news` waits for something new."""
        self._notes.forget()

    def await_news(self, seconds: float) -> bool:
        """Wait until the twin may have changed: a patch, or the connection changed."""
        return self._notes.wait_heard(seconds)

    def close(self) -> None:
        """Hang up; idempotent."""
        self._drop(math.inf)

    def _ask(self, act: Callable[[HubClient], Answer], seconds: float | None) -> Answer:
        until = math.inf if seconds is None else time.monotonic() + seconds
        client = self._open(until)
        try:
            return ask(lambda: act(client), self._left(until), self._where)
        except (Overdue, IdentityRefused):
            self._drop(until)
            self._lost = True
            raise

    def _left(self, until: float, most: float | None = None) -> float:
        """Seconds for one call of several that are to end by `until`."""
        return max(LEAST_SECONDS, min(most or self._settings.reply_seconds, until - time.monotonic()))

    def _open(self, until: float) -> HubClient:
        self._rest(until)
        if self._client is None or self._notes.refused:
            self._drop(until)
            self._client = self._connected(until)
            self._lost = False
        return self._client

    def _rest(self, until: float) -> None:
        """Leave the hub alone, and to whoever else has this identity. Raises: ChannelError while that lasts."""
        if self._client is not None and self._notes.restless:
            self._drop(until)
            self._rests_until = time.monotonic() + REST_SECONDS * (0.5 + self._chance())
        if time.monotonic() < self._rests_until:
            raise ChannelError(f"{self._where}: the connection does not last; does another agent use this identity?")

    def _drop(self, until: float) -> None:
        client, self._client = self._client, None
        if client is not None:
            self._hang_up(client, until)

    def _connected(self, until: float) -> HubClient:
        assignment = self._enrolment.assignment()
        self._where = f"IoT Hub {assignment.host} as {assignment.device}"
        self._notes = Notes()
        client = ask(lambda: self._build(self._settings, assignment), self._left(until), self._where)
        try:
            self._begin(client, until)
        except IdentityRefused:
            self._enrolment.forget()
            self._hang_up(client, until)
            raise
        except BaseException:
            self._hang_up(client, until)
            raise
        return client

    def _begin(self, client: HubClient, until: float) -> None:
        ask(client.connect, self._left(until, self._settings.connect_seconds), self._where)
        ask(client.get_twin, self._left(until), self._where)
        ask(lambda: _listen(client, self._notes), self._left(until), self._where)

    def _hang_up(self, client: HubClient, until: float) -> None:
        with suppress(ChannelError):  # it is gone for us; a daemon thread may go on with it
            ask(lambda: _end(client), self._left(until), self._where)


def _options(settings: AzureSettings) -> dict[str, object]:
    options: dict[str, object] = {
        "product_info": MODEL_ID,  # the SDK announces a model id that it finds there
        "websockets": settings.websockets,
        "keep_alive": settings.keep_alive_seconds,
        "connection_retry_interval": settings.reconnect_seconds,
    }
    authority = authorities(settings)
    if authority is not None:
        options["server_verification_cert"] = authority
    if settings.gateway_host is not None:
        options["gateway_hostname"] = settings.gateway_host
    return options


def _end(client: HubClient) -> None:
    try:
        client.shutdown()
    finally:
        let_go(client)


def _listen(client: HubClient, notes: Notes) -> None:
    client.on_background_exception = notes.on_failure
    client.on_connection_state_change = notes.on_state_change
    client.on_twin_desired_properties_patch_received = notes.on_patch


def _twin(answer: object, where: str) -> Twin:
    halves = [answer.get(half) if isinstance(answer, Mapping) else None for half in ("desired", "reported")]
    desired, reported = halves
    if not isinstance(desired, Mapping) or not isinstance(reported, Mapping):
        raise ChannelError(f"{where}: the answer to the question for the twin is none")
    return Twin(desired, reported)
