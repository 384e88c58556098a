"""Updates of one Device Update instance: imported once from the container, and never changed after that."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlsplit

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.core.pipeline import PipelineResponse
from azure.iot.deviceupdate import DeviceUpdateClient

from adapters.azure.fleet.pacing import Clock
from adapters.azure.fleet.refusals import Refused, Waiting
from adapters.azure.fleet.request import StageRequest, import_manifest
from adapters.azure.fleet.storage import Storage
from adapters.azure.formats.import_manifest import SUFFIX
from adapters.azure.wire import HANDLER, UpdateId

FAILED, SUCCEEDED = "Failed", "Succeeded"
COMING = frozenset({"UpdateAlreadyExists", "DuplicateContentImport", "SourceFilePendingMalwareAnalysis"})
"""An import failed with one of these because another one is under way, or Azure still looks at the files."""
ADVICE: Mapping[str, str] = {
    "ContentFileCannotDownload": "Look whether the artifacts are in the container, and run the command again",
    "CannotDownload": "Look whether the account may be reached by Device Update, and run the command again",
    "SourceFileMalwareDetected": "Azure takes a file for malware: have that corrected by its support",
    "CompatibilityAlreadyOwned": "Another update name has this manufacturer and model: release under its name",
}


@dataclass(frozen=True, slots=True)
class Import:
    """An import under way or ended, as the service tells it; `code` and `message` of one that failed."""

    status: str
    code: str = ""
    message: str = ""


class Updates:
    """The updates of one instance. Raises what azure.iot.deviceupdate raises, Refused and Waiting."""

    def __init__(self, client: DeviceUpdateClient, storage: Storage, clock: Clock, sas_hours: int) -> None:
        self._client = client
        self._storage = storage
        self._clock = clock
        self._sas_hours = sas_hours

    def has(self, request: StageRequest) -> bool:
        """Whether the update is there. Raises: Refused, one of the same id holds something else."""
        wanted = request.update_id
        try:
            found = self._client.device_update.get_update(wanted.provider, wanted.name, wanted.version)
        except ResourceNotFoundError:
            return False
        if _properties(found) != request.properties:
            raise Refused(
                f"update {_words(wanted)} is in Device Update already and does not hold this release of "
                f"{request.release.name} {request.release.version}. Device Update's updates are immutable: release "
                "under a new version, or delete that update if no device needs it"
            )
        return True

    def begin(self, request: StageRequest) -> str:
        """Have the update imported; the service's id of that operation. Raises: Waiting, it is being imported.

        Nothing is tried twice in here: the library would leave the first answer's connection open.
        """
        item = self._item(request)
        answers: list[PipelineResponse[Any, Any]] = []
        try:
            self._client.device_update.begin_import_update(
                [item], polling=False, raw_response_hook=answers.append, retry_total=0
            )
        except ResourceExistsError as error:
            raise Waiting(f"update {_words(request.update_id)} is being imported by somebody else") from error
        return _operation(answers[-1])

    def look(self, operation: str) -> Import | None:
        """How the import goes; None for one that the service does not know (any more)."""
        try:
            found = self._client.device_update.get_operation_status(operation)
        except ResourceNotFoundError:
            return None
        error = cast("Mapping[str, object]", found.get("error") or {})
        return Import(str(found.get("status")), str(error.get("code", "")), str(error.get("message", ""))[:500])

    def _item(self, request: StageRequest) -> dict[str, Any]:
        manifest = import_manifest(request, datetime.fromtimestamp(self._clock.now(), UTC))
        path = self._storage.put_octets(f"{request.stage}{SUFFIX}", manifest)
        digest = base64.b64encode(hashlib.sha256(manifest).digest()).decode()
        url = self._storage.link(path, self._sas_hours)
        return {
            "importManifest": {"url": url, "sizeInBytes": len(manifest), "hashes": {"sha256": digest}},
            "files": [{"filename": name, "url": url} for name, url in self._links(request)],
        }

    def _links(self, request: StageRequest) -> Iterator[tuple[str, str]]:
        for name, octets in request.metadata.items():
            yield name, self._storage.link(self._storage.put_octets(name, octets), self._sas_hours)
        for artifact in request.release.artifacts:
            path = self._storage.path(artifact.sha256, artifact.name)
            yield artifact.name, self._storage.link(path, self._sas_hours)


def explain_failure(update: UpdateId, failed: Import) -> Exception:
    """Why an import failed, as Waiting where another try may do."""
    text = f"the import of update {_words(update)} failed: {failed.code}: {failed.message}"
    if failed.code in COMING:
        return Waiting(f"{text}; it is looked at again")
    return Refused(f"{text}. {_advice(failed.code)}")


def _advice(code: str) -> str:
    if "LimitExceeded" in code:
        return "A quota of Device Update is used up: delete old updates, or have it raised"
    return ADVICE.get(code, "Correct what Azure names and run the command again")


def _properties(update: Mapping[str, Any]) -> object:
    """`handlerProperties` of the update's one step; None for an update that is none of ours."""
    steps = (update.get("instructions") or {}).get("steps") or []
    if len(steps) != 1 or steps[0].get("handler") != HANDLER:
        return None
    return steps[0].get("handlerProperties")


def _operation(answer: PipelineResponse[Any, Any]) -> str:
    """The id at the end of Operation-Location, which may be relative."""
    location = str(answer.http_response.headers.get("Operation-Location", ""))
    return urlsplit(location).path.rstrip("/").rpartition("/")[2]


def _words(update: UpdateId) -> str:
    return f"{update.provider}/{update.name}/{update.version}"
