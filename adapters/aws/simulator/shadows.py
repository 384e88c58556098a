"""Device shadows, classic and named, on the documents that moto keeps; what MQTT and HTTP have in common.

Developer guide, "Device Shadow service documents": an update merges, null removes, each field's metadata tells when it
was last given, and what is desired but not reported is the delta.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from moto.core.exceptions import JsonRESTError
from moto.iotdata.models import FakeShadow, IoTDataPlaneBackend, iotdata_backends

from adapters.aws.simulator.control import Place
from adapters.aws.simulator.registry import Registry
from adapters.aws.simulator.shapes import Json

_MAX_BYTES = 8 * 1024
_STATES = {"desired", "reported"}


class ShadowCall(NamedTuple):
    """One request; `name` is None for the classic shadow."""

    thing: str
    name: str | None
    verb: str


class ShadowRefusal(Exception):
    """The service refuses; `code` is an HTTP status (developer guide, shadow error messages)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def shadow_call(thing: str, levels: list[str]) -> ShadowCall | None:
    """The request that the topic levels behind `shadow` name; None if they name none."""
    match levels:
        case [("get" | "update" | "delete") as verb]:
            return ShadowCall(thing, None, verb)
        case ["name", name, ("get" | "update" | "delete") as verb]:
            return ShadowCall(thing, name, verb)
    return None


class ShadowListener(Protocol):
    """Who tells things about their shadows."""

    def shadow_changed(self, call: ShadowCall, topic: str, body: Json) -> None:
        """The shadow was updated; `topic` is `documents` or `delta`."""
        ...


class Shadows:
    """The shadow service of one account and region."""

    def __init__(self, registry: Registry, place: Place) -> None:
        self._registry = registry
        self._place = place
        self._listener: ShadowListener | None = None

    def listen(self, listener: ShadowListener) -> None:
        """Tell `listener` about updates from now on."""
        self._listener = listener

    def answer(self, call: ShadowCall, payload: bytes) -> tuple[str, Json]:
        """The verdict, `accepted` or `rejected`, and its body."""
        token: Json = {}
        try:
            body = _body(payload)
            token = {key: body[key] for key in ("clientToken",) if key in body}
            _check_size(payload)
            with self._registry.lock:
                return "accepted", {**self._perform(call, body), **token}
        except ShadowRefusal as refusal:
            return "rejected", {"code": refusal.code, "message": refusal.message, **token}
        except JsonRESTError as error:
            return "rejected", {"code": error.code, "message": str(error.message), **token}

    def _perform(self, call: ShadowCall, body: Json) -> Json:
        backend = self._backend()
        current = self._current(call)
        if call.verb == "update":
            _check_update(body, current)
            before = _document(current)
            made = backend.update_thing_shadow(call.thing, json.dumps(body), call.name)
            _keep_times(current, made)
            self._announce(call, before, made)
            return dict(made.to_response_dict())
        if current is None:
            raise ShadowRefusal(404, f"No shadow exists with name: '{call.name or call.thing}'")
        if call.verb == "get":
            return dict(current.to_dict())
        backend.delete_thing_shadow(call.thing, call.name)
        return {"version": current.version, "timestamp": current.timestamp}

    def _announce(self, call: ShadowCall, before: Json, made: FakeShadow) -> None:
        if self._listener is None:
            return
        documents: Json = {"previous": before, "current": _document(made)}
        self._listener.shadow_changed(call, "documents", documents)
        delta = made.to_dict()["state"].get("delta")
        if delta:
            times = {name: (made.metadata_desired or {}).get(name) for name in delta}
            self._listener.shadow_changed(call, "delta", {"version": made.version, "state": delta, "metadata": times})

    def _current(self, call: ShadowCall) -> FakeShadow | None:
        shadow = self._backend().iot_backend.describe_thing(call.thing).thing_shadows.get(call.name)
        return None if shadow is None or shadow.deleted else shadow

    def _backend(self) -> IoTDataPlaneBackend:
        return iotdata_backends[self._place.account][self._place.region]


def _document(shadow: FakeShadow | None) -> Json:
    """What the messages about changes show of a shadow."""
    if shadow is None:
        return {"state": {}, "metadata": {}, "version": 0}
    shown = shadow.to_dict(include_delta=False)
    return {name: shown[name] for name in ("state", "metadata", "version")}


def _keep_times(before: FakeShadow | None, made: FakeShadow) -> None:
    """moto stamps every field anew; the service only those that the update gave."""
    given = (made.requested_payload or {}).get("state") or {}
    if before is None:
        return
    made.metadata_reported = _merged(made.metadata_reported, before.metadata_reported, given.get("reported"))
    made.metadata_desired = _merged(made.metadata_desired, before.metadata_desired, given.get("desired"))


def _merged(now: object, before: object, given: object) -> object:
    """The stamps of `now` for what was given, those of `before` for the rest."""
    if not isinstance(given, Mapping):
        return now if given is not None or before is None else before
    if not isinstance(now, Mapping) or not isinstance(before, Mapping):
        return now
    return {name: _merged(stamp, before.get(name), given.get(name)) for name, stamp in now.items()}


def _body(payload: bytes) -> Json:
    try:
        body = json.loads(payload) if payload else {}
    except (ValueError, RecursionError) as error:
        raise ShadowRefusal(400, "Invalid JSON") from error
    if not isinstance(body, dict):
        raise ShadowRefusal(400, "Payload should be an object")
    return body


def _check_size(payload: bytes) -> None:
    if len(payload) > _MAX_BYTES:
        raise ShadowRefusal(413, "The payload exceeds the maximum size allowed")


def _check_update(body: Json, current: FakeShadow | None) -> None:
    state = body.get("state", {})
    if "state" not in body or not isinstance(state, dict | None):
        raise ShadowRefusal(400, "Missing required node: state")
    parts = state or {}
    if not set(parts) <= _STATES or not all(isinstance(each, dict | None) for each in parts.values()):
        raise ShadowRefusal(400, "State contains an invalid node")
    version = current.version if current else 0
    if body.get("version", version) != version:
        raise ShadowRefusal(409, "Version conflict")
