"""The content hosts of Device Update: files that devices download, by addresses that nobody can guess."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from werkzeug.wrappers import Request, Response

from adapters.azure.simulator.planned import after, before
from adapters.azure.simulator.sending import RangeNotSatisfiable, Sendable, range_length, send
from adapters.simulation.faults import Effect, Faults

_REGION = "westeurope"
_NAMELESS = "application/octet-stream"
_MAX_RANGE = 100 * 1024 * 1024
"""Of one request (Device Update limits)."""


class Bases(NamedTuple):
    """Where content is served: `scheme://host:port` each."""

    http: str
    https: str


@dataclass(frozen=True, slots=True)
class Published:
    """One file on the content hosts; `location` is its path there."""

    location: str
    name: str
    path: Path
    counted: bool

    @property
    def tag(self) -> str:
        """Tells it from every other file."""
        return hashlib.sha256(self.location.encode()).hexdigest()[:32]


class ContentHost:
    """Publishes files, and sends them. `sent_by_name` counts the bytes of the files of updates."""

    def __init__(self, place: str, folder: Path, faults: Faults) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._place = place
        self._folder = folder
        self._faults = faults
        self._lock = threading.Lock()
        self._files: dict[str, Published] = {}
        self._sent: Counter[str] = Counter()
        self.bases = Bases("", "")
        """Set once the servers run."""
        self.most_range = _MAX_RANGE
        """Bytes that a range may have; longer ones are refused."""

    def publish(self, name: str, path: Path) -> str:
        """Serve a file of an update, which never changes; its location."""
        return self._add(f"/{_REGION}/{self._place}/{secrets.token_hex(16)}/{name}", name, path, counted=True)

    def publish_text(self, name: str, text: bytes) -> str:
        """Serve a text that the service wrote, such as a detached manifest; its location."""
        path = self._folder / secrets.token_hex(16)
        path.write_bytes(text)
        return self._add(f"/{_REGION}/{self._place}/{path.name}/{name}", name, path, counted=False)

    def publish_keys(self, name: str, text: bytes) -> str:
        """Serve a root key package; its location."""
        path = self._folder / name
        path.write_bytes(text)
        return self._add(f"/{_REGION}/rootkeypackages/{name}", name, path, counted=False)

    def url(self, location: str, *, secure: bool) -> str:
        """Where a location is, over TLS or without."""
        return f"{self.bases.https if secure else self.bases.http}{quote(location)}"

    def sent_by_name(self) -> Mapping[str, int]:
        """Bytes that were sent so far of files of updates, by the file's name."""
        with self._lock:
            return dict(self._sent)

    def routes(self, request: Request) -> Response | None:
        """GET or HEAD of a file; None for addresses that are not of the content hosts."""
        if not request.path.startswith(f"/{_REGION}/"):
            return None
        with self._lock:
            file = self._files.get(request.path)
        if file is None or request.method not in ("GET", "HEAD"):
            return _refused(404, "NotFound", "there is no such file")
        return self._send(request, file)

    def _send(self, request: Request, file: Published) -> Response:
        fault = self._faults.take("content", file.name)
        if fault is not None and fault.effect in (Effect.LOSE_REPLY, Effect.DISCONNECT):
            after(fault)
        refusal = before(fault, _refused)
        if refusal is not None:
            return refusal
        if range_length(request, file.path.stat().st_size) > self.most_range:
            return _refused(400, "InvalidRange", f"a range may have {self.most_range} bytes")
        sendable = Sendable(file.path, file.path.stat().st_size, f'"{file.tag}"', {"Content-Type": _NAMELESS})
        try:
            return send(request, sendable, fault, lambda count: self._count(file, count))
        except RangeNotSatisfiable as error:
            response = _refused(416, "InvalidRange", "the range begins behind the end")
            response.headers["Content-Range"] = f"bytes */{error.size}"
            return response

    def _count(self, file: Published, octets: int) -> None:
        if file.counted:
            with self._lock:
                self._sent[file.name] += octets

    def _add(self, location: str, name: str, path: Path, *, counted: bool) -> str:
        with self._lock:
            self._files[location] = Published(location, name, path, counted)
        return location


def _refused(status: int, code: str, message: str) -> Response:
    return Response(f"{code}: {message}\n", status, content_type="text/plain")
