"""Device Update's log collection: the logs that the device is set up to give, uploaded when the service asks.

Component `diagnosticInformation` (`dtmi:azure:iot:diagnosticInformation;1`); its result codes are those of Microsoft's
agent. A collection is answered once, whatever comes of it, and nothing that goes wrong here is an error of the channel.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from adapters.azure.channel.deadline import Overdue, settle
from adapters.azure.channel.files import FileRefused, Files
from adapters.azure.channel.settings import AzureSettings
from bridge.release.errors import ChannelError
from bridge.release.manifest import PRINTABLE

COMPONENT = "diagnosticInformation"
NO_EXTENDED = 0
"""A number here, where the deployment's own are hexadecimal text."""
KILOBYTE = 1024

Members = Mapping[str, object]

_log = logging.getLogger(__name__)
_OPERATION = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Result(IntEnum):
    """How a collection ended."""

    SUCCESS = 200
    NO_LOGS_FOUND = -1
    UPLOAD_FAILED = -2
    BAD_CREDENTIAL = -4
    NO_LOG_FILES = -5
    NO_OPERATION_ID = -6
    NO_CREDENTIAL = -7


@dataclass(frozen=True, slots=True)
class Request:
    """One collection that the service asks for; `container_url` carries the signature that lets a device write.

    Both are "" where they are missing, or none.
    """

    operation: str
    container_url: str
    version: int


class _ServiceWire(msgspec.Struct, frozen=True, rename="camel"):
    operation_id: Annotated[str, msgspec.Meta(max_length=256, pattern=PRINTABLE)] = ""
    storage_sas_url: Annotated[str, msgspec.Meta(max_length=4096, pattern=PRINTABLE)] = ""


class LogCollection:
    """Answers collections. One that was uploaded is not uploaded again because its answer was lost."""

    def __init__(self, settings: AzureSettings, files: Files) -> None:
        self._settings = settings
        self._files = files
        self._ended: tuple[str, Result] | None = None

    def answer(self, desired: Members, reported: Members, device: str) -> dict[str, object] | None:
        """The patch that ends what `desired` asks for; None where nothing is open. Never raises."""
        request = pending_request(desired, reported)
        if request is None:
            return None
        if self._ended is None or self._ended[0] != request.operation:
            self._ended = request.operation, upload_logs(request, device, self._settings, self._files)
        return answer(request, self._ended[1])


def pending_request(desired: Members, reported: Members) -> Request | None:
    """The collection that `desired` asks for, unless `reported` shows that it was answered. Pure."""
    received, told = _part(desired, "service"), _part(reported, "service") or {}
    version = desired.get("$version")
    if received is None or not isinstance(version, int):
        return None
    try:
        wire = msgspec.convert(received, _ServiceWire)
    except (msgspec.ValidationError, UnicodeError) as error:
        _log.debug("desired %s.service: %s", COMPONENT, error)
        wire = _ServiceWire()
    request = Request(wire.operation_id, wire.storage_sas_url, version)
    return None if told.get("av") == version or told.get("value") == _echo(request) else request


def answer(request: Request, result: Result) -> dict[str, object]:
    """The patch of reported properties that ends a collection. Pure."""
    agent = {"resultCode": int(result), "extendedResultCode": NO_EXTENDED, "operationId": request.operation}
    service = {"value": _echo(request), "ac": 200, "ad": "", "av": request.version}
    return {COMPONENT: {"__t": "c", "agent": agent, "service": service}}


def _echo(request: Request) -> dict[str, str]:
    """What was received, as far as it made sense: a twin has little room, and less for what is hostile."""
    return {"operationId": request.operation, "storageSasUrl": request.container_url}


def upload_logs(request: Request, device: str, settings: AzureSettings, files: Files) -> Result:
    """Upload what is to be had; never raises for anything that a request, a file or a server may have wrong."""
    refusal = _refusal(request, settings)
    if refusal is not None:
        return refusal
    try:
        work = settle(lambda: _upload_all(request, device, settings, files), settings.files_seconds, COMPONENT)
    except Overdue as error:
        _log.warning("logs of operation %s: %s", request.operation, error)
        return Result.UPLOAD_FAILED
    return work.result()


def _refusal(request: Request, settings: AzureSettings) -> Result | None:
    if not settings.log_files:
        return Result.NO_LOG_FILES
    if not _OPERATION.fullmatch(request.operation) or request.operation.strip(".") == "":
        return Result.NO_OPERATION_ID
    if not request.container_url:
        return Result.NO_CREDENTIAL
    return None


def _upload_all(request: Request, device: str, settings: AzureSettings, files: Files) -> Result:
    results = []
    for path, name in _names(settings.log_files).items():
        data = _tail(path, settings.log_kilobytes * KILOBYTE)
        if data:
            results.append(_upload(request, device, name, data, files))
    if not results:
        return Result.NO_LOGS_FOUND
    return next((result for result in results if result is not Result.SUCCESS), Result.SUCCESS)


def _upload(request: Request, device: str, name: str, data: bytes, files: Files) -> Result:
    try:
        files.put(_blob_url(request, device, name), data)
    except FileRefused as error:
        _log.warning("logs of operation %s: %s", request.operation, error)
        return Result.BAD_CREDENTIAL
    except (ChannelError, ValueError) as error:
        _log.warning("logs of operation %s: %s", request.operation, error)
        return Result.UPLOAD_FAILED
    return Result.SUCCESS


def _blob_url(request: Request, device: str, name: str) -> str:
    """Raises: ValueError where the container's URL is none."""
    parts = urlsplit(request.container_url)
    path = "/".join([parts.path.rstrip("/"), *(quote(each, safe="") for each in (device, request.operation, name))])
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _names(paths: Sequence[str]) -> dict[str, str]:
    """A blob's name for each path: the file's own, where no other has it."""
    names: dict[str, str] = {}
    for at, path in enumerate(paths):
        name = Path(path).name
        names[path] = f"{at}-{name}" if name in names.values() else name
    return names


def _tail(path: str, most: int) -> bytes:
    """The last `most` bytes of a file; none of one that cannot be read."""
    try:
        with Path(path).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            return file.read(most)
    except OSError as error:
        _log.warning("log_files %s: %s", path, error.strerror)
        return b""


def _part(half: Members, name: str) -> Members | None:
    component = half.get(COMPONENT)
    part = component.get(name) if isinstance(component, Mapping) else None
    return part if isinstance(part, Mapping) else None
