"""A hub's device side over MQTT 3.1.1: the reserved topics, which carry no device id, and who may connect.

IoT Hub developer guide, MQTT support. Replies and pushes go at QoS 0 and to subscribers only: what is written while a
device is away, it reads with its twin.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec

from adapters.azure.simulator.hub import Hub
from adapters.azure.simulator.hub_errors import HubError, Refusal, invalid
from adapters.azure.simulator.hub_shapes import device_document
from adapters.azure.simulator.methods import Answer, Methods
from adapters.azure.simulator.proof import proven_until
from adapters.azure.simulator.twins import Json, stamp
from adapters.simulation.faults import Effect, Fault, Faults
from adapters.simulation.mqtt.app import ClientInfo, ConnectCode, Message
from adapters.simulation.mqtt.connection import Limits
from adapters.simulation.mqtt.server import MqttServer

MQTT_LIMITS = Limits(max_packet=256 * 1024, receive_maximum=16, subscriptions=50)
"""Of one connection (IoT Hub quotas and throttling)."""
_TWIN_GET = "$iothub/twin/GET/"
_TWIN_PATCH = "$iothub/twin/PATCH/properties/reported/"
_METHOD_RESULT = "$iothub/methods/res/"
_DESIRED = "$iothub/twin/PATCH/properties/desired/"
_FILTERS = ("$iothub/twin/res/", _DESIRED, "$iothub/methods/POST/")
_KEPT_MESSAGES = 1000
_REFUSED_BY_FAULT = {Effect.THROTTLE: Refusal.THROTTLED, Effect.SERVER_ERROR: Refusal.SERVER_ERROR}
_OK, _NO_CONTENT = 200, 204


class UserName(NamedTuple):
    """`{hub}/{device}/?api-version=..&model-id=..`."""

    hub: str
    device_id: str
    wishes: Mapping[str, str]


class _Reply(NamedTuple):
    status: int
    body: object = None
    version: int | None = None


class DeviceTopics:
    """The hub as its devices see it, for one MQTT server.

    `hosts` are the names that the hub goes by. `clock` is the hub's: signatures expire by it, and `tick` hangs up on
    those whose signature has.
    """

    def __init__(self, hub: Hub, *, hosts: frozenset[str], faults: Faults) -> None:
        self._hub = hub
        self._hosts = frozenset(each.lower() for each in hosts)
        self._faults = faults
        self._server: MqttServer | None = None
        self._lock = threading.Lock()
        self._proven: dict[str, float] = {}
        self._present: dict[str, ClientInfo] = {}
        self._messages: dict[str, deque[Message]] = {}
        self.methods = Methods(self._deliver)
        hub.attach(self)

    def attach(self, server: MqttServer) -> None:
        """The server through which replies and pushes go."""
        self._server = server

    def tick(self) -> None:
        """Hang up on devices whose signature has expired."""
        now = self._hub.clock.now()
        with self._lock:
            expired = [each for each, until in self._proven.items() if until <= now]
        for device_id in expired:
            self.hang_up(device_id)

    def messages(self, device_id: str) -> tuple[Message, ...]:
        """The last 1000 messages that a device sent to the cloud."""
        with self._lock:
            return tuple(self._messages.get(device_id, ()))

    # --- mqtt.App

    def connect(self, client: ClientInfo) -> ConnectCode:
        """Only a registered and enabled device, under its own name, with its proof."""
        name = parse_user_name(client.username or "")
        if name is None or name.device_id != client.client_id or name.hub.lower() not in self._hosts:
            return ConnectCode.NOT_AUTHORIZED
        fault = self._faults.take("connect", client.client_id)
        if fault is not None and fault.effect in _REFUSED_BY_FAULT:
            return ConnectCode.UNAVAILABLE
        until = self._proven_until(client, name)
        if until is None:
            return ConnectCode.NOT_AUTHORIZED
        with self._lock:
            self._proven[client.client_id] = until
        if fault is not None and fault.effect is Effect.DISCONNECT:
            self.hang_up(client.client_id)
        return ConnectCode.ACCEPTED

    def connected(self, client: ClientInfo) -> None:
        """The twin learns of it, and of the model that the device announces."""
        self._present[client.client_id] = client
        name = parse_user_name(client.username or "")
        model = name.wishes.get("model-id", "") if name else ""
        self._hub.set_connected(client.client_id, connected=True, model_id=model)

    def disconnected(self, client: ClientInfo) -> None:
        """The twin learns of it, unless a newer connection of the device has taken over."""
        if self._present.get(client.client_id) is not client:
            return
        del self._present[client.client_id]
        with self._lock:
            self._proven.pop(client.client_id, None)
        self._hub.set_connected(client.client_id, connected=False)

    def subscribe(self, client: ClientInfo, topic_filter: str, qos: int) -> int | None:
        """Only the topics of the device's own direction."""
        own = (*_FILTERS, f"devices/{client.client_id}/messages/devicebound/")
        return qos if topic_filter.startswith(own) else None

    def publish(self, client: ClientInfo, message: Message) -> bool:
        """Serve a twin request, take a method's result or a message; a device that sends else is hung up on."""
        topic, _, query = message.topic.partition("?")
        request_id = dict(parse_qsl(query)).get("$rid", "")
        if topic.startswith(f"devices/{client.client_id}/messages/events/"):
            return self._take_message(client.client_id, message)
        if topic == _TWIN_GET and request_id:
            return self._serve("twin_get", client, request_id, lambda: self._twin(client))
        if topic == _TWIN_PATCH and request_id:
            return self._serve("twin_patch", client, request_id, lambda: self._report(client, message.payload))
        if topic.startswith(_METHOD_RESULT) and request_id:
            return self._take_result(client, topic.split("/")[3], request_id, message.payload)
        return False

    # --- hub.DeviceLine

    def push_desired(self, device_id: str, patch: Json, version: int) -> None:
        """The patch as it was written, and the version that it made."""
        fault = self._faults.take("desired", device_id)
        effect = fault.effect if fault else None
        if effect not in (Effect.LOSE_REQUEST, Effect.LOSE_REPLY):
            body = msgspec.json.encode({**patch, "$version": version})
            for _ in range(2 if effect is Effect.DUPLICATE else 1):
                self._send(device_id, f"{_DESIRED}?$version={version}", body)
        if effect is Effect.DISCONNECT:
            self.hang_up(device_id)

    def hang_up(self, device_id: str) -> None:
        """End a device's connection soon, if it has one."""
        if self._server is not None:
            self._server.post(lambda broker: broker.disconnect(device_id))

    # --- inside

    def _proven_until(self, client: ClientInfo, name: UserName) -> float | None:
        try:
            device = self._hub.device(name.device_id)
        except HubError:
            return None
        resource = f"{name.hub}/devices/{name.device_id}"
        return proven_until(client, device.credentials, resource, self._hub.clock.now()) if device.enabled else None

    def _serve(self, operation: str, client: ClientInfo, request_id: str, act: Callable[[], _Reply]) -> bool:
        """False, which hangs up before the acknowledgement, where the fault says so."""
        fault = self._faults.take(operation, client.client_id)
        effect = fault.effect if fault else None
        if effect is Effect.LOSE_REQUEST:
            return True
        reply = self._act(act, fault)
        if effect is Effect.DISCONNECT:
            return False
        for _ in range({Effect.LOSE_REPLY: 0, Effect.DUPLICATE: 2}.get(effect, 1) if effect else 1):
            self._reply(client.client_id, request_id, reply)
        return True

    def _act(self, act: Callable[[], _Reply], fault: Fault | None) -> _Reply:
        planned = _REFUSED_BY_FAULT.get(fault.effect) if fault else None
        try:
            return self._refused(HubError(planned, "planned fault")) if planned else act()
        except HubError as error:
            return self._refused(error)

    def _refused(self, error: HubError) -> _Reply:
        names, now = error.refusal.value, stamp(self._hub.clock.now())
        body = {"errorCode": names.number, "message": error.message, "trackingId": "", "timestampUtc": now}
        return _Reply(names.status, body)

    def _twin(self, client: ClientInfo) -> _Reply:
        return _Reply(_OK, device_document(self._hub.device(client.client_id)))

    def _report(self, client: ClientInfo, payload: bytes) -> _Reply:
        version = self._hub.report(client.client_id, _object(payload))
        return _Reply(_NO_CONTENT, version=version)

    def _reply(self, device_id: str, request_id: str, reply: _Reply) -> None:
        version = "" if reply.version is None else f"&$version={reply.version}"
        body = b"" if reply.body is None else msgspec.json.encode(reply.body)
        self._send(device_id, f"$iothub/twin/res/{reply.status}/?$rid={request_id}{version}", body)

    def _take_message(self, device_id: str, message: Message) -> bool:
        with self._lock:
            self._messages.setdefault(device_id, deque(maxlen=_KEPT_MESSAGES)).append(message)
        return True

    def _take_result(self, client: ClientInfo, status: str, request_id: str, payload: bytes) -> bool:
        try:
            body = msgspec.json.decode(payload or b"null")
        except (ValueError, RecursionError):
            return False
        if not (status.isascii() and status.lstrip("-").isdecimal()):
            return False
        self.methods.answered(client.client_id, request_id, Answer(int(status), body))
        return True

    def _send(self, device_id: str, topic: str, payload: bytes) -> None:
        if self._server is not None:
            self._server.send(device_id, Message(topic, payload))

    def _deliver(self, device_id: str, topic: str, payload: bytes) -> bool:
        server = self._server
        message = Message(topic, payload)
        return server is not None and server.call(lambda broker: broker.send(device_id, message))


def parse_user_name(text: str) -> UserName | None:
    """The parts of a user name; None for another form or without an api-version."""
    hub, _, rest = text.partition("/")
    device_id, _, query = rest.partition("/?")
    wishes = dict(parse_qsl(query))
    return UserName(hub, device_id, wishes) if device_id and "api-version" in wishes else None


def _object(payload: bytes) -> Json:
    try:
        body = msgspec.json.decode(payload)
    except (ValueError, RecursionError) as error:
        raise invalid("The reported properties are not JSON") from error
    if not isinstance(body, dict):
        raise invalid("The reported properties must be a JSON object")
    return body
