"""One WSGI application for all of AWS: Jobs and signed downloads are played here, the rest by moto."""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map
from werkzeug.wrappers import Request, Response

from adapters.aws.simulator import sigv4
from adapters.aws.simulator.engine import Engine
from adapters.aws.simulator.errors import AlreadyExists, Refusal, ServiceError
from adapters.aws.simulator.index_routes import IndexRoutes
from adapters.aws.simulator.objects import ObjectStore, place_of, s3_error
from adapters.aws.simulator.permissions import Permissions, denial
from adapters.aws.simulator.registry import Registry
from adapters.aws.simulator.rest import Operation
from adapters.aws.simulator.routes import (
    CONTROL_ROUTES,
    DATA_ROUTES,
    ControlRoutes,
    DataRoutes,
)
from adapters.aws.simulator.shadow_routes import SHADOW_ROUTES, ShadowRoutes
from adapters.aws.simulator.shapes import Json
from adapters.simulation.clock import VirtualClock
from adapters.simulation.faults import Effect, Fault, Faults

_CHANGES_MEMBERSHIP = ("/thing-groups/", "/things/")
_REGISTRY_SERVICES = ("iot", "iotdata")
_MAX_JOBS_BODY = 1024 * 1024
_NO_SIGV2 = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."


class Front:
    """Tells the services apart by the signing name of a request, as one address serves them all."""

    def __init__(
        self,
        *,
        account: str,
        engine: Engine,
        control: ControlRoutes,
        index: IndexRoutes,
        shadows: ShadowRoutes,
        data: DataRoutes,
        objects: ObjectStore,
        registry: Registry,
        faults: Faults,
        clock: VirtualClock,
        keys: dict[str, str],
    ) -> None:
        self._account = account
        self._engine = engine
        self._objects = objects
        self._registry = registry
        self._faults = faults
        self._clock = clock
        self._keys = keys
        self._jobs: dict[str, tuple[Map, dict[str, Operation]]] = {
            "iot": (CONTROL_ROUTES, {**control.operations, **index.operations}),
            "iot-jobs-data": (DATA_ROUTES, data.operations),
            "iotdata": (SHADOW_ROUTES, shadows.operations),
        }
        self._permissions = Permissions(faults)
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """The WSGI entry."""
        request = Request(environ)
        service = _signing_name(request)
        response = None
        if "X-Amz-Signature" in request.args:
            response = self._signed_url(request)
        elif "AWSAccessKeyId" in request.args:
            response = s3_error(400, "InvalidRequest", _NO_SIGV2)
        elif service in self._jobs:
            response = self._job_operation(request, service)
        if response is not None:
            return response(environ, start)
        return self._by_moto(request, service, environ, start)

    def _job_operation(self, request: Request, service: str) -> Response | None:
        routes, operations = self._jobs[service]
        try:
            name, names = routes.bind_to_environ(request.environ).match()
        except HTTPException:
            return None
        request.max_content_length = _MAX_JOBS_BODY
        fault = self._faults.take(name, names.get("thing") or names.get("job") or names.get("group", ""))
        try:
            _before(fault, name)
            answer = operations[name](request, names)
        except ServiceError as error:
            return _refusal(error)
        if answer is None:
            return None
        _after(fault)
        return Response(json.dumps(answer), content_type="application/json")

    def _signed_url(self, request: Request) -> Response | None:
        place = place_of(request)
        operation = "GetObject" if request.method in ("GET", "HEAD") else "PutObject"
        fault = self._faults.take(operation, f"{place.bucket}/{place.key}")
        refusal = _download_fault(fault)
        if refusal is not None:
            return refusal
        try:
            sigv4.check(_signed_request(request), self._keys, self._clock.now())
        except sigv4.PresignError as error:
            return s3_error(403, error.code, error.message)
        return self._objects.get(request, place, fault) if operation == "GetObject" else None

    def _by_moto(
        self, request: Request, service: str, environ: WSGIEnvironment, start: StartResponse
    ) -> Iterable[bytes]:
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self._account
        denied = self._permissions.refusal(request, service)
        if denied is not None:
            return denied(environ, start)
        if service not in _REGISTRY_SERVICES:
            answer: Iterable[bytes] = self._moto(environ, start)
            return answer
        with self._registry.lock:
            answer = self._moto(environ, start)
        if request.method != "GET" and request.path.startswith(_CHANGES_MEMBERSHIP):
            self._engine.tick()
        return answer


def _signing_name(request: Request) -> str:
    """The service in the credential scope: access key, date, region, service, end."""
    header = request.headers.get("Authorization", "")
    scope = header.partition("Credential=")[2].partition(",")[0].split("/")
    return scope[-2] if len(scope) > 1 else ""


def _signed_request(request: Request) -> sigv4.SignedRequest:
    query = request.environ.get("QUERY_STRING", "")
    return sigv4.SignedRequest(
        request.method,
        quote(request.path, safe="/-_.~"),
        dict(parse_qsl(query, keep_blank_values=True)),
        {name.lower(): value for name, value in request.headers.items()},
    )


def _before(fault: Fault | None, operation: str) -> None:
    match fault.effect if fault else None:
        case Effect.LOSE_REQUEST:
            raise ConnectionAbortedError("planned fault: the request is lost")
        case Effect.THROTTLE:
            raise ServiceError(Refusal.THROTTLED, "Rate exceeded")
        case Effect.SERVER_ERROR:
            raise ServiceError(Refusal.INTERNAL, "planned fault")
        case Effect.DENY:
            raise ServiceError(Refusal.DENIED, denial("iot", operation))


def _after(fault: Fault | None) -> None:
    if fault is not None and fault.effect in (Effect.LOSE_REPLY, Effect.DISCONNECT):
        raise ConnectionAbortedError("planned fault: the reply is lost")


def _download_fault(fault: Fault | None) -> Response | None:
    if fault is None:
        return None
    match fault.effect:
        case Effect.LOSE_REQUEST | Effect.LOSE_REPLY | Effect.DISCONNECT:
            raise ConnectionAbortedError("planned fault: the request is lost")
        case Effect.EXPIRED:
            return s3_error(403, "AccessDenied", "Request has expired")
        case Effect.THROTTLE:
            return s3_error(503, "SlowDown", "Please reduce your request rate.")
        case Effect.SERVER_ERROR:
            return s3_error(fault.status, "InternalError", "planned fault")
    return None


def _refusal(error: ServiceError) -> Response:
    names = error.refusal.value
    body: Json = {"message": error.message}
    if isinstance(error, AlreadyExists):
        body |= {"resourceId": error.name, "resourceArn": error.arn}
    response = Response(json.dumps(body), names.status, content_type="application/json")
    response.headers["x-amzn-ErrorType"] = names.rest
    return response
