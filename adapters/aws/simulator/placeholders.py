"""S3 placeholders of job documents: found when the job is made, filled when a device asks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from adapters.aws.simulator.errors import invalid

_PLACEHOLDER = re.compile(r"\$\{aws:iot:s3-presigned-url(?P<encoded>-v2)?:(?P<url>https?://[^}]*)\}")
_UNENCODED = re.compile(r'[\s"<>\\^`{|}]')
_VIRTUAL_HOST = re.compile(r"(?P<bucket>.+)\.s3[.-].*amazonaws\.com(\.cn)?")


class S3Object(NamedTuple):
    """Where an object is; `version` is None for the latest."""

    bucket: str
    key: str
    version: str | None = None


def check_placeholders(document: str, *, has_role: bool) -> None:
    """Refuse a document whose placeholders could not be filled.

    Raises:
        ServiceError: InvalidRequest.
    """
    for match in _PLACEHOLDER.finditer(document):
        if not has_role:
            raise invalid("presignedUrlConfig role ARN is required to generate an S3 presigned url in job document.")
        if match["encoded"] and _UNENCODED.search(match["url"]):
            raise invalid(f"Given S3 url {match['url']} is invalid.")
        _located(match)


def has_placeholders(document: str) -> bool:
    """Whether anything in the document has to be filled."""
    return _PLACEHOLDER.search(document) is not None


def fill(document: str, presign: Callable[[S3Object], str]) -> str:
    """The document with each placeholder replaced by a URL that `presign` makes now."""
    return _PLACEHOLDER.sub(lambda match: _json_text(presign(_located(match))), document)


def locate(url: str, *, encoded: bool = True) -> S3Object:
    """Bucket and key of an S3 URL, path style or virtual-host style.

    Raises:
        ServiceError: InvalidRequest, if either is missing.
    """
    parts = urlsplit(url)
    decode = unquote if encoded else str
    path = parts.path.lstrip("/")
    host = _VIRTUAL_HOST.fullmatch(parts.hostname or "")
    bucket, _, key = (host["bucket"], "", path) if host else path.partition("/")
    if not bucket:
        raise invalid(f"Given S3 url {url} is invalid.")
    if not key:
        raise invalid(f"Provided S3 url is not valid: {url}. Error: Key cannot be null")
    key, _, pinned = decode(key).partition("?versionId=")
    version = pinned or parse_qs(parts.query).get("versionId", [""])[0]
    return S3Object(bucket, key, version or None)


def _located(match: re.Match[str]) -> S3Object:
    return locate(match["url"], encoded=match["encoded"] is not None)


def _json_text(text: str) -> str:
    return json.dumps(text)[1:-1]
