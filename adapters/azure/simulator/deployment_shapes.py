"""Deployments and what became of them, as Device Update's REST shows them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from adapters.azure.simulator.deployments import Deployment, Participant
from adapters.azure.simulator.refusals import Json
from adapters.azure.simulator.states import DeviceState
from adapters.azure.simulator.update_routes import update_info

_COUNTERS = {
    "devicesInProgressCount": DeviceState.IN_PROGRESS,
    "devicesCompletedSucceededCount": DeviceState.SUCCEEDED,
    "devicesCompletedFailedCount": DeviceState.FAILED,
    "devicesCanceledCount": DeviceState.CANCELED,
}


def deployment(shown: Deployment, class_id: str | None = None) -> Json:
    """The deployment, or how it stands in one subgroup."""
    classes = shown.classes - shown.removed if class_id is None else {class_id}
    return {
        "deploymentId": shown.deployment_id,
        "groupId": shown.group,
        "startDateTime": shown.start_text,
        "update": update_info(shown.update),
        "deviceClassSubgroups": sorted(classes),
        "downloadSecurity": "https" if shown.secure else "http",
        "isCanceled": bool(classes) and classes <= shown.cancelled,
        "isRetried": bool(classes & shown.retried),
        "isCloudInitiatedRollback": False,
    }


def subgroup_status(shown: Deployment, class_id: str, waiting: Sequence[str]) -> Json:
    """The counters of a subgroup; `waiting` are devices of it that have not been told yet."""
    told = shown.of_class(class_id)
    untold = [each for each in waiting if each not in told]
    states = Counter(each.state for each in told.values())
    states[_untold(shown, class_id)] += len(untold)
    return {
        "groupId": shown.group,
        "deviceClassId": class_id,
        "deploymentState": str(shown.state_in(class_id)),
        "totalDevices": len(told) + len(untold),
        **{name: states[state] for name, state in _COUNTERS.items()},
    }


def device_states(shown: Deployment, class_id: str, waiting: Sequence[str]) -> list[Json]:
    """Each device of a subgroup, told or not, by id."""
    told = shown.of_class(class_id)
    untold = {each: Participant(class_id, _untold(shown, class_id)) for each in waiting if each not in told}
    return [_device_state(name, each) for name, each in sorted((told | untold).items())]


def _untold(shown: Deployment, class_id: str) -> DeviceState:
    return DeviceState.CANCELED if class_id in shown.cancelled else DeviceState.IN_PROGRESS


def _device_state(device_id: str, told: Participant) -> Json:
    return {
        "deviceId": device_id,
        "deviceState": str(told.state),
        "retryCount": told.retries,
        "movedOnToNewDeployment": told.moved_on,
    }
