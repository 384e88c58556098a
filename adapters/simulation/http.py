"""A loopback HTTP server for one WSGI application."""

from __future__ import annotations

import logging
import ssl
import threading
from wsgiref.types import WSGIApplication, WSGIEnvironment

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

_LOG = logging.getLogger(__name__)
LOOPBACK = "127.0.0.1"
_POLL_SECONDS = 0.05


class QuietHandler(WSGIRequestHandler):
    """Writes the access log at debug level instead of the terminal."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's signature
        level = logging.WARNING if type == "error" else logging.DEBUG
        _LOG.log(level, message, *args)

    def connection_dropped(self, error: BaseException, environ: WSGIEnvironment | None = None) -> None:  # noqa: ARG002 - werkzeug's signature
        # A planned fault ends the connection; werkzeug would wait for the next request on it.
        self.close_connection = True


class HttpServer:
    """Serves a WSGI application on the loopback address `host`, one thread a request. Port 0 is any free one."""

    def __init__(
        self,
        app: WSGIApplication,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        host: str = LOOPBACK,
        handler: type[QuietHandler] = QuietHandler,
    ) -> None:
        self._app = app
        self._host = host
        self._handler = handler
        self._port = port
        self._tls = tls
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it serves, without a trailing slash; known once started."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self._port}"

    def start(self) -> None:
        """Bind and serve; an instance starts once.

        Raises:
            OSError: the port is taken.
        """
        self._server = make_server(
            self._host, self._port, self._app, threaded=True, request_handler=self._handler, ssl_context=self._tls
        )
        self._port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="http", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting; again is no change."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None
