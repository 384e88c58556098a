"""The socket of the slot writer: who may ask, one packet at a time. Nothing here waits for a client.

A packet comes whole or not at all (SOCK_SEQPACKET), and an answer that a client has no room for ends its connection. So
a slow client holds nobody up; of too many, the one that was silent for longest has to go.
"""

from __future__ import annotations

import logging
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from agent.writer.duties import Answer, Caller
from agent.writer.protocol import (
    MAX_PACKET,
    MAX_TEXT,
    ProtocolError,
    Refused,
    Reply,
    Request,
    Working,
    pack,
    request_in,
)
from bridge.release.errors import FailureCode, OtabridgeError

MOST_CLIENTS = 8
WORKING_SECONDS = 1.0
"""Between two signs of progress."""
IDLE_SECONDS = 60.0
"""After so long without a client the writer may end; whoever listens for it starts it again."""
CREDENTIALS = struct.Struct("iII")
"""Process, user, group; unix(7), SO_PEERCRED."""

logger = logging.getLogger(__name__)


class Answering(Protocol):
    """What the server needs of `agent.writer.duties.Duties`."""

    @property
    def at_rest(self) -> bool:
        """See Duties."""

    def answer(self, request: Request, caller: Caller) -> Answer:
        """See Duties."""

    def gone(self, caller: Caller) -> None:
        """See Duties."""


@dataclass(slots=True, eq=False)
class Client:
    """One connection. Every fault of sending ends it at the next look."""

    line: socket.socket
    clock: Callable[[], float]
    heard: float = field(init=False)
    told: float = field(init=False)

    def __post_init__(self) -> None:
        self.heard = self.told = self.clock()

    def working(self) -> None:
        """See Caller; at most once a second, and not to a client that does not listen."""
        if self.clock() - self.told >= WORKING_SECONDS:
            self.told = self.clock()
            with suppress(OSError):
                self.line.send(pack(Working()))

    def read(self) -> bytes:
        """The next packet, b"" at the end of the connection. Raises: OSError; ProtocolError: too long."""
        data = self.line.recv(MAX_PACKET + 1)
        if len(data) > MAX_PACKET:
            raise ProtocolError(f"a packet of more than {MAX_PACKET} bytes")
        self.heard = self.told = self.clock()
        return data

    def reply(self, reply: Reply, descriptor: int | None = None) -> None:
        """Answer. Raises: OSError, also where the client leaves no room for it."""
        lent = [] if descriptor is None else [descriptor]
        socket.send_fds(self.line, [pack(reply)], lent)


class Server:
    """Serves one request after the other, of the users `allowed`."""

    def __init__(
        self,
        listener: socket.socket,
        duties: Answering,
        allowed: Collection[int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`listener` is bound and listens; `allowed` are numbers of users."""
        self._listener = listener
        self._duties = duties
        self._allowed = allowed
        self._clock = clock
        self._clients: list[Client] = []
        self._selector = selectors.DefaultSelector()
        listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._selector.register(listener, selectors.EVENT_READ)

    def serve(self, *, for_ever: bool) -> None:
        """Until nobody wants anything for a while, or for ever."""
        while self.turn(IDLE_SECONDS) or for_ever or self._clients or not self._duties.at_rest:
            pass

    def turn(self, seconds: float) -> bool:
        """Wait up to `seconds`, and serve all who ask by then; whether anybody did."""
        ready = [key.data for key, _ in self._selector.select(seconds)]
        for client in ready:
            self._accept() if client is None else self._serve(client)
        return bool(ready)

    def close(self) -> None:
        """End every connection; the listener is the caller's."""
        for client in self._clients.copy():
            self._end(client)
        self._selector.close()

    def _accept(self) -> None:
        try:
            line, _ = self._listener.accept()
        except OSError:
            return None  # it has gone again
        user = CREDENTIALS.unpack(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))[1]
        if user not in self._allowed:
            logger.warning("user %d may not ask the slot writer for anything", user)
            return line.close()
        line.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._make_room()
        client = Client(line, self._clock)
        self._clients.append(client)
        self._selector.register(line, selectors.EVENT_READ, client)
        return None

    def _make_room(self) -> None:
        if len(self._clients) >= MOST_CLIENTS:
            self._end(min(self._clients, key=lambda client: client.heard))

    def _serve(self, client: Client) -> None:
        if client not in self._clients:
            return None  # it had to make room meanwhile
        try:
            data = client.read()
            if data:
                return self._answer(client, request_in(data))
        except ProtocolError as error:
            logger.warning("a client of the slot writer is hung up on: %s", error)
        except OSError as error:
            logger.info("a client of the slot writer is gone: %s", error)
        return self._end(client)

    def _answer(self, client: Client, request: Request) -> None:
        try:
            answer = self._duties.answer(request, client)
        except (OtabridgeError, OSError, ValueError) as error:
            logger.warning("refused, %s: %s", type(request).__name__, error)
            return client.reply(_refusal(error))
        try:
            return client.reply(answer.reply, answer.descriptor)
        finally:
            if answer.descriptor is not None:
                os.close(answer.descriptor)

    def _end(self, client: Client) -> None:
        self._clients.remove(client)
        self._selector.unregister(client.line)
        client.line.close()
        self._duties.gone(client)


def _refusal(error: Exception) -> Refused:
    if isinstance(error, OtabridgeError):
        return Refused(str(error)[:MAX_TEXT], error.code)
    if isinstance(error, OSError):
        return Refused((error.strerror or str(error))[:MAX_TEXT], errno=error.errno or 0)
    return Refused(str(error)[:MAX_TEXT], FailureCode.SLOT_WRITE)
