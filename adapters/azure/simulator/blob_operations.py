"""What storage does with one blob: put, blocks, get, head, metadata, delete."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import IO
from xml.etree import ElementTree as ET

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from adapters.azure.simulator.blob_access import BlobRefused
from adapters.azure.simulator.blob_sas import Place
from adapters.azure.simulator.blob_store import OCTETS, Blob, BlobStore, Container, Description, Write
from adapters.azure.simulator.moments import http_date
from adapters.azure.simulator.sending import RangeNotSatisfiable, Sendable, names, send
from adapters.simulation.faults import Fault

_META = "x-ms-meta-"
_MAX_XML = 4 * 1024 * 1024
_MAX_BLOCKS = 50_000


class BlobOperations:
    """The operations on a blob, each from request to response."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    def put(self, request: Request, place: Place, _fault: Fault | None) -> Response:
        """Put Blob, block blobs only."""
        if request.headers.get("x-ms-blob-type") != "BlockBlob":
            raise BlobRefused(400, "InvalidHeaderValue", "x-ms-blob-type must be BlockBlob here.")
        path = self._store.file(_streamed(request.stream))
        with self._store.locked():
            container = self.container(place)
            _check_write(request, container.blobs.get(place.blob))
            return _committed(self._store.put(container, place.blob, path, _description(request)))

    def put_block(self, request: Request, place: Place, _fault: Fault | None) -> Response:
        """Put Block."""
        path = self._store.file(_streamed(request.stream))
        with self._store.locked():
            self._store.stage(self.container(place), place.blob, request.args.get("blockid", ""), path)
        return Response(status=201)

    def put_block_list(self, request: Request, place: Place, _fault: Fault | None) -> Response:
        """Put Block List, of blocks that were staged since the last commit."""
        blocks = _listed_blocks(request)
        with self._store.locked():
            container = self.container(place)
            _check_write(request, container.blobs.get(place.blob))
            path = self._store.joined(container, place.blob, blocks)
            if path is None:
                raise BlobRefused(400, "InvalidBlockList", "The specified block list is invalid.")
            return _committed(self._store.put(container, place.blob, path, _description(request)))

    def get(self, request: Request, place: Place, fault: Fault | None) -> Response:
        """Get Blob and Get Blob Properties."""
        with self._store.locked():
            blob = self._existing(place)
        _check_match(request, blob)
        if names(request.headers.get("If-None-Match", ""), blob.etag):
            return Response(status=304, headers={"ETag": blob.etag})
        try:
            return send(request, Sendable(blob.path, blob.size, blob.etag, _headers(blob)), fault)
        except RangeNotSatisfiable as error:
            raise BlobRefused(416, "InvalidRange", "The range specified is invalid for the resource.") from error

    def set_metadata(self, request: Request, place: Place, _fault: Fault | None) -> Response:
        """Set Blob Metadata: all of it anew."""
        with self._store.locked():
            blob = self._existing(place)
            _check_match(request, blob)
            said = Description(blob.content_type, _metadata(request.headers))
            written = self._store.put(self.container(place), place.blob, blob.path, said)
        return Response(status=200, headers=_versions(written))

    def delete(self, request: Request, place: Place, _fault: Fault | None) -> Response:
        """Delete Blob."""
        with self._store.locked():
            _check_match(request, self._existing(place))
            self._store.remove(self.container(place), place.blob)
        return Response(status=202)

    def container(self, place: Place) -> Container:
        """The container. Raises: BlobRefused."""
        container = self._store.containers.get(place.container)
        if container is None:
            raise BlobRefused(404, "ContainerNotFound", "The specified container does not exist.")
        return container

    def _existing(self, place: Place) -> Blob:
        blob = self.container(place).blobs.get(place.blob)
        if blob is None:
            raise BlobRefused(404, "BlobNotFound", "The specified blob does not exist.")
        return blob


def _check_write(request: Request, blob: Blob | None) -> None:
    if blob is not None and names(request.headers.get("If-None-Match", ""), blob.etag):
        raise BlobRefused(409, "BlobAlreadyExists", "The specified blob already exists.")
    _check_match(request, blob)


def _check_match(request: Request, blob: Blob | None) -> None:
    wanted = request.headers.get("If-Match")
    if wanted is not None and not names(wanted, blob.etag if blob else None):
        raise BlobRefused(412, "ConditionNotMet", "The condition of the HTTP conditional headers is not met.")


def _description(request: Request) -> Description:
    kind = request.headers.get("x-ms-blob-content-type") or OCTETS
    return Description(kind, _metadata(request.headers))


def _metadata(headers: Headers) -> dict[str, str]:
    return {name.lower()[len(_META) :]: value for name, value in headers.items() if name.lower().startswith(_META)}


def _committed(blob: Blob) -> Response:
    return Response(status=201, headers={**_versions(blob), "x-ms-request-server-encrypted": "true"})


def _versions(blob: Blob) -> dict[str, str]:
    return {"ETag": blob.etag, "Last-Modified": http_date(blob.modified)}


def _headers(blob: Blob) -> dict[str, str]:
    return {
        "Last-Modified": http_date(blob.modified),
        "Content-Type": blob.content_type,
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": http_date(blob.created),
        "x-ms-lease-state": "available",
        "x-ms-lease-status": "unlocked",
        "x-ms-server-encrypted": "true",
        **{f"{_META}{name}": value for name, value in blob.metadata.items()},
    }


def _listed_blocks(request: Request) -> list[str]:
    request.max_content_length = _MAX_XML
    try:
        listed = ET.fromstring(request.get_data())  # noqa: S314 - clients on loopback only, and bounded
    except ET.ParseError as error:
        raise BlobRefused(400, "InvalidXmlDocument", "XML specified is not syntactically valid.") from error
    if len(listed) > _MAX_BLOCKS:
        raise BlobRefused(400, "BlockListTooLong", f"The block list may not contain more than {_MAX_BLOCKS} blocks.")
    return [each.text or "" for each in listed]


def _streamed(stream: IO[bytes]) -> Write:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            shutil.copyfileobj(stream, file)

    return write
