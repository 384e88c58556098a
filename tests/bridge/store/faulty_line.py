"""A line between a store and its PostgreSQL server that breaks when it is told to. It looks only for COMMIT."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from threading import Event, Thread

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""The message of the protocol by which the driver commits."""


class Fault(Enum):
    """What becomes of the next COMMIT. The store sees the same each time: its connection is gone."""

    UNHEARD = "it is lost on the way to the server, with the connection"
    UNANSWERED = "the server commits; the answer is lost"
    LATE = "the server hears it only after the store has begun to ask"


class FaultyLine:
    """Passes bytes both ways between 127.0.0.1:`port` and the Unix socket `server`; fair unless `fault` is set.

    After a fault, so many new connections as `refusals` says are hung up at once.
    """

    def __init__(self, server: Path) -> None:
        self.fault: Fault | None = None
        self.refusals = 0
        self.release = Event()
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = list[socket.socket]()
        self._threads = list[Thread]()
        self._start(self._accept)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listener.getsockname()[1]

    def close(self) -> None:
        """End every connection and thread."""
        self.release.set()
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(60)

    def _start(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.fault is None and self.refusals:
                    self.refusals -= 1
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                self._sockets += [client, server]
                self._start(self._up, client, server)
                self._start(self._down, server, client)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self.fault and COMMIT in data:
                    self._break(client, server, data)
                    return
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _break(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        """Once: what the store asks over its next connection is answered."""
        fault, self.fault = self.fault, None
        client.shutdown(socket.SHUT_RDWR)
        if fault is Fault.LATE:
            self.release.wait(60)
        if fault is not Fault.UNHEARD:
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)


@contextmanager
def faulty_line(server: Path) -> Iterator[FaultyLine]:
    """A line to `server`, closed at the end."""
    line = FaultyLine(server)
    try:
        yield line
    finally:
        line.close()
