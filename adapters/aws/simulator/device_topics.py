"""Jobs over MQTT: the reserved topics of a thing, its topic policy and its notifications.

One certificate common name is one thing is one client id, as the usual policy with
`${iot:Connection.Thing.ThingName}` demands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from adapters.aws.simulator.device_plane import NEXT, DevicePlane
from adapters.aws.simulator.engine import Engine
from adapters.aws.simulator.errors import Refusal, ServiceError
from adapters.aws.simulator.model import Execution
from adapters.aws.simulator.request import Describe, StartNext, Update, parse
from adapters.aws.simulator.shadows import ShadowCall, Shadows, shadow_call
from adapters.aws.simulator.shapes import Json, device_execution, device_summary, execution_state
from adapters.simulation.clock import VirtualClock
from adapters.simulation.faults import Effect, Fault, Faults
from adapters.simulation.mqtt.app import ClientInfo, ConnectCode, Message
from adapters.simulation.mqtt.server import MqttServer

_NOTIFY_LIMIT = 10
_PREFIX = ("$aws", "things")
_JOBS = "jobs"
_SHADOW = "shadow"
_REFUSED_BY_FAULT = {Effect.THROTTLE: Refusal.THROTTLED, Effect.SERVER_ERROR: Refusal.INTERNAL}


class Call(NamedTuple):
    """One request on a reserved topic."""

    operation: str
    thing: str
    job_id: str
    topic: str


class DeviceTopics:
    """The application on the MQTT server.

    `knows` tells whether a thing is registered. Replies go to whoever asked, subscribed or not,
    and to nobody else (developer guide, Jobs device MQTT API).
    """

    def __init__(
        self,
        engine: Engine,
        plane: DevicePlane,
        shadows: Shadows,
        *,
        faults: Faults,
        clock: VirtualClock,
        knows: Callable[[str], bool],
    ) -> None:
        self._engine = engine
        self._plane = plane
        self._shadows = shadows
        self._faults = faults
        self._clock = clock
        self._knows = knows
        self._server: MqttServer | None = None

    def attach(self, server: MqttServer) -> None:
        """The server through which replies and notifications go."""
        self._server = server

    # --- mqtt.App

    def connect(self, client: ClientInfo) -> ConnectCode:
        """Only a registered thing under its own name."""
        name = client.certificate.common_name if client.certificate else ""
        own = name == client.client_id and self._knows(name)
        return ConnectCode.ACCEPTED if own else ConnectCode.NOT_AUTHORIZED

    def connected(self, client: ClientInfo) -> None:
        """Nothing to do: Jobs sends no notification on connect."""

    def disconnected(self, client: ClientInfo) -> None:
        """Nothing to do: Jobs does not follow connections."""

    def subscribe(self, client: ClientInfo, topic_filter: str, qos: int) -> int | None:
        """Filters below the thing's own topics."""
        return qos if _is_own(client.client_id, topic_filter) else None

    def publish(self, client: ClientInfo, message: Message) -> bool:
        """Answer a Jobs or shadow request; other own topics are telemetry and are routed."""
        if not _is_own(client.client_id, message.topic):
            return False
        levels = message.topic.split("/")
        if levels[0] == _PREFIX[0] and levels[3:4] == [_JOBS]:
            self._answer(_call(client.client_id, message.topic, levels[4:]), message.payload)
        elif levels[0] == _PREFIX[0] and levels[3:4] == [_SHADOW]:
            self._answer_shadow(client.client_id, message)
        elif levels[0] != _PREFIX[0] and self._server is not None:
            self._server.post(lambda broker: broker.route(message))
        return True

    # --- engine.Listener

    def pending_changed(self, thing: str, pending: Sequence[Execution], *, front_changed: bool) -> None:
        """Send `notify`, and `notify-next` if the front of the queue is another one now."""
        now = self._clock.now()
        self._notify("Notify", thing, "notify", _notification(pending, now))
        if front_changed:
            self._notify("NotifyNext", thing, "notify-next", self._next(pending, now))

    # --- shadows.ShadowListener

    def shadow_changed(self, call: ShadowCall, topic: str, body: Json) -> None:
        """Send `update/documents` or `update/delta` to the thing, if it listens."""
        name = f"/name/{call.name}" if call.name else ""
        place = f"$aws/things/{call.thing}/shadow{name}/update/{topic}"
        self._send(call.thing, place, {**body, "timestamp": int(self._clock.now())}, subscribed_only=True)

    # --- inside

    def _answer(self, call: Call, payload: bytes) -> None:
        fault = self._faults.take(call.operation, call.thing)
        if fault is not None and fault.effect is Effect.LOSE_REQUEST:
            return
        token: Json = {}
        with self._engine.transaction():
            try:
                body = _body(payload)
                token = {key: body[key] for key in ("clientToken",) if key in body}
                _refuse_by(fault)
                self._reply(call, "accepted", {**token, **self._perform(call, body)}, fault)
            except ServiceError as error:
                self._reply(call, "rejected", {**token, **_rejection(error)}, fault)

    def _answer_shadow(self, thing: str, message: Message) -> None:
        request = shadow_call(thing, message.topic.split("/")[4:])
        if request is None:
            return
        operation = f"{request.verb.capitalize()}ThingShadow"
        fault = self._faults.take(operation, thing)
        if fault is None or fault.effect is not Effect.LOSE_REQUEST:
            verdict, body = self._shadows.answer(request, message.payload)
            self._reply(Call(operation, thing, "", message.topic), verdict, body, fault)

    def _perform(self, call: Call, body: Json) -> Json:
        match call.operation:
            case "GetPendingJobExecutions":
                pending = self._plane.pending(call.thing)
                return {"inProgressJobs": pending.in_progress, "queuedJobs": pending.queued}
            case "StartNextPendingJobExecution":
                return _found(self._plane.start_next(call.thing, parse(body, StartNext)))
            case "DescribeJobExecution":
                request = parse(body, Describe)
                return _found(self._plane.describe(call.thing, call.job_id, request))
            case "UpdateJobExecution":
                return self._plane.update(call.thing, call.job_id, parse(body, Update))
        raise ServiceError(Refusal.INVALID_TOPIC, f"{call.topic} is not a topic of Jobs")

    def _reply(self, call: Call, verdict: str, body: Json, fault: Fault | None) -> None:
        effect = fault.effect if fault else None
        if effect is Effect.LOSE_REPLY or self._server is None:
            return
        if effect is Effect.DISCONNECT:
            self._server.post(lambda broker: broker.disconnect(call.thing))
            return
        stamped = {**body, "timestamp": int(self._clock.now())}
        copies = 2 if effect is Effect.DUPLICATE else 1
        for _ in range(copies):
            self._send(call.thing, f"{call.topic}/{verdict}", stamped, subscribed_only=False)

    def _next(self, pending: Sequence[Execution], now: float) -> Json:
        shape: Json = {"timestamp": int(now)}
        if pending:
            document = self._plane.document(pending[0].job)
            shape["execution"] = device_execution(pending[0], now, document)
        return shape

    def _notify(self, operation: str, thing: str, topic: str, body: Json) -> None:
        fault = self._faults.take(operation, thing)
        effect = fault.effect if fault else None
        if effect in (Effect.LOSE_REPLY, Effect.LOSE_REQUEST):
            return
        for _ in range(2 if effect is Effect.DUPLICATE else 1):
            self._send(thing, f"$aws/things/{thing}/jobs/{topic}", body, subscribed_only=True)

    def _send(self, thing: str, topic: str, body: Json, *, subscribed_only: bool) -> None:
        if self._server is not None:
            message = Message(topic, msgspec.json.encode(body), qos=1)
            self._server.send(thing, message, subscribed_only=subscribed_only)


