"""Sends files over HTTP: ranges, conditions, and downloads that are cut or spoiled on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from werkzeug.wrappers import Request, Response

from adapters.simulation.faults import Fault
from adapters.simulation.spoil import spoilt

PARTIAL = 206
_PIECE = 256 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Span(NamedTuple):
    """Bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int


class RangeNotSatisfiable(Exception):
    """The range begins behind the end of the file. `size` is that of the file."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the file has {size} bytes")
        self.size = size


@dataclass(frozen=True, slots=True)
class Sendable:
    """A file as it is sent: `etag` with its quotes."""

    path: Path
    size: int
    etag: str
    headers: Mapping[str, str]


def send(
    request: Request, file: Sendable, fault: Fault | None = None, count: Callable[[int], None] | None = None
) -> Response:
    """GET or HEAD of a file; `count` hears of each piece that was sent.

    Raises:
        RangeNotSatisfiable.
    """
    span = _wanted(request, file)
    headers = {"ETag": file.etag, "Accept-Ranges": "bytes", **file.headers}
    if span is not None:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{file.size}"
    whole = span or Span(0, file.size)
    headers["Content-Length"] = str(whole.stop - whole.start)
    pieces = _counted(spoilt(_pieces(file.path, whole), fault), count) if request.method == "GET" else iter(())
    return Response(pieces, PARTIAL if span else 200, headers, direct_passthrough=True)


def range_length(request: Request, size: int) -> int:
    """How many bytes of a file of `size` are asked for by a range; 0 without one."""
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
    if match is None or match.groups() == ("", ""):
        return 0
    span = _span(match[1], match[2], size)
    return span.stop - span.start


def names(header: str, etag: str | None) -> bool:
    """Whether a list of entity tags names `etag`; `*` names any, and None is no entity at all."""
    given = {each.strip().strip('"') for each in header.split(",")}
    return etag is not None and ("*" in given or etag.strip('"') in given)


def _wanted(request: Request, file: Sendable) -> Span | None:
    """The requested part; None for all. Ranges that are not understood, and lists, are ignored."""
    match = _RANGE.fullmatch(request.headers.get("x-ms-range") or request.headers.get("Range", ""))
    unchanged = request.headers.get("If-Range")
    if match is None or match.groups() == ("", "") or unchanged not in (None, file.etag):
        return None
    span = _span(match[1], match[2], file.size)
    if span.start >= file.size:
        raise RangeNotSatisfiable(file.size)
    return span if span.start < span.stop else None


def _span(first: str, last: str, size: int) -> Span:
    if not first:
        return Span(max(0, size - int(last)), size)
    return Span(int(first), min(int(last) + 1, size) if last else size)


def _pieces(path: Path, span: Span) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(span.start)
        left = span.stop - span.start
        while left and (piece := file.read(min(_PIECE, left))):
            left -= len(piece)
            yield piece


def _counted(pieces: Iterator[bytes], count: Callable[[int], None] | None) -> Iterator[bytes]:
    for piece in pieces:
        if count is not None:
            count(len(piece))
        yield piece
