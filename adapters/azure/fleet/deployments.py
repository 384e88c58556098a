"""Groups and deployments of one Device Update instance. A stage's group and deployment both have the stage's name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.iot.deviceupdate import DeviceUpdateClient

from adapters.azure.fleet.pacing import Pace
from adapters.azure.fleet.refusals import BAD_REQUEST, CONFLICT, PRECONDITION, Refused, Waiting
from adapters.azure.wire import UpdateId
from bridge.names import PREFIX

ACTIVE = "Active"
"""The state of a subgroup's deployment that may still be handed to devices."""
NOT_YET = frozenset({BAD_REQUEST, CONFLICT, PRECONDITION})
"""What Device Update answers who deletes a group with devices, or a deployment that is active."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment; `classes` are the device classes of its group that it goes to; `start` is the service's text."""

    update_id: UpdateId
    is_cancelled: bool
    classes: tuple[str, ...]
    start: str = ""


@dataclass(frozen=True, slots=True)
class SubgroupCounts:
    """What Device Update counts in one subgroup of a deployment; `running` are those that it calls in progress."""

    is_active: bool
    total: int
    running: int
    succeeded: int
    failed: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class Paces:
    """How fast deployments may be created, deleted and processed (cancelled, tried again), and groups looked at.

    Device Update counts each of the four by itself (Device Update limits).
    """

    creates: Pace
    deletes: Pace
    processes: Pace
    looks: Pace


class Deployments:
    """Raises what azure.iot.deviceupdate raises, Refused and Waiting."""

    def __init__(self, client: DeviceUpdateClient, paces: Paces) -> None:
        self._management = client.device_management
        self._paces = paces

    def stages(self) -> list[str]:
        """Groups of ours that Device Update shows."""
        self._paces.looks.wait()
        names = [str(group.get("groupId")) for group in self._management.list_groups()]
        return [name for name in names if name.startswith(PREFIX)]

    def has_group(self, stage: str) -> bool:
        """Whether the group is there, which it is once a device of it is indexed."""
        self._paces.looks.wait()
        try:
            self._management.get_group(stage)
        except ResourceNotFoundError:
            return False
        return True

    def find(self, group: str, deployment: str | None = None) -> Deployment | None:
        """A stage's deployment, or `deployment` of a group; None when there is none."""
        try:
            found = self._management.get_deployment(group, deployment or group)
        except ResourceNotFoundError:
            return None
        return _deployment(found)

    def create(self, stage: str, update: UpdateId, download_security: str, start: float) -> None:
        """Deploy the update to the stage's group from `start` on, in seconds since the epoch. Doing it again is doing
        it once.
        """
        self._paces.creates.wait()
        moment = datetime.fromtimestamp(start, UTC)
        self._management.create_or_update_deployment(stage, stage, _body(stage, update, moment, download_security))

    def counts(self, group: str, deployment: str) -> tuple[SubgroupCounts, ...]:
        """How the devices of each subgroup stand, as Device Update counts them."""
        told = self._management.get_deployment_status(group, deployment)
        return tuple(_counts(each) for each in told.get("subgroupStatus") or ())

    def failed(self, group: str, deployment: str, device_class: str) -> Iterator[tuple[str, int]]:
        """The devices of a subgroup that failed, page after page, and how often each was tried again."""
        listed = self._management.list_device_states_for_device_class_subgroup_deployment(
            group, device_class, deployment, filter="deviceState eq 'Failed'"
        )
        for each in listed:
            yield str(each.get("deviceId")), _count(each, "retryCount")

    def cancel(self, group: str, deployment: str | None = None) -> None:
        """End a stage's deployment, or `deployment` of a group, for all devices, for good. None there: nothing."""
        found = self.find(group, deployment)
        for device_class in found.classes if found and not found.is_cancelled else ():
            self._cancel(group, device_class, deployment or group)

    def remove(self, stage: str) -> None:
        """Delete the deployment, which was cancelled before. Raises: Waiting, it is active still."""
        if self.find(stage) is None:
            return
        self._paces.deletes.wait()
        try:
            self._management.delete_deployment(stage, stage)
        except ResourceNotFoundError:
            return
        except HttpResponseError as error:
            if error.status_code not in NOT_YET:
                raise
            raise Waiting(f"deployment {stage} cannot be deleted yet: {error.message}") from error

    def remove_group(self, stage: str) -> bool:
        """Delete the group; False while Device Update shows devices in it, which it does for some minutes."""
        try:
            self._management.delete_group(stage)
        except ResourceNotFoundError:
            return True
        except HttpResponseError as error:
            if error.status_code not in NOT_YET:
                raise
            return False
        return True

    def retry(self, stage: str) -> None:
        """Send the deployment again to the devices that failed. Raises: Refused, there is none, or it was cancelled."""
        found = self.find(stage)
        if found is None or found.is_cancelled:
            state = "was cancelled" if found else "is gone"
            raise Refused(f"deployment {stage} {state}: nothing can be tried again; apply a new rollout for the rest")
        for device_class in found.classes:
            self._paces.processes.wait()
            self._management.retry_deployment(stage, device_class, stage)

    def _cancel(self, group: str, device_class: str, deployment: str) -> None:
        """Cancelling what is cancelled is refused; then it was done."""
        self._paces.processes.wait()
        try:
            self._management.stop_deployment(group, device_class, deployment)
        except ResourceNotFoundError:
            return
        except HttpResponseError as error:
            if error.status_code not in NOT_YET or not self._is_cancelled(group, device_class, deployment):
                raise

    def _is_cancelled(self, group: str, device_class: str, deployment: str) -> bool:
        found = self._management.get_deployment_for_device_class_subgroup(group, device_class, deployment)
        return bool(found.get("isCanceled"))


def _body(stage: str, update: UpdateId, start: datetime, download_security: str) -> dict[str, Any]:
    """What Device Update is told of a deployment."""
    return {
        "deploymentId": stage,
        "groupId": stage,
        "startDateTime": start.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "update": {
            "updateId": {"provider": update.provider, "name": update.name, "version": update.version},
        },
        "downloadSecurity": download_security,
    }


def _deployment(found: Mapping[str, Any]) -> Deployment:
    told = (found.get("update") or {}).get("updateId") or {}
    update = UpdateId(*(str(told.get(name, "")) for name in ("provider", "name", "version")))
    classes = tuple(str(each) for each in found.get("deviceClassSubgroups") or ())
    return Deployment(update, bool(found.get("isCanceled")), classes, str(found.get("startDateTime", "")))


def _counts(found: Mapping[str, Any]) -> SubgroupCounts:
    return SubgroupCounts(
        is_active=found.get("deploymentState") == ACTIVE,
        total=_count(found, "totalDevices"),
        running=_count(found, "devicesInProgressCount"),
        succeeded=_count(found, "devicesCompletedSucceededCount"),
        failed=_count(found, "devicesCompletedFailedCount"),
        cancelled=_count(found, "devicesCanceledCount"),
    )


def _count(found: Mapping[str, Any], name: str) -> int:
    """A counter that the service leaves out is none."""
    value = found.get(name)
    return value if isinstance(value, int) and value > 0 else 0
