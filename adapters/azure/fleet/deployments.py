"""Groups and deployments of one Device Update instance. A stage's group and deployment both have the stage's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.iot.deviceupdate import DeviceUpdateClient

from adapters.azure.fleet.pacing import Pace
from adapters.azure.fleet.refusals import BAD_REQUEST, CONFLICT, PRECONDITION, Refused, Waiting
from adapters.azure.wire import UpdateId
from bridge.names import PREFIX

NOT_YET = frozenset({BAD_REQUEST, CONFLICT, PRECONDITION})
"""What Device Update answers who deletes a group with devices, or a deployment that is active."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment; `classes` are the device classes of its group that it goes to."""

    update_id: UpdateId
    is_cancelled: bool
    classes: tuple[str, ...]


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

    def find(self, stage: str) -> Deployment | None:
        """The stage's deployment; None when there is none."""
        try:
            found = self._management.get_deployment(stage, stage)
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

    def cancel(self, stage: str) -> None:
        """End the deployment for all devices, for good. None there: nothing."""
        found = self.find(stage)
        for device_class in found.classes if found and not found.is_cancelled else ():
            self._cancel(stage, device_class)

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

    def _cancel(self, stage: str, device_class: str) -> None:
        """Cancelling what is cancelled is refused; then it was done."""
        self._paces.processes.wait()
        try:
            self._management.stop_deployment(stage, device_class, stage)
        except ResourceNotFoundError:
            return
        except HttpResponseError as error:
            if error.status_code not in NOT_YET or not self._is_cancelled(stage, device_class):
                raise

    def _is_cancelled(self, stage: str, device_class: str) -> bool:
        found = self._management.get_deployment_for_device_class_subgroup(stage, device_class, stage)
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
    return Deployment(update, bool(found.get("isCanceled")), classes)
