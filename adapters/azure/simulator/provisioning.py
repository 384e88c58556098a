"""The device provisioning service over MQTT: a device without a hub asks which one is its own.

MQTT support of DPS: register, poll while it says `assigning`, be told hub and device id. Individual enrolments with a
symmetric key or with a certificate of our CA.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec

from adapters.azure.simulator.hub import Hub
from adapters.azure.simulator.proof import proven_until
from adapters.azure.simulator.twins import Credentials, Json, stamp
from adapters.simulation.faults import Effect, Faults
from adapters.simulation.mqtt.app import ClientInfo, ConnectCode, Message
from adapters.simulation.mqtt.server import MqttServer

_REGISTER = "$dps/registrations/PUT/iotdps-register/"
_STATUS = "$dps/registrations/GET/iotdps-get-operationstatus/"
_RESULTS = "$dps/registrations/res/"
_REGISTRATIONS = "registrations"
_ACCEPTED, _OK, _BAD_REQUEST, _NOT_FOUND, _THROTTLED, _SERVER_ERROR = 202, 200, 400, 404, 429, 500


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Who may register, and as which device; `payload` is what it said when it last did."""

    registration_id: str
    credentials: Credentials
    device_id: str
    payload: object = None


class _Reply(NamedTuple):
    status: int
    body: Json


@dataclass(slots=True)
class _Operation:
    enrolment: Enrolment
    polls_left: int


