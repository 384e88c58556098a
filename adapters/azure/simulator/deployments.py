"""Deployments of updates to groups, and the devices that take part in each. Its owner locks."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from adapters.azure.simulator.device_classes import DeviceClass
from adapters.azure.simulator.moments import from_ticks, ticks
from adapters.azure.simulator.refusals import invalid, not_found
from adapters.azure.simulator.states import DeviceState
from adapters.azure.simulator.updates import Update

MAX_DEPLOYMENTS = 100
MAX_ACTIVE = 50
"""Deployments of a Standard account: all together, and those that are neither cancelled nor superseded."""


class State(StrEnum):
    """Of a deployment, in its group or in one subgroup."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"
    CANCELED = "Canceled"


@dataclass
class Participant:
    """One device that was told of a deployment. `retry` is the time that its goal carries."""

    class_id: str
    state: DeviceState = DeviceState.IN_PROGRESS
    retry: str | None = None
    retries: int = 0
    moved_on: bool = False


@dataclass
class Deployment:
    """One deployment. Class ids stand for subgroups of its group; `start` is in seconds since the epoch."""

    deployment_id: str
    group: str
    update: Update
    start: float
    start_text: str
    secure: bool
    workflow_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    classes: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    superseded: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    retried: set[str] = field(default_factory=set)
    participants: dict[str, Participant] = field(default_factory=dict)
    last_retry: int = 0

    def state_in(self, class_id: str) -> State:
        """How it stands in a subgroup."""
        if class_id in self.cancelled:
            return State.CANCELED
        return State.INACTIVE if class_id in self.superseded else State.ACTIVE

    @property
    def state(self) -> State:
        """How it stands in its group; one without any subgroup waits for devices."""
        states = {self.state_in(each) for each in self.classes}
        if not states or State.ACTIVE in states:
            return State.ACTIVE
        return State.CANCELED if states == {State.CANCELED} else State.INACTIVE

    def active_for(self, device_class: DeviceClass) -> bool:
        """Whether it is in force for the devices of a class, its start aside."""
        ended = self.cancelled | self.superseded | self.removed
        return device_class.class_id not in ended and device_class.takes(self.update)

    def take_in(self, device_id: str, class_id: str) -> Participant:
        """The device was told."""
        taken = self.participants.setdefault(device_id, Participant(class_id))
        taken.class_id, taken.moved_on = class_id, False
        self.classes.add(class_id)
        return taken

    def cancel(self, class_id: str) -> None:
        """Cancel it in a subgroup, for good."""
        self.cancelled.add(class_id)
        for each in self.of_class(class_id).values():
            if each.state is DeviceState.IN_PROGRESS:
                each.state = DeviceState.CANCELED

    def retry(self, class_id: str, now: float) -> list[str]:
        """Send it again to the devices of a subgroup that failed; their ids."""
        failed = [name for name, each in self.of_class(class_id).items() if each.state is DeviceState.FAILED]
        self.last_retry = max(ticks(now), self.last_retry + 1)
        for name in failed:
            each = self.participants[name]
            each.state, each.retry = DeviceState.IN_PROGRESS, from_ticks(self.last_retry)
            each.retries += 1
        self.retried.add(class_id)
        return failed

    def of_class(self, class_id: str) -> dict[str, Participant]:
        """The devices of a subgroup that were told."""
        return {name: each for name, each in self.participants.items() if each.class_id == class_id}


class Deployments:
    """All deployments, oldest first."""

    def __init__(self) -> None:
        self._all: list[Deployment] = []

    def __iter__(self) -> Iterator[Deployment]:
        return iter(tuple(self._all))

    def of_group(self, group: str) -> list[Deployment]:
        """Those of a group."""
        return [each for each in self._all if each.group == group]

    def get(self, group: str, deployment_id: str) -> Deployment:
        """The deployment. Raises: Refused 404."""
        found = self.find(group, deployment_id)
        if found is None:
            raise not_found("Deployment", deployment_id)
        return found

    def find(self, group: str, deployment_id: str) -> Deployment | None:
        """The deployment, if there is one."""
        return next((each for each in self.of_group(group) if each.deployment_id == deployment_id), None)

    def by_workflow(self, workflow_id: str) -> Deployment | None:
        """The deployment behind a workflow of a device, if there is one."""
        return next((each for each in self._all if each.workflow_id == workflow_id), None)

    def add(self, new: Deployment, classes: Iterable[DeviceClass]) -> None:
        """Put it in the place of earlier ones of its group; `classes` are all there are. Raises: Refused 400."""
        self._check_room(new)
        for old in self.of_group(new.group):
            old.superseded |= {each.class_id for each in classes if old.active_for(each) and each.takes(new.update)}
        self._all.append(new)

    def remove(self, deployment: Deployment) -> None:
        """Forget it."""
        self._all.remove(deployment)

    def goal(self, group: str, device_class: DeviceClass, now: float) -> Deployment | None:
        """The newest deployment that is in force for the devices of a class in a group."""
        started = (each for each in reversed(self._all) if each.group == group and each.start <= now)
        return next((each for each in started if each.active_for(device_class)), None)

    def _check_room(self, new: Deployment) -> None:
        if len(self._all) >= MAX_DEPLOYMENTS:
            raise invalid(f"there are {MAX_DEPLOYMENTS} deployments; delete some", "DeploymentLimitExceeded")
        active = [each for each in self._all if each.state is State.ACTIVE and each.group != new.group]
        if len(active) >= MAX_ACTIVE:
            raise invalid(f"{MAX_ACTIVE} deployments are active", "ActiveDeploymentLimitExceeded")
