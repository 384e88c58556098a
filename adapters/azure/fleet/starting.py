"""How an order is started: record, examination, import, tags, group, deployment.

Each call goes on where the last one left off, does what can be done now, and raises Waiting for what Azure does in its
own time. What has been done is read from the record and from Azure; nothing is done twice that matters.
"""

from __future__ import annotations

from collections.abc import Sized

from adapters.azure.fleet import queries
from adapters.azure.fleet.memberships import Survey, join, survey
from adapters.azure.fleet.orders import Held, State, new_record
from adapters.azure.fleet.pacing import Patience
from adapters.azure.fleet.refusals import Refused, Waiting
from adapters.azure.fleet.request import StageRequest
from adapters.azure.fleet.services import Services
from adapters.azure.fleet.updates import FAILED, SUCCEEDED, Import, explain_failure


class Starting:
    """Starts orders of one fleet. Raises: Waiting, Refused, and what Azure's libraries raise."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def begin(self, request: StageRequest, held: Held | None) -> Held:
        """The order's record, written first. Raises: Refused, it is the record of another release."""
        if held is None:
            return self._services.orders.create(request.stage, new_record(request))
        if not held.record.offers(request):
            raise Refused(
                f"stage {request.stage} exists already and offers another release: "
                "a stage order's key belongs to one release; plan the rollout under another name"
            )
        return held

    def go_on(self, request: StageRequest, held: Held) -> None:
        """Bring a `starting` order as far as it goes, at best to `open`."""
        patience = self._services.patience()
        self._services.jobs.settle(held, patience)
        held = self._examine(request, held, patience)
        held = self._import(request, held)
        held = self._tag(request, held, patience)
        held = self._await_update(request, held, patience)
        held = self._await_members(request, held, patience)
        self._await_group(request.stage, patience)
        self._deploy(request)
        self._services.orders.change(held, state=State.OPEN)

    def _examine(self, request: StageRequest, held: Held, patience: Patience) -> Held:
        """Look at every device before any is touched."""
        for chunk in queries.chunks(request.devices[held.record.examined :]):
            self._survey(request.stage, chunk)
            held = self._services.orders.change(held, examined=held.record.examined + len(chunk))
            self._require_time(held.record.examined, request, patience, "examined")
        return held

    def _tag(self, request: StageRequest, held: Held, patience: Patience) -> Held:
        """Borrow the devices from the groups that they are in."""
        for chunk in queries.chunks(request.devices[held.record.tagged :]):
            for group, devices in self._survey(request.stage, chunk).free.items():
                held = self._join(held, devices, group, patience)
            held = self._services.orders.change(held, tagged=held.record.tagged + len(chunk))
            self._require_time(held.record.tagged, request, patience, "tagged")
        return held

    def _join(self, held: Held, devices: tuple[str, ...], group: str | None, patience: Patience) -> Held:
        condition = queries.joining(devices, group)
        held, job = self._services.jobs.run(held, condition, join(held.stage, group), patience)
        if job is None or not job.changed_all(len(devices)):
            some = f"{devices[0]}{_others(devices)}"
            raise Waiting(f"{job or 'a job was not found'}; device {some} was to join stage {held.stage}")
        return held

    def _survey(self, stage: str, devices: tuple[str, ...]) -> Survey:
        """Where `devices` are. Raises: Refused, Waiting, they cannot all join."""
        found = survey(stage, devices, self._services.twins.rows(queries.members(devices)))
        if found.absent:
            some = f"device {found.absent[0]}{_others(found.absent)}"
            raise Refused(
                f"{some} is not registered in IoT Hub (any more): abort the rollout, and apply it under another name, "
                "which plans for the devices that there are"
            )
        if found.odd:
            device, tag = next(iter(found.odd.items()))
            some = f"device {device}{_others(found.odd)}"
            raise Refused(
                f"{some}: the tag ADUGroup is {str(tag)[:80]!r}, no group's name; correct it, and run the command again"
            )
        if found.held:
            device, other = next(iter(found.held.items()))
            raise self._explain_held(f"device {device}{_others(found.held)}", other)
        return found

    def _explain_held(self, devices: str, other: str) -> Exception:
        """Why `devices` cannot join now: what they wait for, or that nobody will ever give them back."""
        held = self._services.orders.read(other)
        if held is None or held.record.state is State.CLOSED:
            return Refused(
                f"{devices} is tagged for stage {other}, which no order in this fleet's container holds open: unless "
                "an otabridge with another container does, set the tag ADUGroup to what the tag otabridge.was says, or "
                "remove it, remove the tag otabridge, and run the command again"
            )
        return Waiting(
            f"{devices} is in stage {other} still (order {held.record.key}, {held.record.state}); a device is in one "
            "group of Device Update at a time, so this stage waits for that one: abort its rollout if nobody needs it"
        )

    def _import(self, request: StageRequest, held: Held) -> Held:
        """Have the update imported unless it is there, or on its way."""
        if self._services.updates.has(request):
            return held
        operation = held.record.import_operation
        if operation and self._services.updates.look(operation) is not None:
            return held
        return self._services.orders.change(held, import_operation=self._services.updates.begin(request))

    def _await_update(self, request: StageRequest, held: Held, patience: Patience) -> Held:
        updates = self._services.updates
        while not updates.has(request):
            found = updates.look(held.record.import_operation)
            if found is not None and found.status == FAILED:
                self._services.orders.change(held, import_operation="")
                raise explain_failure(request.update_id, found)
            if not patience.wait():
                raise self._explain_import(request, held, found)
        return held

    def _explain_import(self, request: StageRequest, held: Held, found: Import | None) -> Waiting:
        """What is waited for. An update that was imported and is not there was deleted: the next call imports again."""
        what = f"the import of {request.release.name} {request.release.version}"
        if found is None:
            return Waiting(f"{what} is not known to Device Update")
        if found.status != SUCCEEDED:
            return Waiting(f"{what} is {found.status}")
        self._services.orders.change(held, import_operation="")
        return Waiting(f"{what} succeeded, and the update is not there: it is imported again")

    def _await_members(self, request: StageRequest, held: Held, patience: Patience) -> Held:
        """Wait until the hub's index shows the stage; a device that does not show up may be gone: look at all again."""
        while (count := self._services.twins.count(queries.group_size(request.stage))) < len(request.devices):
            if not patience.wait():
                self._services.orders.change(held, examined=0, tagged=0)
                wanted = len(request.devices)
                raise Waiting(
                    f"the hub shows {count} of {wanted} devices in group {request.stage}; all are looked at again"
                )
        if count > len(request.devices):
            raise Refused(
                f"group {request.stage} holds {count - len(request.devices)} devices that the stage does not name: "
                "somebody tagged them; correct their tag ADUGroup, and run the command again"
            )
        return held

    def _await_group(self, stage: str, patience: Patience) -> None:
        while not self._services.deployments.has_group(stage):
            if not patience.wait():
                raise Waiting(
                    f"Device Update does not show group {stage} yet; it takes some minutes after its devices were "
                    "tagged, one of them must have been online once with its agent, and there must be room among its "
                    "100 groups"
                )

    def _deploy(self, request: StageRequest) -> None:
        found = self._services.deployments.find(request.stage)
        if found is None:
            security, now = self._services.settings.download_security, self._services.twins.now()
            self._services.deployments.create(request.stage, request.update_id, security, now)

    def _require_time(self, done: int, request: StageRequest, patience: Patience, word: str) -> None:
        if patience.is_over and done < len(request.devices):
            raise Waiting(f"{done} of {len(request.devices)} devices of stage {request.stage} are {word}")


def _others(found: Sized) -> str:
    """How many there are beside the one that is named."""
    more = len(found) - 1
    return f" (and {more} more)" if more else ""
