"""The REST face of one Device Update instance (api-version 2026-06-01): who may, which operation, what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.routing import Map
from werkzeug.wrappers import Request, Response

from adapters.azure.simulator.answers import MAX_BODY, Call, Operation, refusal
from adapters.azure.simulator.device_update import DeviceUpdate
from adapters.azure.simulator.identity import UPDATE_AUDIENCE, Identity
from adapters.azure.simulator.planned import after, before
from adapters.azure.simulator.refusals import Refused, invalid, not_found, throttled
from adapters.azure.simulator.throttle import Throttle
from adapters.simulation.faults import Faults

API_VERSIONS = ("2026-06-01", "2022-10-01")
_GROUP = ("group", "subgroups")
_DEPLOYMENT = ("deployment", "subgroup_status", "subgroup_deployment", "device_states")
_QUOTAS: Mapping[str, str] = {
    "deployment_put": "deployment_put",
    "deployment_delete": "deployment_delete",
    "subgroup_deployment_delete": "deployment_delete",
    "deployment_cancel": "deployment_process",
    "deployment_retry": "deployment_process",
    **dict.fromkeys(("groups", "group", "group_best_updates", "group_compliance", "compliance"), "groups"),
    **dict.fromkeys(("updates_list", "import", "update", "update_delete"), "updates"),
    **dict.fromkeys(("providers", "names", "versions", "files", "file"), "updates"),
    "import_operations": "operations",
}
"""The quota that a call counts for, by the endpoint of its rule."""


class Part(Protocol):
    """Some of the operations."""

    @property
    def operations(self) -> Mapping[str, Operation]:
        """By the endpoint of their rule."""
        ...


class InstanceRoutes:
    """Everything below `/deviceUpdate`. A planned loss of request or reply raises ConnectionAbortedError."""

    def __init__(
        self,
        service: DeviceUpdate,
        identity: Identity,
        faults: Faults,
        *,
        throttle: Throttle,
        rules: Map,
        parts: Sequence[Part],
    ) -> None:
        self._service = service
        self._identity = identity
        self._faults = faults
        self._throttle = throttle
        self._rules = rules
        self._operations = {name: each for part in parts for name, each in part.operations.items()}

    def __call__(self, request: Request) -> Response | None:
        """The answer; None for what lies elsewhere."""
        if not request.path.startswith("/deviceUpdate/"):
            return None
        request.max_content_length = MAX_BODY
        try:
            return self._serve(request)
        except Refused as error:
            return refusal(error)
        except RequestEntityTooLarge:
            return refusal(Refused(413, "RequestEntityTooLarge", f"the body exceeds {MAX_BODY} bytes"))

    def _serve(self, request: Request) -> Response:
        self._check(request)
        try:
            name, names = self._rules.bind_to_environ(request.environ).match()
        except HTTPException as error:
            raise not_found("Resource", request.path) from error
        fault = self._faults.take(_fault_name(name), _subject(name, names))
        response = before(fault, lambda *said: refusal(Refused(*said)))
        if response is None:
            self._check_quota(name)
            with self._service.transaction():
                response = self._operations[name](Call(request, names)).response()
        after(fault)
        return response

    def _check(self, request: Request) -> None:
        if not self._identity.accepts(request.headers.get("Authorization", ""), UPDATE_AUDIENCE):
            raise Refused(401, "Unauthorized", f"a bearer token for {UPDATE_AUDIENCE} is needed")
        if request.args.get("api-version") not in API_VERSIONS:
            raise invalid(f"api-version must be one of {', '.join(API_VERSIONS)}", "UnsupportedApiVersion")

    def _check_quota(self, name: str) -> None:
        quota = _QUOTAS.get(name, "")
        delay = self._throttle.delay(quota)
        if delay is not None:
            raise throttled(f"more calls of {quota} in a minute than may be", delay)


def _fault_name(operation: str) -> str:
    """Operations on deployments share a name, as do those on groups."""
    if operation.startswith(_DEPLOYMENT):
        return "deployment"
    return "group" if operation.startswith(_GROUP) else operation


def _subject(operation: str, names: Mapping[str, str]) -> str:
    last = "group" if _fault_name(operation) == "group" else "deployment"
    return names.get(last, "")
