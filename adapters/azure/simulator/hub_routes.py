"""The REST face of a hub (api-version 2021-04-12), as a part of one address that serves other services too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import msgspec
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from adapters.azure.simulator import sas
from adapters.azure.simulator.hub import Hub
from adapters.azure.simulator.hub_errors import HubError, Refusal, invalid
from adapters.azure.simulator.hub_operations import Answer, Call, operations_of
from adapters.azure.simulator.jobs import Jobs
from adapters.azure.simulator.methods import Methods
from adapters.azure.simulator.throttle import Throttle
from adapters.azure.simulator.twins import stamp
from adapters.simulation.faults import Effect, Fault, Faults

API_VERSION = "2021-04-12"
_MAX_BODY = 1024 * 1024
_BEARER = "Bearer "
ROUTES = Map(
    [
        Rule("/twins/<device>", methods=["GET"], endpoint="twin_read"),
        Rule("/twins/<device>", methods=["PATCH"], endpoint="twin_update"),
        Rule("/twins/<device>", methods=["PUT"], endpoint="twin_replace"),
        Rule("/twins/<device>/methods", methods=["POST"], endpoint="method"),
        Rule("/devices/query", methods=["POST"], endpoint="query"),
        Rule("/devices/<device>", methods=["GET"], endpoint="device_read"),
        Rule("/devices/<device>", methods=["PUT"], endpoint="device_write"),
        Rule("/devices/<device>", methods=["DELETE"], endpoint="device_delete"),
        Rule("/jobs/v2/query", methods=["GET"], endpoint="jobs_query"),
        Rule("/jobs/v2/<job>", methods=["GET"], endpoint="job_read"),
        Rule("/jobs/v2/<job>", methods=["PUT"], endpoint="job"),
        Rule("/jobs/v2/<job>/cancel", methods=["POST"], endpoint="job_cancel"),
        Rule("/statistics/devices", methods=["GET"], endpoint="statistics"),
        Rule("/statistics/service", methods=["GET"], endpoint="service_statistics"),
    ]
)
_FAULT_NAMES = {"twin_replace": "twin_update"}
_REFUSED_BY_FAULT = {
    Effect.THROTTLE: Refusal.THROTTLED,
    Effect.SERVER_ERROR: Refusal.SERVER_ERROR,
    Effect.DENY: Refusal.FORBIDDEN,
}


class Routes(Protocol):
    """Answers a request, or leaves it to others with None."""

    def __call__(self, request: Request) -> Response | None:
        """See the class."""
        ...


class Access(NamedTuple):
    """Who may use the REST face.

    `hub_name` gives the host, with its port, that a signature must be for; `keys` are policy names and their base64
    keys; `bearer_ok` judges tokens; `throttle` says how often.
    """

    hub_name: Callable[[], str]
    keys: Mapping[str, str]
    bearer_ok: Callable[[str], bool]
    throttle: Throttle


def hub_routes(hub: Hub, jobs: Jobs, methods: Methods, *, faults: Faults, access: Access) -> Routes:
    """The REST face. A planned loss of request or reply raises ConnectionAbortedError, which must reach the server."""
    operations = operations_of(hub, jobs, methods)

    def serve(request: Request) -> Response | None:
        try:
            name, names = ROUTES.bind_to_environ(request.environ).match()
        except HTTPException:
            return None
        try:
            _check_access(request, access, hub.clock.now())
            call = _call(request, names)
            fault = faults.take(_FAULT_NAMES.get(name, name), call.subject)
            _before(fault)
            _check_quota(name, access.throttle)
            response = _response(operations[name](call))
        except HubError as error:
            return refusal(error, hub.clock.now())
        _after(fault)
        return response

    return serve


def refusal(error: HubError, now: float) -> Response:
    """An error in the hub's own form."""
    names = error.refusal.value
    body = {
        "Message": f"ErrorCode:{names.code};{error.message}",
        "ExceptionMessage": f"Tracking ID:simulator-TimeStamp:{stamp(now)}",
    }
    response = Response(msgspec.json.encode(body), names.status, content_type="application/json; charset=utf-8")
    response.headers["iothub-errorcode"] = names.code
    return response


def _check_access(request: Request, access: Access, now: float) -> None:
    header = request.headers.get("Authorization", "")
    if header.startswith(_BEARER):
        allowed = access.bearer_ok(header.removeprefix(_BEARER))
    else:
        allowed = _signed(header, access, now)
    if not allowed:
        raise HubError(Refusal.UNAUTHORIZED, "Unauthorized")
    if request.args.get("api-version") != API_VERSION:
        raise invalid(f"api-version must be {API_VERSION}")


def _signed(header: str, access: Access, now: float) -> bool:
    try:
        token = sas.parse(header)
        key = access.keys.get(token.policy)
        sas.verify(token, access.hub_name(), (key,) if key else (), now)
    except sas.SasRefused:
        return False
    return True


def _check_quota(name: str, throttle: Throttle) -> None:
    if throttle.delay(name) is not None:
        raise HubError(Refusal.THROTTLED, f"more calls of {name} in a minute than this hub takes")


def _call(request: Request, names: Mapping[str, str]) -> Call:
    request.max_content_length = _MAX_BODY
    try:
        text = request.get_data()
        body = msgspec.json.decode(text) if text else None
    except RequestEntityTooLarge as error:
        raise HubError(Refusal.TOO_LARGE, f"The body exceeds {_MAX_BODY} bytes") from error
    except (ValueError, RecursionError) as error:
        raise invalid("The request body is not JSON") from error
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Call(names, body, headers, dict(request.args))


def _response(answer: Answer) -> Response:
    text = b"" if answer.body is None else msgspec.json.encode(answer.body)
    response = Response(text, answer.status, content_type="application/json; charset=utf-8")
    response.headers.update(answer.headers)
    return response


def _before(fault: Fault | None) -> None:
    if fault is not None and fault.effect is Effect.LOSE_REQUEST:
        raise ConnectionAbortedError("planned fault: the request is lost")
    planned = _REFUSED_BY_FAULT.get(fault.effect) if fault else None
    if planned is not None:
        raise HubError(planned, "planned fault")


def _after(fault: Fault | None) -> None:
    if fault is not None and fault.effect in (Effect.LOSE_REPLY, Effect.DISCONNECT):
        raise ConnectionAbortedError("planned fault: the reply is lost")
