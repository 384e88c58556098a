"""What Device Update says of devices: their best update, whether they have it, and how their last one went."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

from adapters.azure.simulator.deployments import Deployment, State
from adapters.azure.simulator.device_classes import DeviceClass, member
from adapters.azure.simulator.device_update import DeviceUpdate
from adapters.azure.simulator.refusals import Json
from adapters.azure.simulator.states import DeviceState, agent, installed, reported_workflow
from adapters.azure.simulator.update_routes import update_info
from adapters.azure.simulator.updates import Update


class _Standing(Enum):
    LATEST = auto()
    IN_PROGRESS = auto()
    OUTDATED = auto()


class Fleet:
    """Reads one instance. Whoever calls holds it."""

    def __init__(self, service: DeviceUpdate) -> None:
        self._service = service

    def installable(self, device_class: DeviceClass) -> list[Update]:
        """The deployable updates that a class takes."""
        updates = self._service.updates
        return [each for each in updates if each.manifest.is_deployable and device_class.takes(each)]

    def best(self, device_class: DeviceClass) -> Update | None:
        """The highest version of them, whatever is deployed."""
        return max(self.installable(device_class), key=lambda each: each.update_id.order(), default=None)

    def active(self, group: str, class_id: str) -> Deployment | None:
        """The deployment in force in a subgroup."""
        found = (each for each in self._service.deployments.of_group(group) if class_id in each.classes)
        return next((each for each in found if each.state_in(class_id) is State.ACTIVE), None)

    def compliance(self, devices: Iterable[str]) -> Json:
        """How many devices have their best update, are getting one, or could."""
        standings = [self._standing(each) for each in devices]
        return {
            "totalDeviceCount": len(standings),
            "onLatestUpdateDeviceCount": standings.count(_Standing.LATEST),
            "newUpdatesAvailableDeviceCount": standings.count(_Standing.OUTDATED),
            "updatesInProgressDeviceCount": standings.count(_Standing.IN_PROGRESS),
        }

    def outdated(self, devices: Iterable[str]) -> int:
        """How many devices do not have their best update."""
        return sum(self._standing(each) is not _Standing.LATEST for each in devices)

    def subgroup_counts(self, group: str) -> Json:
        """Subgroups by whether all of their devices have the best update."""
        index = self._service.index
        standings = [[self._standing(each) for each in index.members(group, name)] for name in index.subgroups(group)]
        updating = sum(_Standing.IN_PROGRESS in each for each in standings)
        latest = sum(set(each) == {_Standing.LATEST} for each in standings)
        return {
            "subgroupsWithNewUpdatesAvailableCount": len(standings) - updating - latest,
            "subgroupsWithUpdatesInProgressCount": updating,
            "subgroupsWithOnLatestUpdateCount": latest,
        }

    def device(self, device_id: str) -> Json:
        """A device, its update, and its last deployment."""
        where, reported = self._service.index.devices[device_id], self._service.reported(device_id)
        has = installed(reported)
        shown: dict[str, object] = {
            "deviceId": device_id,
            "deviceClassId": where.device_class.class_id,
            "groupId": where.group,
            "onLatestUpdate": self._standing(device_id) is _Standing.LATEST,
        }
        last = self._service.deployments.by_workflow(reported_workflow(reported)[0])
        if last is not None and device_id in last.participants:
            shown |= {
                "lastDeploymentId": last.deployment_id,
                "deploymentStatus": str(last.participants[device_id].state),
                "lastAttemptedUpdate": update_info(last.update),
                "lastInstallResult": _result(member(agent(reported), "lastInstallResult")),
            }
        return shown if has is None else {**shown, "installedUpdate": {"updateId": dict(has)}}

    def _standing(self, device_id: str) -> _Standing:
        where = self._service.index.devices[device_id]
        best, has = self.best(where.device_class), installed(self._service.reported(device_id))
        if best is None or has == best.update_id.members():
            return _Standing.LATEST
        active = self.active(where.group, where.device_class.class_id)
        told = active.participants.get(device_id) if active else None
        return _Standing.IN_PROGRESS if told and told.state is DeviceState.IN_PROGRESS else _Standing.OUTDATED


def _result(said: Json) -> Json:
    """Numbers and an array, where the twin has texts and a map."""
    steps = member(said, "stepResults")
    return {**_outcome(said), "stepResults": [_outcome(member(steps, name)) for name in sorted(steps)]}


def _outcome(said: Json) -> dict[str, object]:
    codes = said.get("extendedResultCodes")
    first = codes.partition(",")[0] if isinstance(codes, str) else ""
    try:
        extended = int(first, 16)
    except ValueError:
        extended = 0
    return {
        "resultCode": said.get("resultCode", 0),
        "extendedResultCode": extended,
        "resultDetails": said.get("resultDetails") or "",
    }
