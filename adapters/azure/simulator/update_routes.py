"""REST of Device Update for updates: import, look, delete, and the operations that take a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import UNSET, to_builtins
from werkzeug.routing import Rule

from adapters.azure.simulator.answers import Answer, Call, Operation
from adapters.azure.simulator.device_update import DeviceUpdate
from adapters.azure.simulator.importing import Importer, parse_batch
from adapters.azure.simulator.manifest import File, UpdateId
from adapters.azure.simulator.moments import moment
from adapters.azure.simulator.odata import matching, page
from adapters.azure.simulator.operations import Operation as LongRunning
from adapters.azure.simulator.operations import shape
from adapters.azure.simulator.refusals import Json, not_found
from adapters.azure.simulator.sending import names as etag_named
from adapters.azure.simulator.updates import StoredFile, Update

_PROVIDERS = "/updates/providers"
_NAMES = f"{_PROVIDERS}/<provider>/names"
_VERSIONS = f"{_NAMES}/<name>/versions"
_VERSION = f"{_VERSIONS}/<version>"
RULES = (
    Rule("/updates", methods=["GET"], endpoint="updates_list"),
    Rule("/updates:import", methods=["POST"], endpoint="import"),
    Rule(_PROVIDERS, methods=["GET"], endpoint="providers"),
    Rule(_NAMES, methods=["GET"], endpoint="names"),
    Rule(_VERSIONS, methods=["GET"], endpoint="versions"),
    Rule(_VERSION, methods=["GET"], endpoint="update"),
    Rule(_VERSION, methods=["DELETE"], endpoint="update_delete"),
    Rule(f"{_VERSION}/files", methods=["GET"], endpoint="files"),
    Rule(f"{_VERSION}/files/<file>", methods=["GET"], endpoint="file"),
    Rule("/updates/operations", methods=["GET"], endpoint="import_operations"),
    Rule("/updates/operations/<operation>", methods=["GET"], endpoint="import_operation"),
)
_RETRY = {"Retry-After": "0"}


class UpdateRoutes:
    """The operations of `RULES`, from request to JSON. `base` is the path of the instance."""

    def __init__(self, service: DeviceUpdate, importer: Importer, base: str) -> None:
        self._service = service
        self._importer = importer
        self._base = base
        self.operations: Mapping[str, Operation] = {
            "updates_list": self._list,
            "import": self._import,
            "providers": lambda call: self._distinct(call, lambda each: each.provider),
            "names": lambda call: self._distinct(call, lambda each: each.name),
            "versions": lambda call: self._distinct(call, lambda each: each.version),
            "update": self._show,
            "update_delete": self._delete,
            "files": self._files,
            "file": self._file,
            "import_operations": self._operations,
            "import_operation": self._operation,
        }

    def _list(self, call: Call) -> Answer:
        wanted = call.request.args.get("search", "").strip('"').lower()
        found = [self._shape(each) for each in self._service.updates if wanted in _words(each)]
        fields = {"isDeployable": lambda shown: shown["isDeployable"]}
        return Answer(page(call.request, matching(call.request, found, fields)).body())

    def _import(self, call: Call) -> Answer:
        batch = parse_batch(call.request.get_data())
        return self._accepted(call, self._service.import_updates(self._importer, batch))

    def _distinct(self, call: Call, part: Callable[[UpdateId], str]) -> Answer:
        ids = [each.update_id for each in self._service.updates]
        for name in ("provider", "name"):
            if name in call.names:
                ids = [each for each in ids if getattr(each, name) == call.names[name]]
        if not ids and call.names:
            raise not_found("Update", "/".join(call.names.values()))
        return Answer(page(call.request, sorted({part(each) for each in ids})).body())

    def _show(self, call: Call) -> Answer:
        update = self._update(call)
        if etag_named(call.request.headers.get("If-None-Match", ""), update.etag):
            return Answer(status=304)
        return Answer(self._shape(update), headers={"ETag": update.etag})

    def _delete(self, call: Call) -> Answer:
        return self._accepted(call, self._service.delete_update(self._update(call).update_id))

    def _files(self, call: Call) -> Answer:
        ids = [self._stored(call, each.filename).file_id for each in self._update(call).manifest.files]
        return Answer(page(call.request, ids).body())

    def _file(self, call: Call) -> Answer:
        for stored in self._update(call).files.values():
            if stored.file_id == call.names["file"]:
                return Answer(_file_shape(stored))
        raise not_found("File", call.names["file"])

    def _operations(self, call: Call) -> Answer:
        shown = [shape(each, self._location) for each in self._service.operations]
        found = matching(call.request, shown, {"status": lambda each: each["status"]})
        top = call.request.args.get("top", "")
        return Answer(page(call.request, found[: int(top)] if top.isdecimal() else found).body())

    def _operation(self, call: Call) -> Answer:
        operation = self._service.operations.get(call.names["operation"])
        shown = shape(operation, self._location)
        if etag_named(call.request.headers.get("If-None-Match", ""), str(shown["etag"])):
            return Answer(status=304)
        return Answer(shown, headers={"ETag": str(shown["etag"]), **({} if operation.ended else _RETRY)})

    def _accepted(self, call: Call, operation: LongRunning) -> Answer:
        version = call.request.args.get("api-version", "")
        where = f"{self._base}/updates/operations/{operation.operation_id}?api-version={version}"
        return Answer(status=202, headers={"Operation-Location": where})

    def _update(self, call: Call) -> Update:
        name = "/".join(call.names[each] for each in ("provider", "name", "version"))
        update = self._service.updates.get(name)
        if update is None:
            raise not_found("Update", name)
        return update

    def _stored(self, call: Call, filename: str) -> StoredFile:
        return self._update(call).files[filename]

    def _location(self, update_id: UpdateId) -> str:
        path = f"{update_id.provider}/names/{update_id.name}/versions/{update_id.version}"
        return f"{self._base}{_PROVIDERS}/{path}?api-version=2026-06-01"

    def _shape(self, update: Update) -> Json:
        manifest = update.manifest
        shown: dict[str, object] = {
            "updateId": update.update_id.members(),
            "description": None if manifest.description is UNSET else manifest.description,
            "friendlyName": update.friendly_name,
            "isDeployable": manifest.is_deployable,
            "compatibility": list(manifest.compatibility),
            "instructions": {"steps": to_builtins(update.steps())},
            "installedCriteria": update.installed_criteria(),
            "referencedBy": [each.members() for each in self._service.updates.parents(update.update_id)],
            "manifestVersion": manifest.manifest_version,
            "importedDateTime": moment(update.imported),
            "createdDateTime": manifest.created_date_time,
            "etag": update.etag,
        }
        return {name: value for name, value in shown.items() if value is not None}


def update_info(update: Update) -> Json:
    """An update as other answers mention it."""
    said = {"description": update.manifest.description, "friendlyName": update.friendly_name}
    shown = {name: value for name, value in said.items() if value not in (None, UNSET)}
    return {"updateId": update.update_id.members(), **shown}


def update_infos(updates: Sequence[Update]) -> list[Json]:
    """Several."""
    return [update_info(each) for each in updates]


def _words(update: Update) -> str:
    return f"{update.update_id} {update.manifest.description} {update.friendly_name}".lower()


def _file_shape(stored: StoredFile) -> Json:
    said = stored.said
    shown: dict[str, object] = {"fileId": stored.file_id, **_particulars(stored)}
    if isinstance(said, File) and said.related_files:
        shown["relatedFiles"] = to_builtins(said.related_files)
    if isinstance(said, File) and said.download_handler is not UNSET:
        shown["downloadHandler"] = {"id": said.download_handler.id}
    return shown


def _particulars(stored: StoredFile) -> dict[str, object]:
    said = stored.said
    shown: dict[str, object] = {"fileName": said.filename, "sizeInBytes": said.size_in_bytes, "hashes": said.hashes}
    return shown if said.properties is UNSET else {**shown, "properties": said.properties}
