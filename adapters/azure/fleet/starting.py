"""How an order is started: record, examination, import, tags, group, deployment.

Each call goes on where the last one left off, does what can be done now, and raises Waiting for what Azure does in its
own time. What has been done is read from the record and from Azure; nothing is done twice that matters.

An order that is open admits more devices in the same way: Device Update hands a deployment to whoever joins its group.
"""

from __future__ import annotations

from typing import Protocol

from adapters.azure.fleet.joining_by_bucket import JoiningByBucket
from adapters.azure.fleet.joining_by_name import JoiningByName
from adapters.azure.fleet.orders import Held, new_record, opened
from adapters.azure.fleet.pacing import Patience
from adapters.azure.fleet.refusals import Refused, Waiting
from adapters.azure.fleet.request import StageRequest
from adapters.azure.fleet.services import Services
from adapters.azure.fleet.updates import FAILED, SUCCEEDED, Import, explain_failure


class Joining(Protocol):
    """How the devices of an order come into its group. Raises: Waiting, Refused."""

    def examine(self, request: StageRequest, held: Held, patience: Patience) -> Held:
        """Look at the devices before any is touched."""

    def join(self, request: StageRequest, held: Held, patience: Patience) -> Held:
        """Borrow those that are admitted from the groups that they are in; doing it again is doing it once."""

    def joined(self, request: StageRequest, held: Held, patience: Patience) -> int:
        """How many have joined, once the hub's index shows them."""


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
        joining = self._joining(request)
        held = joining.examine(request, held, patience)
        held = self._import(request, held)
        held = joining.join(request, held, patience)
        held = self._await_update(request, held, patience)
        self._open(request, held, joining.joined(request, held, patience), patience)

    def admit(self, request: StageRequest, held: Held) -> None:
        """Put more devices into the group of an `open` order, which is what offers them the release."""
        patience = self._services.patience()
        self._services.jobs.settle(held, patience)
        joining = self._joining(request)
        held = joining.join(request, held, patience)
        self._open(request, held, joining.joined(request, held, patience), patience)

    def _joining(self, request: StageRequest) -> Joining:
        return JoiningByName(self._services) if request.selection is None else JoiningByBucket(self._services)

    def _open(self, request: StageRequest, held: Held, joined: int, patience: Patience) -> None:
        """Deploy, unless that was done, or nobody is there to deploy to yet; then write down who has joined.

        Raises: Waiting, also once all is done but for devices that another order has to let go of.
        """
        if joined and not held.record.joined:
            self._await_group(request.stage, patience)
            self._deploy(request)
        self._services.orders.replace(held, opened(held.record, request, joined))
        if held.record.behind:
            raise Waiting(
                f"{held.record.behind} devices are in the middle of an earlier order still: they join stage "
                f"{request.stage} once they have ended there; the others have its offer"
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
