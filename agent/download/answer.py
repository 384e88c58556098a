"""One answer of a server: what it claims is checked before one byte of it is used.

    DownloadError               no further try of this download makes sense
    ├── LinkDropped               the connection, or the server for now: try again, after `retry_after` if given
    ├── LinkExpired               the URL has run out: ask the channel for a fresh one
    └── LinkRefused               the server will never give this

No message repeats a URL's query: it holds the signature that opens the store.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from bridge.release.errors import DownloadError, FailureCode

MAX_URL = 8192
MAX_RETRY_AFTER = 600.0
"""Seconds that a server may ask us to wait; it may ask again."""
READ_BYTES = 256 * 1024
MOST_BYTES = 64 * 1024 * 1024
"""Of one request: the content hosts of Device Update refuse ranges of more than 100 MB (Device Update limits)."""
EXPLANATION_BYTES = 2048
EXPIRED = frozenset({401, 403, 410})
"""S3 and Azure Blob answer 403 to a signed URL past its time, Azure also 401; a CDN may say 410."""
BUSY = frozenset({408, 425, 429})
WEB_PAGES = frozenset({"text/html", "application/xhtml+xml"})
PARTIAL = 206
PROXY_CREDENTIALS = 407
BAD_REQUEST = 400
CHANGED = 412
SERVER_FAULT = 500

_EXPIRED_CODES = re.compile(rb"<Code>(ExpiredToken|RequestExpired|TokenRefreshRequired)</Code>")
_ERROR_CODE = re.compile(rb"<Code>([A-Za-z]{1,64})</Code>")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,16})-(\d{1,16})/(\d{1,16}|\*)")


class LinkDropped(DownloadError):
    """The line or the server failed for now. `retry_after`: seconds that the server asked us to wait."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LinkExpired(DownloadError):
    """The URL is no longer valid, or never was; a fresh one may be."""

    code = FailureCode.LINK_REFUSED


class LinkRefused(DownloadError):
    """The server does not give this, whoever asks how often."""

    code = FailureCode.LINK_REFUSED


@dataclass(frozen=True, slots=True)
class Wanted:
    """Bytes `offset` to `length` of the entity `etag` (None: whichever is there) at `url`; `length` is as signed."""

    url: str
    offset: int
    length: int
    etag: str | None = None

    @property
    def stop(self) -> int:
        """Where one request ends, at most `MOST_BYTES` on."""
        return min(self.length, self.offset + MOST_BYTES)


class Answer:
    """A body up to `stop` that begins `skip` bytes before what was wanted (the server knows no ranges), or there."""

    def __init__(self, response: urllib3.BaseHTTPResponse, wanted: Wanted) -> None:
        self._response = response
        self.etag = _strong(response.headers.get("ETag"))
        partial = response.status == PARTIAL
        self.skip = 0 if partial else wanted.offset
        self.stop = wanted.stop if partial else wanted.length

    def read(self) -> bytes:
        """The next bytes as they come, at most `READ_BYTES`; empty at the end. Raises: LinkDropped."""
        try:
            return self._response.read1(READ_BYTES, decode_content=False)
        except HTTPError as error:
            raise LinkDropped(f"{explain(error)} in mid-body") from error

    def close(self) -> None:
        """Hang up, even in mid-body; idempotent."""
        self._response.close()


def place(url: str) -> str:
    """`url` as it may be shown: without its query and without a password."""
    parts = split(url)
    return "a malformed URL" if parts is None else f"{parts[0]}://{parts[1]}{parts[2]}"


def split(url: str) -> tuple[str, str, str] | None:
    """Scheme, host with port, and path; None for what is no URL."""
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return None
    host = parts.hostname or ""
    return parts.scheme, f"[{host}]{port}" if ":" in host else f"{host}{port}", parts.path


def accept(response: urllib3.BaseHTTPResponse, wanted: Wanted) -> Answer:
    """The answer, held against what was wanted. Raises: DownloadError; the connection is closed then."""
    try:
        _check_status(response, wanted)
        _check_kind(response, wanted)
        _check_encoding(response, wanted)
        _check_entity(response, wanted)
        _check_extent(response, wanted)
    except DownloadError:
        response.close()
        raise
    return Answer(response, wanted)


def _check_status(response: urllib3.BaseHTTPResponse, wanted: Wanted) -> None:
    status = response.status
    if status in {200, PARTIAL}:
        return
    if status == CHANGED:
        raise DownloadError(_changed(wanted))
    body = _explanation(response)
    message = f"{place(wanted.url)}: the server answered {status}{_named(body)}"
    if status in BUSY or status >= SERVER_FAULT:
        raise LinkDropped(message, _retry_after(response))
    if status == PROXY_CREDENTIALS:
        raise LinkRefused(f"{place(wanted.url)}: {_UNKNOWN_TO_PROXY}")
    if status in EXPIRED or (status == BAD_REQUEST and _EXPIRED_CODES.search(body)):
        raise LinkExpired(message)
    raise LinkRefused(message)


