"""A Unix socket on which local programs hear how an update goes, and say what they think of it: JSON, one a line.

One thread serves all of them. It never waits for one: what a client does not read is dropped with the client, and the
agent itself only ever puts lines into a bounded list. So no client, dead, slow or hostile, holds an update up.
"""

from __future__ import annotations

import grp
import logging
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import msgspec

MODE = 0o660
MAX_CLIENTS = 16
MAX_LINE = 1024
"""Bytes of a command."""
MAX_UNREAD = 64 * 1024
"""Bytes that may wait for a client to read them."""
MAX_UNSENT = 256
"""Lines that may wait for the thread; the oldest go."""
COMMANDS_A_SECOND = 5.0
BURST = 20.0
READ_BYTES = 4096
JOIN_SECONDS = 5.0
PAUSE_SECONDS = 1.0
"""When the agent has no descriptor left for another program."""

logger = logging.getLogger(__name__)


class SocketSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the socket is; root and the members of `group` (None: of the agent's own) may use it."""

    path: Path = Path("/run/otabridge/agent.sock")
    group: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None


class Client:
    """One local program."""

    def __init__(self, line: socket.socket) -> None:
        line.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self.line = line
        self._heard = bytearray()
        self._unread = bytearray()
        self._credit = BURST
        self._seen = time.monotonic()

    @property
    def owes_reading(self) -> bool:
        """Whether something waits for it to be read."""
        return bool(self._unread)

    def take(self, data: bytes) -> list[bytes] | None:
        """The commands that `data` completes; None when the client is to be dropped: too long, or too many."""
        self._heard += data
        *lines, rest = bytes(self._heard).split(b"\n")
        self._heard = bytearray(rest)
        too_long = len(rest) > MAX_LINE or any(len(line) > MAX_LINE for line in lines)
        return None if too_long or not self._affords(len(lines)) else [line for line in lines if line.strip()]

    def _affords(self, count: int) -> bool:
        now = time.monotonic()
        self._credit = min(BURST, self._credit + (now - self._seen) * COMMANDS_A_SECOND) - count
        self._seen = now
        return self._credit >= 0

    def give(self, line: bytes) -> bool:
        """Send `line` as far as the client reads; False when it is to be dropped, as it does not."""
        self._unread += line
        return self.flush() and len(self._unread) <= MAX_UNREAD

    def flush(self) -> bool:
        """Send what waits; False when the client is gone."""
        try:
            while self._unread:
                del self._unread[: self.line.send(self._unread)]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True


class LocalSocket:
    """The socket and its thread. `publish` and `greet` may be called from any thread, at any time."""

    def __init__(self, settings: SocketSettings, answer: Callable[[bytes], bytes | None]) -> None:
        """`answer` gives the line that answers the command in a line, without its newline; None for the greeting. It
        raises nothing."""
        self._settings = settings
        self._answer = answer
        self._clients: dict[int, Client] = {}
        self._unsent: deque[tuple[bytes, bool]] = deque(maxlen=MAX_UNSENT)
        self._greeting = b""
        self._waker: socket.socket | None = None
        self._ended = threading.Event()

    def publish(self, line: bytes) -> None:
        """Let all clients have `line`, without its newline."""
        self._put(line, greeting=False)

    def greet(self, line: bytes) -> None:
        """Let all clients have `line`, and those that come later have the last such line first."""
        self._put(line, greeting=True)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Serve clients. Where the socket cannot be made the log says why, and the agent works without it."""
        try:
            listener = _listen(self._settings)
        except OSError as error:
            logger.warning("no local program can be told anything: %s: %s", self._settings.path, error)
            yield
            return
        with listener, _waking() as (waker, woken):
            self._waker = waker
            thread = threading.Thread(target=self._serve, args=(listener, woken), name="local socket", daemon=True)
            thread.start()
            try:
                yield
            finally:
                self._ended.set()
                self._wake()
                thread.join(JOIN_SECONDS)
                self._waker = None

    def _put(self, line: bytes, *, greeting: bool) -> None:
        self._unsent.append((line + b"\n", greeting))
        self._wake()

    def _wake(self) -> None:
        if self._waker is not None:
            with suppress(BlockingIOError):  # then it is awake anyway
                self._waker.send(b"!")

    def _serve(self, listener: socket.socket, woken: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ, lambda: self._welcome(listener, selector))
            selector.register(woken, selectors.EVENT_READ, lambda: woken.recv(READ_BYTES))
            while not self._ended.is_set():
                for key, _ in selector.select():
                    key.data()
                self._send_all(selector)
            self._send_all(selector)
        for client in self._clients.values():
            client.line.close()

    def _attend(self, client: Client, selector: selectors.BaseSelector) -> None:
        if not self._hear(client):
            self._drop(client, selector)

    def _welcome(self, listener: socket.socket, selector: selectors.BaseSelector) -> None:
        try:
            line, _ = listener.accept()
        except OSError as error:
            logger.warning("a local program could not be connected: %s", error)
            self._ended.wait(PAUSE_SECONDS)  # it asks again at once
            return
        if len(self._clients) >= MAX_CLIENTS:
            logger.debug("%d local programs are connected; another one is turned away", MAX_CLIENTS)
            line.close()
            return
        client = self._clients[line.fileno()] = Client(line)
        selector.register(line, selectors.EVENT_READ, lambda: self._attend(client, selector))
        if not client.give(self._greeting):
            self._drop(client, selector)

    def _hear(self, client: Client) -> bool:
        """Whether `client` may stay."""
        if not client.flush():
            return False
        try:
            data = client.line.recv(READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        commands = client.take(data) if data else None
        return commands is not None and all(client.give(self._reply(each)) for each in commands)

    def _reply(self, command: bytes) -> bytes:
        answer = self._answer(command)
        return self._greeting if answer is None else answer + b"\n"

    def _send_all(self, selector: selectors.BaseSelector) -> None:
        lines = b"".join(self._taken())
        for client in list(self._clients.values()):
            if not client.give(lines):
                self._drop(client, selector)
            else:
                writing = selectors.EVENT_WRITE if client.owes_reading else 0
                selector.modify(client.line, selectors.EVENT_READ | writing, selector.get_key(client.line).data)

    def _taken(self) -> Iterator[bytes]:
        """What was to be sent up to now."""
        for _ in range(len(self._unsent)):
            line, greeting = self._unsent.popleft()
            self._greeting = line if greeting else self._greeting
            yield line

    def _drop(self, client: Client, selector: selectors.BaseSelector) -> None:
        selector.unregister(client.line)
        del self._clients[client.line.fileno()]
        client.line.close()


@contextmanager
def _waking() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends: what is sent into the first wakes whoever selects on the second."""
    waker, woken = socket.socketpair()
    waker.setblocking(False)  # noqa: FBT003 - the standard library's signature
    woken.setblocking(False)  # noqa: FBT003 - the standard library's signature
    with waker, woken:
        yield waker, woken


def _listen(settings: SocketSettings) -> socket.socket:
    """A socket under its name only once its rights are right. Raises: OSError."""
    made = settings.path.with_name(f".{settings.path.name}.new")
    settings.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    made.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        listener.bind(str(made))
        if settings.group is not None:
            os.chown(made, -1, _group(settings.group))
        made.chmod(MODE)
        listener.listen(MAX_CLIENTS)
        listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
        made.replace(settings.path)
    except OSError:
        listener.close()
        raise
    return listener


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise OSError(f"there is no group {name!r}; see socket.group") from error
