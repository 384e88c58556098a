"""A small real HTTP proxy on loopback that wants a user and a password: absolute-form GET, and CONNECT for tunnels."""

from __future__ import annotations

import base64
import http.client
import http.server
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

USER, PASSWORD = "dev@ice", "pa:ss%word"


class Proxy(http.server.ThreadingHTTPServer):
    """Leads wherever it is asked to go, if `USER` and `PASSWORD` are given; `seen` are all requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[str] = []
        self.refused = 0

    def url(self, user: str, password: str) -> str:
        """As a person writes it into the configuration, percent-encoded by them."""
        return f"http://{user}:{password}@127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        """Forward it, without what is between client and proxy."""
        if not self._is_known():
            return
        parts = urlsplit(self.path)
        onward = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        private = {"proxy-authorization", "proxy-connection", "connection"}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in private}
        onward.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        answer = onward.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        while piece := answer.read1(65_536):
            self.wfile.write(piece)
        onward.close()
        self.close_connection = True

    def do_CONNECT(self) -> None:
        """A tunnel."""
        if not self._is_known():
            return
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), timeout=20) as onward:
            self.send_response(200)
            self.end_headers()
            self._carry(onward)
        self.close_connection = True

    def _is_known(self) -> bool:
        self.server.seen.append(f"{self.command} {self.path}")
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers["Proxy-Authorization"] == f"Basic {wanted}":
            return True
        self.server.refused += 1
        self.send_response(407)
        self.send_header("Proxy-Authenticate", 'Basic realm="plant"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def _carry(self, onward: socket.socket) -> None:
        ends = {self.connection: onward, onward: self.connection}
        while ready := select.select(list(ends), [], [], 20)[0]:
            for end in ready:
                data = end.recv(65_536)
                if not data:
                    return
                ends[end].sendall(data)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def proxying() -> Iterator[Proxy]:
    """A running proxy."""
    with Proxy() as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
