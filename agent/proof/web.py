"""Asks an HTTP server whether it is well: one GET, no redirects followed, little of the body read."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from urllib3.util import Timeout

from agent.download.connections import Connections
from agent.proof.checks import HttpCheck
from bridge.release.errors import DownloadError

MAX_BODY = 64 * 1024
MAX_WORDS = 200


class UrllibWeb:
    """HTTP checks by urllib3. Each has connections of its own, which end with it: a service that still answers on a
    connection of yesterday proves nothing. A server on this device is asked directly, any other by way of `proxies`."""

    def __init__(self, proxies: Mapping[str, str] | None = None) -> None:
        """`proxies` as in `agent.download.connections.Connections`; None takes those of the environment."""
        self._proxies = proxies

    def get(self, check: HttpCheck, seconds: float) -> str | None:
        """None when the status is the one wanted, and the text is found in the body; else what came instead.

        Raises: DownloadError when there was no answer.
        """
        proxies = {} if is_own(check.url) else self._proxies
        connections = Connections(ca_file=check.ca_file, proxies=proxies)
        try:
            return _judged(check, *_asked(connections.to(check.url), check.url, seconds))
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:  # a ValueError: a name that cannot be one
            raise DownloadError(f"{check.url} does not answer: {_words(error)}") from error
        finally:
            connections.close()


def is_own(url: str) -> bool:
    """Whether `url` names this device itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def require_authorities(path: Path) -> None:
    """Raises: DownloadError when the PEM file at `path` cannot be used."""
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # an ssl.SSLError is one, too
        raise DownloadError(f"ca_file {path} cannot be used: {error}") from error


def _asked(pool: urllib3.PoolManager, url: str, seconds: float) -> tuple[int, bytes]:
    answer = pool.request(
        "GET", url, timeout=Timeout(total=seconds), redirect=False, retries=False, preload_content=False
    )
    try:
        return answer.status, answer.read(MAX_BODY, decode_content=False)
    finally:
        answer.close()


def _judged(check: HttpCheck, status: int, body: bytes) -> str | None:
    if status != check.status:
        return f"answered with status {status}, not {check.status}"
    if check.contains is not None and check.contains.encode() not in body:
        return f"answered without {check.contains!r} in its first {MAX_BODY // 1024} KiB"
    return None


def _words(error: Exception) -> str:
    """urllib3's words on one line, without its names of objects before them."""
    text = str(error).rpartition(">: ")[2].rpartition("): ")[2]
    return " ".join(text.split())[:MAX_WORDS]