def _is_own(thing: str, topic: str) -> bool:
    own = (f"$aws/things/{thing}/", f"dt/{thing}/", f"cmd/{thing}/")
    return topic.startswith(own)


def _call(thing: str, topic: str, verb: list[str]) -> Call:
    match verb:
        case ["get"]:
            return Call("GetPendingJobExecutions", thing, "", topic)
        case ["start-next"]:
            return Call("StartNextPendingJobExecution", thing, NEXT, topic)
        case [job_id, "get"]:
            return Call("DescribeJobExecution", thing, job_id, topic)
        case [job_id, "update"]:
            return Call("UpdateJobExecution", thing, job_id, topic)
    return Call("InvalidTopic", thing, "", topic)


def _body(payload: bytes) -> Json:
    try:
        body = json.loads(payload) if payload else {}
    except (ValueError, RecursionError) as error:
        raise ServiceError(
            Refusal.INVALID_JSON,
            "The contents of the request could not be interpreted as valid UTF-8-encoded JSON",
        ) from error
    if not isinstance(body, dict):
        raise ServiceError(Refusal.INVALID_JSON, "The request payload must be a JSON object")
    return body


def _refuse_by(fault: Fault | None) -> None:
    refusal = _REFUSED_BY_FAULT.get(fault.effect) if fault else None
    if refusal is not None:
        raise ServiceError(refusal, "planned fault")


def _found(execution: Json | None) -> Json:
    return {} if execution is None else {"execution": execution}


def _rejection(error: ServiceError) -> Json:
    shape: Json = {"code": error.refusal.value.mqtt, "message": error.message}
    terminal = error.refusal is Refusal.TERMINAL_STATE
    if isinstance(error.execution, Execution) and not terminal:
        shape["executionState"] = execution_state(error.execution)
    return shape


def _notification(pending: Sequence[Execution], now: float) -> Json:
    jobs: dict[str, list[Json]] = {}
    for execution in pending[:_NOTIFY_LIMIT]:
        jobs.setdefault(execution.status.value, []).append(device_summary(execution))
    return {"timestamp": int(now), "jobs": jobs}
