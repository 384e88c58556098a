"""REST of Device Update for deployments, of groups and of their subgroups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from werkzeug.routing import Rule

from adapters.azure.simulator import deployment_shapes as shapes
from adapters.azure.simulator.answers import Answer, Call, Operation
from adapters.azure.simulator.deployments import Deployment, State
from adapters.azure.simulator.device_update import DeviceUpdate
from adapters.azure.simulator.manifest import UpdateId
from adapters.azure.simulator.moments import parse_time
from adapters.azure.simulator.odata import matching, page
from adapters.azure.simulator.refusals import invalid, not_found
from adapters.azure.simulator.updates import Update

_GROUP = "/management/groups/<group>"
_CLASS = f"{_GROUP}/deviceClassSubgroups/<device_class>"
_OF_GROUP = f"{_GROUP}/deployments/<deployment>"
_OF_CLASS = f"{_CLASS}/deployments/<deployment>"
RULES = (
    Rule(f"{_GROUP}/deployments", methods=["GET"], endpoint="deployments"),
    Rule(_OF_GROUP, methods=["GET"], endpoint="deployment"),
    Rule(_OF_GROUP, methods=["PUT"], endpoint="deployment_put"),
    Rule(_OF_GROUP, methods=["DELETE"], endpoint="deployment_delete"),
    Rule(f"{_OF_GROUP}/status", methods=["GET"], endpoint="deployment_status"),
    Rule(f"{_CLASS}/deployments", methods=["GET"], endpoint="subgroup_deployments"),
    Rule(_OF_CLASS, methods=["GET"], endpoint="subgroup_deployment"),
    Rule(_OF_CLASS, methods=["DELETE"], endpoint="subgroup_deployment_delete"),
    Rule(f"{_OF_CLASS}:cancel", methods=["POST"], endpoint="deployment_cancel"),
    Rule(f"{_OF_CLASS}:retry", methods=["POST"], endpoint="deployment_retry"),
    Rule(f"{_OF_CLASS}/status", methods=["GET"], endpoint="subgroup_status"),
    Rule(f"{_OF_CLASS}/devicestates", methods=["GET"], endpoint="device_states"),
)


class _UpdateInfo(Struct, frozen=True, rename="camel"):
    update_id: UpdateId


class _Request(Struct, frozen=True, rename="camel"):
    deployment_id: Annotated[str, Meta(pattern=r"^[a-z0-9._~-]{1,73}$")]
    group_id: str
    start_date_time: str
    update: _UpdateInfo
    download_security: Literal["http", "https"] = "https"
    rollback_policy: msgspec.Raw | None = None


class DeploymentRoutes:
    """The operations of `RULES`. Whoever calls them holds the instance."""

    def __init__(self, service: DeviceUpdate, now: Callable[[], float]) -> None:
        self._service = service
        self._now = now
        self.operations: Mapping[str, Operation] = {
            "deployments": self._list,
            "deployment": lambda call: Answer(shapes.deployment(self._deployment(call))),
            "deployment_put": self._put,
            "deployment_delete": self._delete,
            "deployment_status": self._status,
            "subgroup_deployments": self._list_of_subgroup,
            "subgroup_deployment": lambda call: Answer(shapes.deployment(*self._of_subgroup(call))),
            "subgroup_deployment_delete": self._delete_of_subgroup,
            "deployment_cancel": self._cancel,
            "deployment_retry": self._retry,
            "subgroup_status": self._subgroup_status,
            "device_states": self._device_states,
        }

    def _list(self, call: Call) -> Answer:
        self._group(call)
        found = [shapes.deployment(each) for each in self._service.deployments.of_group(call.names["group"])]
        return Answer(page(call.request, found).body())

    def _list_of_subgroup(self, call: Call) -> Answer:
        class_id = call.names["device_class"]
        found = [each for each in self._service.deployments.of_group(self._group(call)) if class_id in each.classes]
        return Answer(page(call.request, [shapes.deployment(each, class_id) for each in found]).body())

    def _put(self, call: Call) -> Answer:
        wanted = _parse(call)
        update = self._update(wanted.update.update_id)
        existing = self._service.deployments.find(self._group(call), wanted.deployment_id)
        if existing is not None:
            return Answer(shapes.deployment(_unchanged(existing, update)))
        start, secure = _start(wanted.start_date_time), wanted.download_security == "https"
        new = Deployment(wanted.deployment_id, wanted.group_id, update, start, wanted.start_date_time, secure)
        self._service.deploy(new)
        return Answer(shapes.deployment(new))

    def _delete(self, call: Call) -> Answer:
        deployment = self._deployment(call)
        if deployment.classes and deployment.state is State.ACTIVE:
            raise invalid(f"deployment {deployment.deployment_id} is active; cancel it first", "DeploymentActive")
        self._service.deployments.remove(deployment)
        return Answer(status=204)

    def _delete_of_subgroup(self, call: Call) -> Answer:
        deployment, class_id = self._of_subgroup(call)
        if deployment.state_in(class_id) is State.ACTIVE:
            raise invalid(f"deployment {deployment.deployment_id} is active; cancel it first", "DeploymentActive")
        deployment.removed.add(class_id)
        if deployment.classes <= deployment.removed:
            self._service.deployments.remove(deployment)
        return Answer(status=204)

    def _cancel(self, call: Call) -> Answer:
        deployment, class_id = self._of_subgroup(call)
        deployment.cancel(class_id)
        self._service.consider_group(deployment.group)
        return Answer(shapes.deployment(deployment, class_id))

    def _retry(self, call: Call) -> Answer:
        deployment, class_id = self._of_subgroup(call)
        if deployment.state_in(class_id) is not State.ACTIVE:
            raise invalid(f"deployment {deployment.deployment_id} is no longer active", "DeploymentNotActive")
        self._service.retry(deployment, class_id, self._now())
        return Answer(shapes.deployment(deployment, class_id))

    def _status(self, call: Call) -> Answer:
        deployment = self._deployment(call)
        classes = sorted(deployment.classes - deployment.removed)
        subgroups = [shapes.subgroup_status(deployment, each, self._waiting(deployment, each)) for each in classes]
        state = str(deployment.state)
        return Answer({"groupId": deployment.group, "deploymentState": state, "subgroupStatus": subgroups})

    def _subgroup_status(self, call: Call) -> Answer:
        deployment, class_id = self._of_subgroup(call)
        return Answer(shapes.subgroup_status(deployment, class_id, self._waiting(deployment, class_id)))

    def _device_states(self, call: Call) -> Answer:
        deployment, class_id = self._of_subgroup(call)
        shown = shapes.device_states(deployment, class_id, self._waiting(deployment, class_id))
        fields = {name: lambda each, name=name: each.get(name) for name in ("deviceId", "moduleId", "deviceState")}
        return Answer(page(call.request, matching(call.request, shown, fields)).body())

    def _waiting(self, deployment: Deployment, class_id: str) -> Sequence[str]:
        if deployment.state_in(class_id) is State.INACTIVE:
            return ()
        return self._service.index.members(deployment.group, class_id)

    def _group(self, call: Call) -> str:
        group = call.names["group"]
        if group not in self._service.index.groups:
            raise not_found("Group", group)
        return group

    def _deployment(self, call: Call) -> Deployment:
        return self._service.deployments.get(self._group(call), call.names["deployment"])

    def _of_subgroup(self, call: Call) -> tuple[Deployment, str]:
        deployment, class_id = self._deployment(call), call.names["device_class"]
        if class_id not in deployment.classes - deployment.removed:
            raise not_found(f"Deployment {deployment.deployment_id} in device class", class_id)
        return deployment, class_id

    def _update(self, update_id: UpdateId) -> Update:
        update = self._service.updates.get(update_id)
        if update is None:
            raise not_found("Update", update_id)
        if not update.manifest.is_deployable:
            raise invalid(f"update {update_id} is not deployable", "UpdateNotDeployable")
        return update


def _parse(call: Call) -> _Request:
    try:
        wanted = msgspec.json.decode(call.request.get_data(), type=_Request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"the deployment: {error}") from error
    if (wanted.deployment_id, wanted.group_id) != (call.names["deployment"], call.names["group"]):
        raise invalid("deploymentId and groupId must be those of the path")
    if wanted.rollback_policy is not None:
        raise invalid("this simulator does not play rollbackPolicy")
    return wanted


def _start(text: str) -> float:
    start = parse_time(text)
    if start is None:
        raise invalid(f"startDateTime {text!r} is no time with a zone")
    return start


def _unchanged(existing: Deployment, update: Update) -> Deployment:
    """A deployment cannot be changed, and a cancelled one not be brought back."""
    if existing.update.update_id != update.update_id or existing.state is State.CANCELED:
        raise invalid(f"deployment {existing.deployment_id} exists and is another, or cancelled", "DeploymentExists")
    return existing
