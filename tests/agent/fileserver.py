"""A real HTTP server on loopback that misbehaves on request, and what its tests share."""

from __future__ import annotations

import hashlib
import http.server
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.cloud.channel import Offer
from agent.pace import Timing
from bridge.release.image import Image
from bridge.release.manifest import Artifact

BODY = random.Random(7).randbytes(700_000)
ARTIFACT = Artifact("image.full", len(BODY), hashlib.sha256(BODY).hexdigest(), Image(1, "0" * 64))


@dataclass
class Fault:
    """What the server does wrong in one answer; `drop` cuts the body after so many bytes."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    text: bytes = b""
    drop: int | None = None
    ranges: bool = True
    body: bytes = BODY
    etag: str | None = '"one"'
    total: str | None = None
    length: int | None = None
    chunked: bool = False
    wait: threading.Event | None = None


@dataclass
class Seen:
    """One request as the server saw it, and how many bytes of body it handed to the network."""

    path: str
    range: str | None
    if_match: str | None
    sent: int = 0


class FileServer(http.server.ThreadingHTTPServer):
    """Serves `body` at every path; takes one Fault off the list for each request, then behaves."""

    daemon_threads = True
    body = BODY

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what these tests are about."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/image.full?signature=secret"

    @property
    def sent(self) -> int:
        return sum(request.sent for request in self.seen)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def do_GET(self) -> None:
        fault = self.server.faults.pop(0) if self.server.faults else Fault(body=self.server.body)
        seen = Seen(self.path, self.headers["Range"], self.headers["If-Match"])
        self.server.seen.append(seen)
        if fault.status is not None:
            self._say(fault.status, fault.text, fault.headers)
        elif fault.etag and seen.if_match not in {None, fault.etag}:
            self._say(412, b"", {})
        else:
            self._give(fault, seen)

    def _say(self, status: int, text: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def _give(self, fault: Fault, seen: Seen) -> None:
        asked = seen.range if seen.range and fault.ranges else None
        first, _, last = (asked or "bytes=0-").removeprefix("bytes=").partition("-")
        start = int(first)
        body = fault.body[start : int(last) + 1 if last else None]
        self._head(fault, start, len(body), partial=asked is not None)
        piece = body if fault.drop is None else body[: fault.drop]
        seen.sent = len(piece)
        self._write(fault, piece)
        if fault.wait:
            fault.wait.wait(20)
        if fault.drop is not None:
            self.close_connection = True

    def _head(self, fault: Fault, start: int, count: int, *, partial: bool) -> None:
        self.send_response(206 if partial else 200)
        if partial:
            end = start + count - 1
            self.send_header("Content-Range", fault.total or f"bytes {start}-{end}/{len(fault.body)}")
        if fault.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(count if fault.length is None else fault.length))
        if fault.etag:
            self.send_header("ETag", fault.etag)
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _write(self, fault: Fault, piece: bytes) -> None:
        try:
            if fault.chunked:
                self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(piece), piece))
            else:
                self.wfile.write(piece)
            self.wfile.flush()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


class Sleeper:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)

    def timing(self) -> Timing:
        return Timing(clock=lambda: sum(self.naps), sleep=self.sleep, random=lambda: 1.0)


Fetch = Callable[..., bytes]


def offer(url: str) -> Offer:
    return Offer("job-1", b"", (), {"image.full": url})
