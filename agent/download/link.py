"""GET from an offset on, over redirects, from servers that a device may fetch from."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, LocationValueError

from agent.download.answer import MAX_URL, Answer, LinkRefused, Wanted, accept, fault_of, place, split
from agent.download.connections import Connections

MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
Address = IPv4Address | IPv6Address
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class Links:
    """Opens URLs: http or https, through the configured proxies, following a few redirects."""

    def __init__(self, connections: Connections, *, allow_http: bool = False) -> None:
        self._connections = connections
        self._schemes = ("https", "http") if allow_http else ("https",)

    def open(self, wanted: Wanted) -> Answer:
        """The answer to a request for `wanted`. Raises: DownloadError, LinkDropped, LinkExpired, LinkRefused."""
        url = wanted.url
        for _ in range(MAX_REDIRECTS + 1):
            response = self._get(url, wanted)
            if response.status not in REDIRECTS:
                return accept(response, wanted)
            response.close()
            target = _target(url, response.headers.get("Location", ""))
            if _is_this_machine(target) and not _is_this_machine(url):
                raise LinkRefused(f"{place(url)} redirects to {place(target)}, which is this device itself")
            url = target
        raise LinkRefused(f"{place(wanted.url)} redirects more than {MAX_REDIRECTS} times")

    def _get(self, url: str, wanted: Wanted) -> urllib3.BaseHTTPResponse:
        self._check(url)
        try:
            return self._connections.to(url).request(
                "GET",
                url,
                headers=_headers(wanted),
                preload_content=False,
                redirect=False,
                retries=False,
            )
        except LocationValueError as error:
            raise LinkRefused(f"{place(url)}: there can be no such host") from error
        except HTTPError as error:
            raise fault_of(error, url) from error

    def _check(self, url: str) -> None:
        if len(url) > MAX_URL or not _PRINTABLE.fullmatch(url):
            raise LinkRefused(f"the URL of {len(url)} characters is too long or has characters that no URL has")
        parts = split(url)
        if parts is None:
            raise LinkRefused(f"{url.partition('?')[0]!r} is not a URL")
        if parts[0] not in self._schemes:
            raise LinkRefused(
                f"{place(url)}: a download must come over {' or '.join(self._schemes)}, not {parts[0]!r}"
                " (download.allow_http permits http)"
            )
        if not parts[1]:
            raise LinkRefused(f"{place(url)!r} names no host")
        if is_link_local(url):
            raise LinkRefused(f"{place(url)}: no store is at a link-local address, where machines answer whoever asks")


def _headers(wanted: Wanted) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity", "Cache-Control": "no-transform", "User-Agent": "otabridge-agent"}
    if wanted.stop < wanted.length:
        headers["Range"] = f"bytes={wanted.offset}-{wanted.stop - 1}"
    elif wanted.offset:
        headers["Range"] = f"bytes={wanted.offset}-"
    if wanted.etag:
        headers["If-Match"] = wanted.etag
    return headers


def _address(url: str) -> Address | None:
    """The address that `url` names; None for a name, which a resolver has to answer for."""
    try:
        address = ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_link_local(url: str) -> bool:
    """Whether `url` names an address of the link, where clouds tell their machines secrets, or a group of machines."""
    address = _address(url)
    return address is not None and (address.is_link_local or address.is_multicast)


def _is_this_machine(url: str) -> bool:
    """Whether `url` names the loopback interface, where services may trust whoever reaches them."""
    address = _address(url)
    if address is not None:
        return address.is_loopback or address.is_unspecified
    host = split(url)
    return host is not None and host[1].partition(":")[0].rpartition(".")[2] == "localhost"


def _target(url: str, location: str) -> str:
    """Where a redirect leads. Raises: LinkRefused."""
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise LinkRefused(f"{place(url)} redirects to what is no URL: {error}") from error
