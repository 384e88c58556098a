"""Connections to servers: TLS roots, proxies, and a deadline on every wait."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import (  # type: ignore[attr-defined]  # proxy_bypass_environment is missing in its stubs
    getproxies_environment,
    proxy_bypass_environment,
)

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse
from urllib3.util import Timeout, make_headers

from bridge.release.errors import DownloadError

HEAD_SECONDS = 60.0
"""Time for the whole head of an answer, and for a connection to stand, with proxy and TLS; the timeouts of connecting
and reading alone restart with every byte."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What this device shows to stores that ask who it is: PEM files of a chain and of its key, which has no
    passphrase."""

    certificate: Path
    key: Path


class Connections:
    """Gives the pool through which a URL is to be reached.

    `proxies` maps `http` and `https` to a proxy's URL (which may hold `user:password@`) and `no` to a comma-separated
    list of hosts to reach directly; None takes http_proxy, https_proxy and no_proxy from the environment.
    """

    def __init__(
        self,
        *,
        connect_seconds: float = 15.0,
        read_seconds: float = 30.0,
        ca_file: Path | None = None,
        client: ClientCertificate | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        """`client` is shown to stores alone, never to a proxy.

        Raises: DownloadError when `ca_file` or `client` cannot be used.
        """
        self._timeout = Timeout(connect=connect_seconds, read=read_seconds)
        self._tls = self._proxy_tls = _tls(ca_file)
        if client is not None:
            self._tls = _showing(_tls(ca_file), client)
        self._proxies = dict(getproxies_environment() if proxies is None else proxies)
        self._pools: dict[str | None, urllib3.PoolManager] = {}

    def to(self, url: str) -> urllib3.PoolManager:
        """The pool for `url`. Raises: DownloadError when its proxy is no http or https URL."""
        proxy = self.proxy_of(url)
        if proxy not in self._pools:
            self._pools[proxy] = self._open(proxy)
        return self._pools[proxy]

    def proxy_of(self, url: str) -> str | None:
        """The URL of the proxy for `url`, None when it is reached directly."""
        parts = urlsplit(url)
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
        if proxy_bypass_environment(host, self._proxies):
            return None
        return self._proxies.get(parts.scheme)

    def close(self) -> None:
        """Hang up all; idempotent."""
        for pool in self._pools.values():
            pool.clear()

    def _open(self, proxy: str | None) -> urllib3.PoolManager:
        pool = self._direct() if proxy is None else self._through(proxy)
        pool.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return pool

    def _direct(self) -> urllib3.PoolManager:
        return urllib3.PoolManager(num_pools=4, maxsize=1, timeout=self._timeout, ssl_context=self._tls)

    def _through(self, proxy: str) -> urllib3.PoolManager:
        parts = urlsplit(proxy)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise DownloadError("the proxy's setting is no http:// or https:// URL; see download.proxies or http_proxy")
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
        return urllib3.ProxyManager(
            f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
            num_pools=4,
            maxsize=1,
            timeout=self._timeout,
            ssl_context=self._tls,
            proxy_ssl_context=self._proxy_tls,
            proxy_headers=make_headers(proxy_basic_auth=credentials) if credentials else None,
        )


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # an ssl.SSLError is one, too
        raise DownloadError(f"download.ca_file {ca_file} cannot be used: {error}") from error


def _showing(tls: ssl.SSLContext, client: ClientCertificate) -> ssl.SSLContext:
    """`tls` with the client's certificate; a key under a passphrase is refused instead of asked for."""
    try:
        tls.load_cert_chain(client.certificate, client.key, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise DownloadError(
            f"download.certificate_file {client.certificate} and download.key_file {client.key} cannot be used: {error}"
            "; both must be PEM, the key that of the certificate and without a passphrase"
        ) from error
    return tls


class _HeadDeadline(HTTPConnection):
    """Ends the connection when it does not stand, or the head of an answer is not whole, in time."""

    def connect(self) -> None:
        """See urllib3; at most `HEAD_SECONDS` once the server, or the proxy, has answered."""
        with self._deadline():
            super().connect()

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3 itself
        """See urllib3; at most `HEAD_SECONDS`."""
        with self._deadline():
            return super().getresponse()

    @contextlib.contextmanager
    def _deadline(self) -> Iterator[None]:
        timer = threading.Timer(HEAD_SECONDS, self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _hang_up(self) -> None:
        if self.sock is not None:
            with contextlib.suppress(OSError):  # it broke by itself
                self.sock.shutdown(socket.SHUT_RDWR)


class _SecureConnection(_HeadDeadline, HTTPSConnection):
    """Over TLS."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HeadDeadline


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