class Provisioning:
    """One instance of the service, which assigns to one hub.

    `hub_host` gives the name that devices are told. `polls` is how often a device hears `assigning` after it has
    registered, `retry_after` how many seconds it is told to wait each time (the real service says 3).
    """

    def __init__(
        self,
        hub: Hub,
        *,
        id_scope: str,
        hub_host: Callable[[], str],
        faults: Faults,
        polls: int = 1,
        retry_after: int = 0,
    ) -> None:
        self.id_scope = id_scope
        self.polls = polls
        self.retry_after = retry_after
        self._hub = hub
        self._hub_host = hub_host
        self._faults = faults
        self._server: MqttServer | None = None
        self._lock = threading.Lock()
        self._enrolments: dict[str, Enrolment] = {}
        self._operations: dict[str, _Operation] = {}

    def attach(self, server: MqttServer) -> None:
        """The server through which replies go."""
        self._server = server

    def enrol(self, registration_id: str, credentials: Credentials, *, device_id: str = "") -> None:
        """Let a device register, as `device_id` or under the name that it registers with."""
        with self._lock:
            self._enrolments[registration_id] = Enrolment(registration_id, credentials, device_id or registration_id)

    def enrolment(self, registration_id: str) -> Enrolment | None:
        """Who may register under this name."""
        with self._lock:
            return self._enrolments.get(registration_id)

    def serves(self, client: ClientInfo) -> bool:
        """Whether the user name is one of this service."""
        return (client.username or "").startswith(f"{self.id_scope}/{_REGISTRATIONS}/")

    # --- mqtt.App

    def connect(self, client: ClientInfo) -> ConnectCode:
        """Only who is enrolled, with its proof."""
        _, _, registration_id, *query = (client.username or "").split("/", 3)
        enrolment = self.enrolment(registration_id)
        if enrolment is None or registration_id != client.client_id or "api-version=" not in "".join(query):
            return ConnectCode.NOT_AUTHORIZED
        resource = f"{self.id_scope}/{_REGISTRATIONS}/{registration_id}"
        until = proven_until(client, enrolment.credentials, resource, self._hub.clock.now())
        return ConnectCode.NOT_AUTHORIZED if until is None else ConnectCode.ACCEPTED

    def connected(self, client: ClientInfo) -> None:
        """Nothing to do: a registration begins with a request."""

    def disconnected(self, client: ClientInfo) -> None:
        """Nothing to do: a registration goes on by itself."""

    def subscribe(self, client: ClientInfo, topic_filter: str, qos: int) -> int | None:  # noqa: ARG002 - App's signature
        """Only the results."""
        return qos if topic_filter.startswith(_RESULTS) else None

    def publish(self, client: ClientInfo, message: Message) -> bool:
        """Begin a registration, or tell how it stands."""
        topic, _, query = message.topic.partition("?")
        asked = dict(parse_qsl(query))
        request_id = asked.get("$rid", "")
        if topic == _REGISTER and request_id:
            return self._answer(client, request_id, lambda: self._register(client, message.payload))
        if topic == _STATUS and request_id:
            return self._answer(client, request_id, lambda: self._status(client, asked.get("operationId", "")))
        return False

    # --- inside

    def _answer(self, client: ClientInfo, request_id: str, act: Callable[[], _Reply]) -> bool:
        fault = self._faults.take("register", client.client_id)
        effect = fault.effect if fault else None
        if effect is Effect.LOSE_REQUEST:
            return True
        reply = _planned(effect) or act()
        if effect is Effect.DISCONNECT:
            return False
        if effect is not Effect.LOSE_REPLY and self._server is not None:
            waits = "" if reply.status == _OK else f"&retry-after={self.retry_after}"
            topic = f"{_RESULTS}{reply.status}/?$rid={request_id}{waits}"
            self._server.send(client.client_id, Message(topic, msgspec.json.encode(reply.body)))
        return True

    def _register(self, client: ClientInfo, payload: bytes) -> _Reply:
        try:
            body = msgspec.json.decode(payload)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict) or body.get("registrationId") != client.client_id:
            return _refusal(_BAD_REQUEST, "registrationId must be the one of the connection")
        with self._lock:
            enrolment = self._enrolments[client.client_id]
            said = Enrolment(client.client_id, enrolment.credentials, enrolment.device_id, body.get("payload"))
            self._enrolments[client.client_id] = said
            operation_id = f"4.{client.client_id}.{len(self._operations) + 1}"
            self._operations[operation_id] = _Operation(said, self.polls)
        return _assigning(operation_id)

    def _status(self, client: ClientInfo, operation_id: str) -> _Reply:
        with self._lock:
            operation = self._operations.get(operation_id)
            if operation is None or operation.enrolment.registration_id != client.client_id:
                return _refusal(_NOT_FOUND, f"operation {operation_id} does not exist")
            operation.polls_left -= 1
            if operation.polls_left >= 0:
                return _assigning(operation_id)
        self._assign(operation.enrolment)
        return _Reply(_OK, self._assigned(operation_id, operation.enrolment))

    def _assign(self, enrolment: Enrolment) -> None:
        if not self._hub.knows(enrolment.device_id):
            self._hub.add_device(enrolment.device_id, credentials=enrolment.credentials)

    def _assigned(self, operation_id: str, enrolment: Enrolment) -> Json:
        now = stamp(self._hub.clock.now())
        state: Json = {
            "registrationId": enrolment.registration_id,
            "createdDateTimeUtc": now,
            "lastUpdatedDateTimeUtc": now,
            "assignedHub": self._hub_host(),
            "deviceId": enrolment.device_id,
            "status": "assigned",
            "substatus": "initialAssignment",
            "etag": "MQ==",
        }
        return {"operationId": operation_id, "status": "assigned", "registrationState": state}


def _assigning(operation_id: str) -> _Reply:
    return _Reply(_ACCEPTED, {"operationId": operation_id, "status": "assigning"})


def _refusal(status: int, message: str) -> _Reply:
    return _Reply(status, {"errorCode": status * 1000, "trackingId": "", "message": message})


def _planned(effect: Effect | None) -> _Reply | None:
    status = {Effect.THROTTLE: _THROTTLED, Effect.SERVER_ERROR: _SERVER_ERROR}.get(effect) if effect else None
    return _refusal(status, "planned fault") if status else None
