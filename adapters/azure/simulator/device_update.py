"""One instance of Device Update: its updates, its view of devices, its deployments, and their delivery.

All of it changes inside `transaction`, which first catches up with twins and clock, so that whoever asks sees what is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.azure.simulator.content import ContentHost
from adapters.azure.simulator.delivery import IDLE, Delivery, Goal, Switches, goal_of
from adapters.azure.simulator.deployments import Deployment, Deployments
from adapters.azure.simulator.device_classes import Membership, membership
from adapters.azure.simulator.hub import Hub
from adapters.azure.simulator.hub_errors import HubError
from adapters.azure.simulator.importing import Importer, ImportItem
from adapters.azure.simulator.index import Index
from adapters.azure.simulator.manifest import ManifestRefused, UpdateId
from adapters.azure.simulator.operations import Operation, Operations, Status
from adapters.azure.simulator.signing import ServiceKeys
from adapters.azure.simulator.states import reported_state, reported_workflow
from adapters.azure.simulator.twins import TwinDevice
from adapters.azure.simulator.updates import UpdateStore
from adapters.simulation.clock import Agenda, VirtualClock

_LOG = logging.getLogger(__name__)
_IMPORTS_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Delays:
    """How long the service takes, in seconds of the clock; the real one takes minutes for most of it.

    index: from a twin to groups; delivery: from a deployment to twins; status: from a twin to a deployment's counters
    """

    delivery_seconds: float = 0.0
    index_seconds: float = 0.0
    import_seconds: float = 0.0
    status_seconds: float = 0.0


class DeviceUpdate:
    """The instance. Whoever runs it calls `catch_up` now and then."""

    def __init__(
        self,
        hub: Hub,
        content: ContentHost,
        keys: ServiceKeys,
        *,
        clock: VirtualClock,
        delays: Delays,
        switches: Switches,
        wake: Callable[[], None],
    ) -> None:
        self.hub = hub
        self.delays = delays
        self.updates = UpdateStore()
        self.operations = Operations()
        self.deployments = Deployments()
        self.index = Index(self._membership)
        self.delivery = Delivery(hub, self.updates, content, keys, switches)
        self._clock = clock
        self._wake = wake
        self._agenda = Agenda()
        self._changed = threading.Condition(threading.RLock())
        self._inbox_lock = threading.Lock()
        self._inbox: dict[str, None] = {}
        self._quiet_until: dict[str, float] = {}
        self._pool = ThreadPoolExecutor(_IMPORTS_AT_ONCE, thread_name_prefix="azure-import")
        hub.listen(self._hear)

    def stop(self) -> None:
        """Wait for imports to end."""
        self._pool.shutdown()

    @contextmanager
    def transaction(self) -> Iterator[float]:
        """Hold the instance, caught up with everything; yields the time."""
        with self._changed:
            now = self._clock.now()
            self._catch_up(now)
            yield now
            self._catch_up(self._clock.now())
            self._changed.notify_all()

    def catch_up(self) -> None:
        """Do what is due."""
        with self.transaction():
            pass

    def wait_until(self, predicate: Callable[[], bool], timeout: float = 30.0) -> bool:
        """Wait until `predicate`, asked after each change here, holds; False if it never does."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not predicate():
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return predicate()
        return True

    # --- updates

    def import_updates(self, importer: Importer, batch: tuple[ImportItem, ...]) -> Operation:
        """Begin an import, which goes on in a thread of its own. Raises: Refused 429."""
        with self.transaction() as now:
            operation = self.operations.begin(now, self.delays.import_seconds)
            operation.makes_update, operation.content = True, batch[0].import_manifest.hashes.get("sha256", "")
            if self.operations.twin_of(operation) is not None:
                operation.fail(ManifestRefused("DuplicateContentImport", "the same is being imported already"), now)
                return operation
        # A callback that raises is logged: nothing that goes wrong in the thread is lost.
        self._pool.submit(self._import, operation, importer, batch).add_done_callback(Future.result)
        return operation

    def delete_update(self, update_id: UpdateId) -> Operation:
        """Begin to delete an update. Raises: Refused 429."""
        with self.transaction() as now:
            operation = self.operations.begin(now, self.delays.import_seconds)
            operation.update_id, operation.status = update_id, Status.RUNNING
            operation.effect = lambda _: self._delete(update_id)
        return operation

    def _import(self, operation: Operation, importer: Importer, batch: tuple[ImportItem, ...]) -> None:
        with self.transaction():
            operation.status = Status.RUNNING
        try:
            fetched = importer.fetch(batch)
        except ManifestRefused as error:
            with self.transaction() as now:
                operation.fail(error, now)
            return
        with self.transaction():
            operation.update_id = fetched[-1].update_id
            operation.effect = lambda when: importer.take_in(fetched, when)

    def _delete(self, update_id: UpdateId) -> None:
        users = [each.deployment_id for each in self.deployments if each.update.update_id == update_id]
        users += map(str, self.updates.parents(update_id))
        if users or self.updates.get(update_id) is None:
            why = f"is in use by {', '.join(users)}" if users else "does not exist"
            raise ManifestRefused("UpdateInUse" if users else "NotFound", f"update {update_id} {why}")
        self.updates.remove(update_id)

    # --- deployments

    def deploy(self, deployment: Deployment) -> None:
        """Put a deployment in force once its start has come. Raises: Refused, at a limit."""
        known = self.index.classes
        deployment.classes |= {
            each for each in self.index.subgroups(deployment.group) if known[each].takes(deployment.update)
        }
        self.deployments.add(deployment, known.values())
        self._agenda.at(deployment.start, lambda _: self.consider_group(deployment.group))

    def retry(self, deployment: Deployment, class_id: str, now: float) -> None:
        """Send it again to the devices of a subgroup that failed."""
        for device_id in deployment.retry(class_id, now):
            self._consider(device_id, now)

    def consider_group(self, group: str) -> None:
        """Whether the devices of a group have the right goal."""
        now = self._clock.now()
        for device_id in self.index.members(group):
            self._consider(device_id, now)

    def redeliver(self, device_id: str) -> None:
        """Write a device's goal again as it is."""
        with self.transaction() as now:
            self.delivery.forget(device_id)
            self._settle(device_id, now)

    def reported(self, device_id: str) -> Mapping[str, object]:
        """What a device reports; nothing once it is gone."""
        twin = self._twin(device_id)
        return twin.reported.values if twin else {}

    # --- inside

    def _hear(self, device_id: str, part: str) -> None:
        """May be called on the MQTT server's thread: only notes the device."""
        if part != "desired":
            with self._inbox_lock:
                self._inbox[device_id] = None
            self._wake()

    def _catch_up(self, now: float) -> None:
        with self._inbox_lock:
            noted, self._inbox = self._inbox, {}
        for device_id in noted:
            self._observe(device_id, now)
        self._agenda.run_due(now)
        self.operations.finish_due(now)

    def _observe(self, device_id: str, now: float) -> None:
        """Read what a device reports, and where it belongs, each after a while."""
        if self._twin(device_id) is None:
            self.delivery.forget(device_id)
        self._agenda.at(now + self.delays.status_seconds, lambda _: self._read_state(device_id))
        if self.index.differs(device_id):
            self._agenda.at(now + self.delays.index_seconds, lambda when: self._refresh(device_id, when))

    def _refresh(self, device_id: str, now: float) -> None:
        if self.index.refresh(device_id, now):
            self._consider(device_id, now)

    def _consider(self, device_id: str, now: float) -> None:
        _, goal = self._goal(device_id, now)
        if device_id in self.index.devices and self.delivery.differs(device_id, goal):
            self._agenda.at(now + self.delays.delivery_seconds, lambda when: self._settle(device_id, when))

    def _settle(self, device_id: str, now: float) -> None:
        """Write the goal that the device has by now, unless it has been told."""
        deployment, goal = self._goal(device_id, now)
        where = self.index.devices.get(device_id)
        if where is None or not self.delivery.differs(device_id, goal):
            return
        if now < self._quiet_until.get(device_id, now):
            return
        if self.delivery.clears_first(device_id, goal):
            self._quiet_until[device_id] = now + self.delays.delivery_seconds
            self._tell(device_id, IDLE, None)
            self._consider(device_id, now)
            return
        for each in self.deployments:
            if each is not deployment and device_id in each.participants:
                each.participants[device_id].moved_on = True
        if deployment is not None:
            deployment.take_in(device_id, where.device_class.class_id)
        self._tell(device_id, goal, deployment)
        self._read_state(device_id)

    def _tell(self, device_id: str, goal: Goal, deployment: Deployment | None) -> None:
        try:
            self.delivery.tell(device_id, goal, deployment)
        except HubError as error:
            _LOG.warning("device %s cannot be told its goal: %s", device_id, error)

    def _goal(self, device_id: str, now: float) -> tuple[Deployment | None, Goal]:
        where = self.index.devices.get(device_id)
        deployment = self.deployments.goal(where.group, where.device_class, now) if where else None
        return deployment, goal_of(deployment, deployment.participants.get(device_id) if deployment else None)

    def _read_state(self, device_id: str) -> None:
        """What a device reports about a workflow counts if it is about the last try of it."""
        reported = self.reported(device_id)
        workflow_id, retry = reported_workflow(reported)
        deployment = self.deployments.by_workflow(workflow_id)
        participant = deployment.participants.get(device_id) if deployment else None
        if deployment is None or participant is None or participant.retry != retry:
            return
        state = reported_state(reported, deployment.update.update_id)
        if participant.class_id not in deployment.cancelled or state is not state.IN_PROGRESS:
            participant.state = state

    def _membership(self, device_id: str) -> Membership | None:
        twin = self._twin(device_id)
        return membership(twin.tags.values, twin.reported.values, twin.model_id) if twin else None

    def _twin(self, device_id: str) -> TwinDevice | None:
        try:
            return self.hub.device(device_id)
        except HubError:
            return None
