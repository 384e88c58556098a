"""Azure Resource Manager, read-only: what a subscription holds, by the ids of its resources.

Paths, api-versions and members are those of the stable folders of the repository azure-rest-api-specs.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy, UserAgentPolicy
from azure.core.rest import HttpRequest, HttpResponse

PUBLIC = "https://management.azure.com"
MOST_OCTETS = 4 * 1024 * 1024
MOST_PAGES = 20
SECONDS = 30
_Kind = TypeVar("_Kind")


class Version(StrEnum):
    """api-versions, by resource provider."""

    AUTHORIZATION = "2022-04-01"
    DEVICE_UPDATE = "2023-07-01"
    EVENT_HUB = "2024-01-01"
    HUB = "2023-06-30"
    KEY_VAULT = "2023-07-01"
    PROVISIONING = "2022-12-12"
    STORAGE = "2023-05-01"
    WORKBOOK = "2022-04-01"
    WORKSPACE = "2022-10-01"


class Refused(Exception):
    """Resource Manager answered with an error: `status`, and its own code and words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status


class _Error(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Envelope(msgspec.Struct, frozen=True):
    error: _Error = _Error()


class _Page(msgspec.Struct, frozen=True, rename="camel"):
    value: tuple[msgspec.Raw, ...] = ()
    next_link: str | None = None


class Arm:
    """Resource Manager at `url`, https only, asked with the tokens of `credential`."""

    def __init__(self, url: str, credential: TokenCredential) -> None:
        self._url = url.rstrip("/")
        policies = (
            UserAgentPolicy("otabridge-check"),
            RetryPolicy(retry_total=2, retry_backoff_factor=0.5, retry_backoff_max=5),
            BearerTokenCredentialPolicy(credential, f"{self._url}/.default"),
        )
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(self._url, policies=policies)

    def read(self, path: str, version: Version, kind: type[_Kind]) -> _Kind:
        """The resource at `path`, as far as `kind` looks. Raises: Refused, AzureError, msgspec.MsgspecError."""
        return msgspec.json.decode(self._get(self._address(path, version)), type=kind)

    def read_all(self, path: str, version: Version, kind: type[_Kind], **query: str) -> Iterator[_Kind]:
        """All of the list at `path`, page by page. Raises: as `read`."""
        address: str | None = self._address(path, version, **query)
        for _ in range(MOST_PAGES):
            page = msgspec.json.decode(self._get(address or ""), type=_Page)
            yield from (msgspec.json.decode(each, type=kind) for each in page.value)
            address = page.next_link
            if not address or not address.startswith(f"{self._url}/"):
                return

    def _address(self, path: str, version: Version, **query: str) -> str:
        return f"{self._url}{path}?{urlencode({'api-version': version, **query})}"

    def _get(self, address: str) -> bytes:
        request = HttpRequest("GET", address, headers={"Accept": "application/json"})
        sending: dict[str, Any] = {"connection_timeout": 10, "read_timeout": SECONDS}
        with self._client.send_request(request, stream=True, **sending) as response:
            body = _bounded(response)
            if response.status_code != 200:  # noqa: PLR2004 - OK, as HTTP has it
                raise _refused(response.status_code, body)
            return body


def _bounded(response: HttpResponse) -> bytes:
    """The body; what is longer is cut off, and no JSON any more."""
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MOST_OCTETS:
            break
    return bytes(body[:MOST_OCTETS])


def _refused(status: int, body: bytes) -> Refused:
    try:
        error = msgspec.json.decode(body, type=_Envelope).error
    except msgspec.MsgspecError:
        error = _Error("no reason given")
    return Refused(status, error.code, error.message)
