"""Small files of an update over HTTP: bounded in size and time, through the environment's proxies. No artifacts.

What they hold is checked against hashes that are signed, so a server is trusted with nothing but our time. No message
repeats a URL's query, which may hold the signature that opens a store.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, LocationValueError

from adapters.azure.channel.deadline import settle
from adapters.azure.channel.settings import AzureSettings
from adapters.azure.formats.update_manifest import UpdateFile
from agent.download.answer import place
from agent.download.connections import Connections
from agent.download.link import is_link_local
from bridge.release.errors import AlteredRelease, ChannelError, DownloadError, FailureCode

MAX_URL = 8192
MAX_REDIRECTS = 3
MAX_ALTERED = 3
"""How often a file is fetched whose bytes are not the signed ones: the line, or the server, may have altered them."""
GRACE_SECONDS = 2.0
"""How much longer than it may take a request is waited for: one that ends by itself says more."""
CHUNK_BYTES = 64 * 1024
OK = 200
CREATED = 201
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PASSING = frozenset({408, 425, 429})
SERVER_FAULT = 500


class FileRefused(DownloadError):
    """The server does not give this file, whoever asks how often; or its URL is none to be fetched."""

    code = FailureCode.LINK_REFUSED


class Files:
    """Gets files of updates, and puts logs. The calls raise ChannelError where another try may do."""

    def __init__(self, settings: AzureSettings) -> None:
        self._settings = settings
        self._schemes = ("https", "http") if settings.allow_http else ("https",)
        self._open_connections: Connections | None = None

    def fetch(self, url: str, file: UpdateFile) -> bytes:
        """The bytes of `file`, which are the signed ones. Raises: AlteredRelease, FileRefused, ChannelError."""
        return self._in_time(url, lambda deadline: self._signed(url, file, deadline))

    def get(self, url: str, most: int) -> bytes:
        """Whatever lies there, at most `most` bytes. Raises: FileRefused, ChannelError."""
        return self._in_time(url, lambda deadline: self._get(url, most, deadline))

    def put(self, url: str, data: bytes) -> None:
        """Make `data` the block blob at `url`. Raises: FileRefused, ChannelError."""
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}
        with closing(self._request("PUT", url, data, headers)) as answer:
            _require(answer.status, CREATED, url)

    def close(self) -> None:
        """Hang up; idempotent."""
        if self._open_connections is not None:
            self._open_connections.close()

    def _in_time(self, url: str, act: Callable[[float], bytes]) -> bytes:
        """Names are resolved, and heads of answers read, without a deadline of ours: so all of it is under one."""
        seconds = self._settings.files_seconds
        deadline = time.monotonic() + seconds
        return settle(lambda: act(deadline), seconds + GRACE_SECONDS, place(url)).result()

    def _signed(self, url: str, file: UpdateFile, deadline: float) -> bytes:
        for _ in range(MAX_ALTERED):
            data = self._get(url, file.length, deadline)
            if len(data) == file.length and hashlib.sha256(data).hexdigest() == file.sha256:
                return data
        raise AlteredRelease(f"{file.name} from {place(url)} is not the file whose hash is signed")

    def _get(self, url: str, most: int, deadline: float) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            _require_time(url, deadline)
            with closing(self._request("GET", url)) as answer:
                if answer.status not in REDIRECTS:
                    _require(answer.status, OK, url)
                    return _body(answer, url, most, deadline)
                url = self._same_scheme(url, answer.headers.get("Location", ""))
        raise FileRefused(f"{place(url)}: more than {MAX_REDIRECTS} redirects")

    def _request(
        self, method: str, url: str, data: bytes | None = None, headers: dict[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        self._check(url)
        plain = {"Accept-Encoding": "identity", "User-Agent": "otabridge-agent", **(headers or {})}
        pool = self._pool(url)
        try:
            return pool.request(
                method, url, body=data, headers=plain, preload_content=False, redirect=False, retries=False
            )
        except LocationValueError as error:
            raise FileRefused(f"{place(url)}: there can be no such host") from error
        except HTTPError as error:
            raise ChannelError(f"{place(url)}: {_explain(error)}") from error

    def _pool(self, url: str) -> urllib3.PoolManager:
        try:
            return self._connections().to(url)
        except DownloadError as error:  # a proxy that is none, in the environment
            raise ChannelError(f"{place(url)}: {error}", retryable=False) from error

    def _connections(self) -> Connections:
        ca_file = self._settings.files_ca_file
        if self._open_connections is None:
            try:
                self._open_connections = Connections(ca_file=None if ca_file is None else Path(ca_file))
            except DownloadError as error:
                cause = error.__cause__
                raise ChannelError(
                    f"channel: files_ca_file {ca_file} cannot be used: {cause}", retryable=False
                ) from error
        return self._open_connections

    def _check(self, url: str) -> None:
        if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
            raise FileRefused(f"a URL of {len(url)} characters is too long, or has characters that no URL has")
        if _scheme(url) not in self._schemes:
            allowed = " or ".join(self._schemes)
            raise FileRefused(f"{place(url)}: a file must come over {allowed} (`allow_http` permits http)")
        if is_link_local(url):
            raise FileRefused(f"{place(url)}: no store is at a link-local address, where machines answer whoever asks")

    def _same_scheme(self, url: str, location: str) -> str:
        target = _joined(url, location)
        if not location or _scheme(target) != _scheme(url):
            raise FileRefused(f"{place(url)} redirects to {place(target)}, which is nowhere or of another scheme")
        return target


def _body(answer: urllib3.BaseHTTPResponse, url: str, most: int, deadline: float) -> bytes:
    data = bytearray()
    while chunk := _chunk(answer, url):
        data += chunk
        if len(data) > most:
            raise FileRefused(f"{place(url)}: more than {most} bytes, which is what the file may have")
        _require_time(url, deadline)
    return bytes(data)


def _require_time(url: str, deadline: float) -> None:
    if time.monotonic() > deadline:
        raise ChannelError(f"{place(url)}: not whole in time")


def _chunk(answer: urllib3.BaseHTTPResponse, url: str) -> bytes:
    try:
        return answer.read1(CHUNK_BYTES, decode_content=False)
    except HTTPError as error:
        raise ChannelError(f"{place(url)}: {_explain(error)}") from error


def _require(status: int, wanted: int, url: str) -> None:
    if status == wanted:
        return
    message = f"{place(url)}: the server answered {status}"
    if status in PASSING or status >= SERVER_FAULT:
        raise ChannelError(message)
    raise FileRefused(message)


def _joined(url: str, location: str) -> str:
    """Where `location` leads from `url`; "" where that is no URL."""
    try:
        return urljoin(url, location[:MAX_URL])
    except ValueError:
        return ""


def _scheme(url: str) -> str:
    """In lower case; "" of what is no URL, if only because of its port."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is not read before
    except ValueError:
        return ""
    return parts.scheme


def _explain(error: HTTPError) -> str:
    """Without the URL, which urllib3 likes to repeat."""
    return f"the connection failed ({type(error).__name__.removesuffix('Error')})"