def _check_kind(response: urllib3.BaseHTTPResponse, wanted: Wanted) -> None:
    """No artifact is a web page. Who stands in the way with one may be gone soon: a portal, once somebody agreed."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in WEB_PAGES:
        raise LinkDropped(
            f"{place(wanted.url)}: a web page came instead of the artifact: a captive portal or a login page stands "
            "between this device and the store, or the store calls the artifact one; log the network in, or publish "
            "the artifact as application/octet-stream"
        )


def _check_encoding(response: urllib3.BaseHTTPResponse, wanted: Wanted) -> None:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise DownloadError(
            f"{place(wanted.url)}: the server sent Content-Encoding {encoding[:32]!r} though identity was asked for; "
            "publish the artifact without one, or stop the proxy that adds it"
        )


def _check_entity(response: urllib3.BaseHTTPResponse, wanted: Wanted) -> None:
    seen = _strong(response.headers.get("ETag"))
    if wanted.etag and seen and seen != wanted.etag:
        raise DownloadError(_changed(wanted))


def _check_extent(response: urllib3.BaseHTTPResponse, wanted: Wanted) -> None:
    declared = _count(response.headers.get("Content-Length"))
    if response.status == PARTIAL:
        start, end, total = _content_range(response, wanted)
        honest = start == wanted.offset and start <= end < (total or wanted.length)
        if not honest or declared not in {None, end - start + 1}:
            raise DownloadError(
                f"{place(wanted.url)}: asked for bytes from {wanted.offset} on, the server announced "
                f"bytes {start} to {end} and a Content-Length of {declared}"
            )
    else:
        total = declared
    if total not in {None, wanted.length}:
        raise DownloadError(
            f"{place(wanted.url)}: the server has {total} bytes, the release signed {wanted.length}: "
            "another file lies there; publish the release again"
        )


def _content_range(response: urllib3.BaseHTTPResponse, wanted: Wanted) -> tuple[int, int, int | None]:
    text = response.headers.get("Content-Range", "")
    match = _CONTENT_RANGE.fullmatch(text.strip())
    if match is None:
        raise DownloadError(f"{place(wanted.url)}: a partial answer with Content-Range {text[:64]!r}")
    start, end, total = match.groups()
    return int(start), int(end), None if total == "*" else int(total)


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,16}", text) else None


def _strong(etag: str | None) -> str | None:
    """A weak ETag says nothing about bytes (RFC 9110, 8.8.1), so it counts as none."""
    return etag if etag and etag.startswith('"') and len(etag) <= MAX_URL else None


def _changed(wanted: Wanted) -> str:
    return (
        f"{place(wanted.url)}: the file changed on the server in mid-download (its ETag is no longer {wanted.etag}); "
        "bytes of two files cannot be joined, so the download starts over at the next try"
    )


def _explanation(response: urllib3.BaseHTTPResponse) -> bytes:
    try:
        return response.read1(EXPLANATION_BYTES, decode_content=False)
    except HTTPError:
        return b""  # the status has said it; the body only adds a name


def _named(body: bytes) -> str:
    match = _ERROR_CODE.search(body)
    return f" ({match.group(1).decode()})" if match else ""


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    text = response.headers.get("Retry-After")
    try:
        return None if text is None else min(MAX_RETRY_AFTER, urllib3.Retry().parse_retry_after(text[:64]))
    except (InvalidHeader, ValueError, OverflowError):
        return None


_UNKNOWN_TO_PROXY = (
    "the proxy wants other credentials (407); put user and password of it into download.proxies or http_proxy"
)


def fault_of(error: HTTPError, url: str) -> DownloadError:
    """Why `url` gave no answer: LinkRefused where no further try changes that, else LinkDropped."""
    if isinstance(error, ProxyError) and f"failed: {PROXY_CREDENTIALS} " in str(error.original_error):
        return LinkRefused(f"{place(url)}: {_UNKNOWN_TO_PROXY}")
    return LinkDropped(f"{place(url)}: {explain(error)}")


def explain(error: HTTPError) -> str:
    """What broke a connection, for people."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words.format(error=error)
    return "the connection broke"


_WORDS: tuple[tuple[type[HTTPError], str], ...] = (  # most specific first
    (ProxyError, "the proxy does not connect us"),
    (NameResolutionError, "the host's name cannot be resolved"),
    (NewConnectionError, "nobody answers there"),
    (ConnectTimeoutError, "no connection within the time for connecting"),
    (ReadTimeoutError, "no byte within the time for reading"),
    (SSLError, "TLS failed: {error}"),
)
