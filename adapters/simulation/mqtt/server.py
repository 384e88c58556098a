"""The MQTT server in a thread of its own, with a face that other threads can call."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from enum import Enum
from pathlib import Path
from typing import TypeVar

from adapters.simulation.mqtt.app import App, Message
from adapters.simulation.mqtt.broker import Broker
from adapters.simulation.mqtt.connection import Connection, Limits
from adapters.simulation.mqtt.packets import Reason

Result = TypeVar("Result")

_CALL_SECONDS = 30
_SWEEP_SECONDS = 0.5
_BACKLOG = 1024
_DAY = 86_400.0


class ClientAuth(Enum):
    """Whether TLS asks clients for a certificate."""

    REQUIRED = ssl.CERT_REQUIRED
    OPTIONAL = ssl.CERT_OPTIONAL


def server_tls(cert_file: Path, key_file: Path, ca_file: Path, client_auth: ClientAuth) -> ssl.SSLContext:
    """TLS 1.2 or newer (azure-iot-device speaks only 1.2) that checks clients against one CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert_file, key_file)
    context.load_verify_locations(ca_file)
    context.verify_mode = client_auth.value
    return context


class MqttServer:
    """Serves one `App`.

    `now` is the clock that sessions expire by, in seconds; `max_session_expiry` caps what
    clients ask for. Without `tls` the listener is plain TCP, for load tests on loopback.
    """

    def __init__(
        self,
        app: App,
        *,
        tls: ssl.SSLContext | None,
        limits: Limits | None = None,
        now: Callable[[], float] = time.time,
        max_session_expiry: float = _DAY,
    ) -> None:
        self._app = app
        self._tls = tls
        self._limits = limits or Limits()
        self._broker = Broker(now, max_session_expiry)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port, a free one by default. An instance starts once.

        Raises:
            OSError: the address cannot be bound.
        """
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_run, args=(self._loop,), name="mqtt-server", daemon=True)
        self._thread.start()
        try:
            return self._await(self._listen(host, port))
        except OSError:
            self._end_loop()
            raise

    def stop(self) -> None:
        """Hang up on all clients and end the thread; again is no change."""
        if self._loop is not None:
            self._await(self._close())
            self._end_loop()

    def call(self, action: Callable[[Broker], Result]) -> Result:
        """Run `action` on the server's loop and wait for what it returns.

        Raises:
            RuntimeError: the server does not run.
        """

        async def run() -> Result:
            return action(self._broker)

        return self._await(run())

    def post(self, action: Callable[[Broker], object]) -> None:
        """Run `action` on the loop later, in the order of posting; lost while the server does not run."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody listens any more
                loop.call_soon_threadsafe(action, self._broker)

    def send(self, client_id: str, message: Message, *, subscribed_only: bool = True) -> None:
        """Post a message to one client's session."""
        self.post(lambda broker: broker.send(client_id, message, subscribed_only=subscribed_only))

    def disconnect(self, client_id: str) -> bool:
        """Hang up on a client; False if it is not connected."""
        return self.call(lambda broker: broker.disconnect(client_id))

    def connected(self) -> frozenset[str]:
        """The clients with an open connection."""
        return self.call(Broker.connected)

    def _await(self, work: Coroutine[object, object, Result]) -> Result:
        if self._loop is None:
            work.close()
            raise RuntimeError("the MQTT server does not run; start it first")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_SECONDS)

    def _end_loop(self) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop = None

    async def _listen(self, host: str, port: int) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, host, port, ssl=self._tls, backlog=_BACKLOG)
        self._sweeper = loop.create_task(self._sweep())
        return int(self._server.sockets[0].getsockname()[1])

    def _connection(self) -> Connection:
        connection = Connection(self._app, self._broker, self._limits)
        self._connections.add(connection)
        return connection

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            for connection in tuple(self._connections):
                if connection.overdue:
                    connection.close(Reason.KEEP_ALIVE_TIMEOUT)
            self._broker.expire()

    async def _close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        if self._server is not None:
            self._server.close()
        self._broker.close()
        for connection in tuple(self._connections):
            connection.close(Reason.SERVER_SHUTTING_DOWN)
        await asyncio.sleep(0)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
    loop.close()
