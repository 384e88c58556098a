"""GetObject straight from where moto keeps the bytes, in pieces, with S3's ranges and conditions.

moto's own handler holds the whole object in memory for each request.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape

from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeKey, s3_backends
from werkzeug.wrappers import Request, Response

from adapters.aws.simulator.errors import not_found
from adapters.aws.simulator.placeholders import S3Object
from adapters.simulation.faults import Fault
from adapters.simulation.spoil import spoilt

_PIECE = 256 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Span(NamedTuple):
    """Bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int


class ObjectStore:
    """Reads the objects of one account."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._lock = threading.Lock()
        self.bytes_sent = 0
        """Bytes of objects that were sent to anybody."""

    def text(self, place: S3Object) -> str:
        """A whole object as text.

        Raises:
            ServiceError: there is no such object.
        """
        key = self._find(place)
        if not isinstance(key, FakeKey):
            raise not_found(f"s3://{place.bucket}/{place.key} cannot be found.")
        return bytes(key.value).decode(errors="replace")

    def get(self, request: Request, place: S3Object, fault: Fault | None) -> Response:
        """GetObject or HeadObject."""
        key = self._find(place)
        if not isinstance(key, FakeKey):
            code = "NoSuchBucket" if key is None else "NoSuchKey"
            return s3_error(404, code, f"The specified {code[6:].lower()} does not exist.")
        refusal = _condition(request, key)
        if refusal is not None:
            return refusal
        response = _content(request, key, fault)
        response.response = self._counted(response.iter_encoded())
        return response

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            with self._lock:
                self.bytes_sent += len(piece)
            yield piece

    def _find(self, place: S3Object) -> FakeKey | bool | None:
        """The object; False without it, None without its bucket."""
        try:
            key = s3_backends[self._account]["aws"].get_object(place.bucket, place.key, version_id=place.version)
        except MissingBucket:
            return None
        return key if key is not None else False


def place_of(request: Request) -> S3Object:
    """The object that a path-style request names."""
    bucket, _, key = request.path.lstrip("/").partition("/")
    return S3Object(bucket, key, request.args.get("versionId"))


def s3_error(status: int, code: str, message: str) -> Response:
    """An error in S3's XML."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    )
    return Response(body, status, content_type="application/xml")


def _condition(request: Request, key: FakeKey) -> Response | None:
    wanted = request.headers.get("If-Match")
    if wanted is not None and not _names(wanted, key.etag):
        return s3_error(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
    unwanted = request.headers.get("If-None-Match")
    if unwanted is not None and _names(unwanted, key.etag):
        return Response(status=304, headers={"ETag": key.etag})
    return None


def _names(header: str, etag: str) -> bool:
    given = {each.strip().strip('"') for each in header.split(",")}
    return "*" in given or etag.strip('"') in given


def _content(request: Request, key: FakeKey, fault: Fault | None) -> Response:
    span = _wanted(request, key)
    if span is not None and span.start >= span.stop:
        refusal = s3_error(416, "InvalidRange", "The requested range is not satisfiable")
        refusal.headers["Content-Range"] = f"bytes */{key.size}"
        return refusal
    headers = _headers(key)
    if span is not None:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{key.size}"
    span_read = span or Span(0, key.size)
    headers["Content-Length"] = str(span_read.stop - span_read.start)
    pieces = spoilt(_pieces(key, span_read), fault) if request.method == "GET" else iter(())
    return Response(pieces, 206 if span else 200, headers, direct_passthrough=True)


def _headers(key: FakeKey) -> dict[str, str]:
    headers = {
        "ETag": key.etag,
        "Last-Modified": key.last_modified_RFC1123,
        "Accept-Ranges": "bytes",
        "Content-Type": key.metadata.get("content-type", "binary/octet-stream"),
    }
    if key.response_dict.get("x-amz-version-id"):
        headers["x-amz-version-id"] = key.version_id
    return headers


def _wanted(request: Request, key: FakeKey) -> Span | None:
    """The requested part; None for all. S3 ignores ranges it does not understand, and lists."""
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
    if match is None or match.groups() == ("", ""):
        return None
    unchanged = request.headers.get("If-Range")
    if unchanged is not None and unchanged not in (key.etag, key.last_modified_RFC1123):
        return None
    first, last = match.groups()
    if not first:
        return Span(max(0, key.size - int(last)), key.size)
    if last and int(last) < int(first):
        return None
    stop = min(int(last) + 1, key.size) if last else key.size
    return Span(int(first), stop)


def _pieces(key: FakeKey, span: Span) -> Iterator[bytes]:
    position = span.start
    while position < span.stop:
        with key.lock:
            key._value_buffer.seek(position)  # noqa: SLF001 - moto offers no partial read
            piece = key._value_buffer.read(min(_PIECE, span.stop - position))  # noqa: SLF001 - same
        position += len(piece)
        yield piece
