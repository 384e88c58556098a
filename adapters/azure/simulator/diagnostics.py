"""Log collections: devices are asked, through their twins, to upload their logs into a container."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from werkzeug.routing import Rule

from adapters.azure.simulator.answers import Answer, Call, Operation
from adapters.azure.simulator.blob_access import BlobAccess
from adapters.azure.simulator.blob_sas import Place
from adapters.azure.simulator.device_classes import member
from adapters.azure.simulator.device_update import DeviceUpdate
from adapters.azure.simulator.moments import moment
from adapters.azure.simulator.odata import page
from adapters.azure.simulator.refusals import Json, Refused, invalid, not_found

CONTAINER = "diagnostics"
_MOST_DEVICES = 100
_DONE = 200
_LOGS = "/management/deviceDiagnostics/logCollections"
RULES = (
    Rule(_LOGS, methods=["GET"], endpoint="logs"),
    Rule(f"{_LOGS}/<collection>", methods=["GET"], endpoint="log"),
    Rule(f"{_LOGS}/<collection>", methods=["PUT"], endpoint="log_put"),
    Rule(f"{_LOGS}/<collection>/detailedStatus", methods=["GET"], endpoint="log_details"),
)


class _Device(Struct, frozen=True, rename="camel"):
    device_id: str


class _Request(Struct, frozen=True, rename="camel"):
    device_list: Annotated[tuple[_Device, ...], Meta(min_length=1, max_length=_MOST_DEVICES)]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Collection:
    """One log collection; `created` in seconds since the epoch."""

    operation_id: str
    devices: Sequence[str]
    description: str
    created: float


class LogCollections:
    """The collections of one instance, and their REST. Whoever calls holds the instance."""

    def __init__(self, service: DeviceUpdate, access: BlobAccess) -> None:
        self._service = service
        self._access = access
        self._collections: dict[str, Collection] = {}
        self.storage_url = ""
        """Where devices reach the storage account; set once it is served."""
        self.operations: Mapping[str, Operation] = {
            "logs": self._list,
            "log": lambda call: Answer(self._shape(self._collection(call))),
            "log_put": self._put,
            "log_details": self._details,
        }

    def begin(self, devices: Sequence[str], now: float, *, description: str = "", name: str = "") -> Collection:
        """Ask devices for their logs. Raises: Refused 404, HubError."""
        for device_id in devices:
            if device_id not in self._service.index.devices:
                raise not_found("Device", device_id)
        begun = Collection(name or uuid.uuid4().hex, tuple(devices), description, now)
        self._collections[begun.operation_id] = begun
        where = f"{self.storage_url}/{CONTAINER}?{self._access.grant(Place(CONTAINER), 'racwl')}"
        asked = {"__t": "c", "service": {"operationId": begun.operation_id, "storageSasUrl": where}}
        for device_id in devices:
            self._service.hub.patch_twin(device_id, {"properties": {"desired": {"diagnosticInformation": asked}}})
        return begun

    def _put(self, call: Call) -> Answer:
        try:
            wanted = msgspec.json.decode(call.request.get_data(), type=_Request)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise invalid(f"the log collection: {error}") from error
        name = call.names["collection"]
        if name in self._collections:
            raise Refused(409, "LogCollectionAlreadyExists", f"log collection {name} exists")
        devices = [each.device_id for each in wanted.device_list]
        with self._service.transaction() as now:
            begun = self.begin(devices, now, description=wanted.description, name=name)
        return Answer(self._shape(begun), status=201)

    def _list(self, call: Call) -> Answer:
        return Answer(page(call.request, [self._shape(each) for each in self._collections.values()]).body())

    def _details(self, call: Call) -> Answer:
        found = self._collection(call)
        devices = [self._device_shape(each, found.operation_id) for each in found.devices]
        return Answer({**self._shape(found), "deviceStatus": devices})

    def _collection(self, call: Call) -> Collection:
        found = self._collections.get(call.names["collection"])
        if found is None:
            raise not_found("Log collection", call.names["collection"])
        return found

    def _shape(self, shown: Collection) -> Json:
        states = {str(self._device_shape(each, shown.operation_id)["status"]) for each in shown.devices}
        ended = "Failed" if "Failed" in states else "Succeeded"
        return {
            "operationId": shown.operation_id,
            "deviceList": [{"deviceId": each} for each in shown.devices],
            "description": shown.description,
            "createdDateTime": moment(shown.created),
            "lastActionDateTime": moment(shown.created),
            "status": "Running" if "Running" in states else ended,
        }

    def _device_shape(self, device_id: str, operation_id: str) -> Json:
        said = member(self._service.reported(device_id), "diagnosticInformation", "agent")
        if said.get("operationId") != operation_id:
            return {"deviceId": device_id, "status": "Running"}
        return {
            "deviceId": device_id,
            "status": "Succeeded" if said.get("resultCode") == _DONE else "Failed",
            "resultCode": str(said.get("resultCode")),
            "extendedResultCode": str(said.get("extendedResultCode")),
            "logLocation": f"{CONTAINER}/{device_id}/{operation_id}",
        }
