"""The operations of a hub's REST face, from a decoded request to an answer."""

from __future__ import annotations

import base64
import datetime as dt
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from adapters.azure.simulator.hub import ANY_ETAG, Hub
from adapters.azure.simulator.hub_errors import HubError, Refusal, invalid
from adapters.azure.simulator.hub_shapes import device_etag, device_shape, twin_etag, twin_shape
from adapters.azure.simulator.jobs import TWIN_UPDATE, JobRequest, Jobs
from adapters.azure.simulator.methods import Methods
from adapters.azure.simulator.sas import is_key
from adapters.azure.simulator.twins import Credentials, Json, TwinDevice, as_object

_PAGE = 100
_KEY_BYTES = 32
_METHOD_SECONDS = 30
_METHOD_RANGE = range(5, 301)
_NO_CONTENT = 204


class Call(NamedTuple):
    """A request: names in its path, decoded body, headers by lower-case name, and query."""

    names: Mapping[str, str]
    body: object
    headers: Mapping[str, str]
    query: Mapping[str, str]

    @property
    def subject(self) -> str:
        """What it is about: a device, a job, or the text of a query."""
        return next(iter(self.names.values()), "") or str(self.document.get("query", ""))

    @property
    def document(self) -> Mapping[str, object]:
        """The body as an object. Raises: HubError ARGUMENT_INVALID."""
        return as_object(self.body, "The request body")

    @property
    def etag(self) -> str | None:
        """If-Match."""
        return self.headers.get("if-match")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: JSON, unless `body` is None."""

    body: Json | Sequence[Json] | None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


Operation = Callable[[Call], Answer]


def operations_of(hub: Hub, jobs: Jobs, methods: Methods) -> Mapping[str, Operation]:
    """Every operation by the name of its route."""
    twins, devices, planned = _Twins(hub, methods), _Registry(hub), _Scheduled(hub, jobs)
    return {
        "twin_read": twins.read,
        "twin_update": twins.update,
        "twin_replace": twins.replace,
        "method": twins.method,
        "query": twins.query,
        "device_read": devices.read,
        "device_write": devices.write,
        "device_delete": devices.delete,
        "statistics": devices.statistics,
        "service_statistics": devices.service_statistics,
        "job": planned.create,
        "job_read": planned.read,
        "job_cancel": planned.cancel,
        "jobs_query": planned.query,
    }


class _Twins:
    def __init__(self, hub: Hub, methods: Methods) -> None:
        self._hub = hub
        self._methods = methods

    def read(self, call: Call) -> Answer:
        return _twin(self._hub.device(call.names["device"]))

    def update(self, call: Call) -> Answer:
        return _twin(self._hub.patch_twin(call.names["device"], call.document, etag=call.etag))

    def replace(self, call: Call) -> Answer:
        return _twin(self._hub.replace_twin(call.names["device"], call.document, etag=call.etag))

    def query(self, call: Call) -> Answer:
        text = call.document.get("query")
        if not isinstance(text, str):
            raise invalid("The body needs a query")
        size = call.headers.get("x-ms-max-item-count", str(_PAGE))
        if not (size.isascii() and size.isdecimal() and int(size[:6])):
            raise invalid("x-ms-max-item-count must be a whole number above zero")
        page = self._hub.query(text, size=int(size[:6]), continuation=call.headers.get("x-ms-continuation"))
        headers = {"x-ms-item-type": "Raw" if page.raw else "Twin"}
        if page.continuation is not None:
            headers["x-ms-continuation"] = page.continuation
        return Answer(page.items, headers)

    def method(self, call: Call) -> Answer:
        name = call.document.get("methodName")
        seconds = call.document.get("responseTimeoutInSeconds") or _METHOD_SECONDS
        if not isinstance(name, str) or not name:
            raise invalid("The body needs a methodName")
        if not isinstance(seconds, int) or seconds not in _METHOD_RANGE:
            raise invalid(f"responseTimeoutInSeconds must be {_METHOD_RANGE.start} to {_METHOD_RANGE.stop - 1}")
        device = self._hub.device(call.names["device"])
        return Answer(self._methods.invoke(device.device_id, name, call.document.get("payload"), seconds=seconds))


class _Registry:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def read(self, call: Call) -> Answer:
        return _identity(self._hub.device(call.names["device"]))

    def write(self, call: Call) -> Answer:
        """Register; with If-Match, change a device that there is."""
        device_id, body = call.names["device"], call.document
        credentials, enabled = _credentials(body, device_id), body.get("status", "enabled") != "disabled"
        if call.etag is None:
            self._hub.add_device(device_id, credentials=credentials)
            if enabled:
                return _identity(self._hub.device(device_id))
        return _identity(
            self._hub.change_registration(device_id, credentials=credentials, enabled=enabled, etag=call.etag)
        )

    def delete(self, call: Call) -> Answer:
        if call.etag is None:
            raise HubError(Refusal.PRECONDITION_FAILED, "If-Match is missing")
        self._hub.remove_device(call.names["device"], etag=call.etag)
        return Answer(None, status=_NO_CONTENT)

    def statistics(self, _call: Call) -> Answer:
        devices = self._hub.devices()
        enabled = sum(each.enabled for each in devices)
        counts: Json = {"totalDeviceCount": len(devices), "enabledDeviceCount": enabled}
        return Answer({**counts, "disabledDeviceCount": len(devices) - enabled})

    def service_statistics(self, _call: Call) -> Answer:
        return Answer({"connectedDeviceCount": sum(each.connected for each in self._hub.devices())})


class _Scheduled:
    def __init__(self, hub: Hub, jobs: Jobs) -> None:
        self._hub = hub
        self._jobs = jobs

    def create(self, call: Call) -> Answer:
        return Answer(self._jobs.create(_job(call, self._hub.clock.now())))

    def read(self, call: Call) -> Answer:
        return Answer(self._jobs.show(call.names["job"]))

    def cancel(self, call: Call) -> Answer:
        return Answer(self._jobs.cancel(call.names["job"]))

    def query(self, call: Call) -> Answer:
        """An array, as the service answers; azure-iot-hub 2.7.0 expects an object here and cannot read it."""
        return Answer(self._jobs.listed(call.query.get("jobType"), call.query.get("jobStatus")))


def _twin(device: TwinDevice) -> Answer:
    return Answer(twin_shape(device), {"ETag": f'"{twin_etag(device)}"'})


def _identity(device: TwinDevice) -> Answer:
    return Answer(device_shape(device), {"ETag": f'"{device_etag(device)}"'})


def _credentials(body: Mapping[str, object], device_id: str) -> Credentials:
    proof = as_object(body.get("authentication"), "authentication")
    kind = proof.get("type", "sas")
    if kind == "certificateAuthority":
        return Credentials(certificate_cn=device_id)
    if kind == "selfSigned":
        prints = as_object(proof.get("x509Thumbprint"), "x509Thumbprint").values()
        return Credentials(thumbprints=frozenset(str(each) for each in prints if each))
    if kind != "sas":
        raise invalid(f"authentication.type {kind!r} is not known")
    keys = as_object(proof.get("symmetricKey"), "symmetricKey")
    return Credentials(tuple(_key(keys.get(name)) for name in ("primaryKey", "secondaryKey")))


def _key(given: object) -> str:
    if given is None:
        return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
    if not isinstance(given, str) or not is_key(given):
        raise invalid("A symmetric key is base64 of 16 to 64 bytes")
    return given


def _job(call: Call, now: float) -> JobRequest:
    body = call.document
    if body.get("type") != TWIN_UPDATE:
        raise HubError(Refusal.UNSUPPORTED, f"This simulator plays jobs of type {TWIN_UPDATE} only")
    patch = as_object(body.get("updateTwin"), "updateTwin")
    if patch.get("etag") != ANY_ETAG:
        raise invalid('updateTwin.etag must be "*"')
    limit = body.get("maxExecutionTimeInSeconds")
    if limit is not None and not (isinstance(limit, int) and limit > 0):
        raise invalid("maxExecutionTimeInSeconds must be a whole number above zero")
    if body.get("jobId") not in (None, call.names["job"]):
        raise invalid("jobId must be the one of the address")
    condition = body.get("queryCondition")
    if not isinstance(condition, str) or not condition.strip():
        raise invalid("queryCondition must be a condition, or * for every device")
    return JobRequest(call.names["job"], condition, patch, _moment(body.get("startTime"), now), limit)


def _moment(text: object, otherwise: float) -> float:
    if text is None:
        return otherwise
    try:
        moment = dt.datetime.fromisoformat(str(text))
    except ValueError as error:
        raise invalid(f"startTime {text!r} is no moment of ISO 8601") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
