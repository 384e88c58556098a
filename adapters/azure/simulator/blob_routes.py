"""REST routes of Azure Storage's blob service for one account, path style: `/account/container/blob`."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from typing import NamedTuple
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from adapters.azure.simulator.blob_access import BlobAccess, BlobRefused
from adapters.azure.simulator.blob_operations import BlobOperations
from adapters.azure.simulator.blob_sas import Place, SignedRequest
from adapters.azure.simulator.blob_store import BlobStore, Container
from adapters.azure.simulator.identity import Identity
from adapters.azure.simulator.listing import containers_xml, list_blobs
from adapters.azure.simulator.moments import http_date, parse_time, storage_time
from adapters.azure.simulator.planned import after, before
from adapters.simulation.faults import Fault, Faults

Act = Callable[[Request, Place, Fault | None], Response]
_MAX_KEY_SECONDS = 7 * 24 * 3600
_MAX_XML = 64 * 1024
_KEY_MEMBERS = {
    "SignedOid": "skoid",
    "SignedTid": "sktid",
    "SignedStart": "skt",
    "SignedExpiry": "ske",
    "SignedService": "sks",
    "SignedVersion": "skv",
}


class Operation(NamedTuple):
    """One operation, and the permissions of which a signature must grant one; a token may do all."""

    act: Act
    needs: str = ""


class BlobRoutes:
    """The blob service: what lies under `/account`."""

    def __init__(self, store: BlobStore, access: BlobAccess, identity: Identity, faults: Faults) -> None:
        self._store = store
        self._access = access
        self._identity = identity
        self._faults = faults
        self._blobs = BlobOperations(store)
        self._operations = self._table()

    def _table(self) -> Mapping[str, Operation]:
        blobs = self._blobs
        return {
            "PUT blob": Operation(blobs.put, "cw"),
            "PUT blob block": Operation(blobs.put_block, "cw"),
            "PUT blob blocklist": Operation(blobs.put_block_list, "cw"),
            "PUT blob metadata": Operation(blobs.set_metadata, "w"),
            "GET blob": Operation(blobs.get, "r"),
            "HEAD blob": Operation(blobs.get, "r"),
            "DELETE blob": Operation(blobs.delete, "d"),
            "PUT container": Operation(self._create),
            "GET container": Operation(self._properties),
            "HEAD container": Operation(self._properties),
            "DELETE container": Operation(self._delete),
            "GET container list": Operation(self._list, "l"),
            "GET account list": Operation(self._containers),
            "POST account userdelegationkey": Operation(self._delegation_key),
        }

    def __call__(self, request: Request) -> Response | None:
        """The answer; None for what is not of this account."""
        account, _, rest = request.path.lstrip("/").partition("/")
        if account != self._access.account:
            return None
        container, _, blob = rest.partition("/")
        place = Place(container, blob)
        fault = self._faults.take("blob", str(place))
        try:
            response = before(fault, blob_error) or self._answer(request, place, fault)
        except BlobRefused as error:
            response = blob_error(error.status, error.code, error.message)
        after(fault)
        return _stamped(request, response)

    def _answer(self, request: Request, place: Place, fault: Fault | None) -> Response:
        level = "blob" if place.blob else "container" if place.container else "account"
        name = " ".join(part for part in (request.method, level, request.args.get("comp", "")) if part)
        operation = self._operations.get(name)
        if operation is None:
            raise BlobRefused(400, "UnsupportedOperation", f"This simulator does not play {name}.")
        signed = SignedRequest(place, _lowered(request.headers), request.args.to_dict())
        self._access.admit(request.headers.get("Authorization", ""), signed, self._needs(operation, place, name))
        return operation.act(request, place, fault)

    def _needs(self, operation: Operation, place: Place, name: str) -> str:
        """`c` lets make a blob, but not write over one."""
        with self._store.locked():
            exists = self._store.blob(*place) is not None
        return operation.needs.replace("c", "") if exists and name != "PUT blob block" else operation.needs

    def _create(self, _request: Request, place: Place, _fault: Fault | None) -> Response:
        with self._store.locked():
            if place.container in self._store.containers:
                raise BlobRefused(409, "ContainerAlreadyExists", "The specified container already exists.")
            return Response(status=201, headers=_container_headers(self._store.create(place.container)))

    def _properties(self, _request: Request, place: Place, _fault: Fault | None) -> Response:
        with self._store.locked():
            return Response(status=200, headers=_container_headers(self._blobs.container(place)))

    def _delete(self, _request: Request, place: Place, _fault: Fault | None) -> Response:
        with self._store.locked():
            self._blobs.container(place)
            del self._store.containers[place.container]
        return Response(status=202)

    def _list(self, request: Request, place: Place, _fault: Fault | None) -> Response:
        with self._store.locked():
            return _xml(list_blobs(place.container, self._blobs.container(place), request.args))

    def _containers(self, _request: Request, _place: Place, _fault: Fault | None) -> Response:
        with self._store.locked():
            return _xml(containers_xml(self._store.containers))

    def _delegation_key(self, request: Request, _place: Place, _fault: Fault | None) -> Response:
        start, end = _key_times(request)
        key = {
            "skoid": self._identity.principal,
            "sktid": self._identity.tenant,
            "skt": storage_time(start),
            "ske": storage_time(end),
            "sks": "b",
            "skv": request.headers.get("x-ms-version", ""),
        }
        body = "".join(f"<{name}>{escape(key[field])}</{name}>" for name, field in _KEY_MEMBERS.items())
        value = base64.b64encode(self._access.delegation_key(key)).decode()
        return _xml(f"<UserDelegationKey>{body}<Value>{value}</Value></UserDelegationKey>")


def blob_error(status: int, code: str, message: str) -> Response:
    """An error in storage's XML."""
    response = _xml(f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>")
    response.status_code = status
    response.headers["x-ms-error-code"] = code
    return response


def _stamped(request: Request, response: Response) -> Response:
    response.headers["x-ms-request-id"] = secrets.token_hex(16)
    response.headers["x-ms-version"] = request.headers.get("x-ms-version", "")
    return response


def _xml(body: str) -> Response:
    return Response(f'<?xml version="1.0" encoding="utf-8"?>{body}', content_type="application/xml")


def _container_headers(container: Container) -> dict[str, str]:
    return {"ETag": container.etag, "Last-Modified": http_date(container.modified)}


def _lowered(headers: Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _key_times(request: Request) -> tuple[float, float]:
    request.max_content_length = _MAX_XML
    try:
        info = ET.fromstring(request.get_data())  # noqa: S314 - clients on loopback only, and bounded
    except ET.ParseError as error:
        raise BlobRefused(400, "InvalidXmlDocument", "XML specified is not syntactically valid.") from error
    start, end = (parse_time(info.findtext(name) or "") for name in ("Start", "Expiry"))
    if start is None or end is None or not start < end <= start + _MAX_KEY_SECONDS:
        raise BlobRefused(400, "InvalidXmlNodeValue", "Start and Expiry must be times, at most 7 days apart.")
    return start, end
