"""Files over loopback HTTP with byte ranges, by a process of its own: `python -m benchmarks.install.serving FOLDER`."""

from __future__ import annotations

import http.server
import os
import re
import socket
import socketserver
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path

from benchmarks.install.speaking import speaking

HTTP = "loopback HTTP"


@dataclass(frozen=True, slots=True)
class Server:
    """Serves all below `folder`."""

    folder: Path
    base: str
    pid: int

    def url(self, path: Path) -> str:
        """Where the file at `path` is. Raises: ValueError when it is not below the folder."""
        return f"{self.base}/{path.relative_to(self.folder)}"


@contextmanager
def serving(folder: Path, log: Path) -> Iterator[Server]:
    """A server for the files below `folder`."""
    with speaking([sys.executable, "-m", __name__, folder], log) as server:
        yield Server(folder, f"http://127.0.0.1:{int(server.hear())}", server.pid)


class RangeHandler(http.server.BaseHTTPRequestHandler):
    """GET, whole or from a byte on to another, by sendfile."""

    protocol_version = "HTTP/1.1"

    def __init__(self, folder: Path, request: socket.socket, client: object, server: socketserver.BaseServer) -> None:
        self._folder = folder
        super().__init__(request, client, server)

    def do_GET(self) -> None:
        path = (self._folder / self.path.lstrip("/")).resolve()
        if not path.is_relative_to(self._folder) or not path.is_file():
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with path.open("rb") as file:
            length = os.fstat(file.fileno()).st_size
            start, stop = self._answer(length)
            self.connection.sendfile(file, start, stop - start)

    def _answer(self, length: int) -> tuple[int, int]:
        """Send the head; the first byte of the body and the one after its last."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        stop = min(length, int(asked[2]) + 1) if asked and asked[2] else length
        self.send_response(HTTPStatus.PARTIAL_CONTENT if asked else HTTPStatus.OK)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{length}")
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        return start, stop

    def log_message(self, *_: object) -> None:
        """The figures stand alone on the terminal."""


def main(folder: str) -> None:
    """Serve until terminated; the port goes to stdout."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(RangeHandler, Path(folder).resolve())) as files:
        print(files.server_port, flush=True)
        files.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
