"""Presigned S3 URLs, signed and checked (AWS Signature Version 4, query string authentication)."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
_SIGNATURE = "X-Amz-Signature"
_STAMP = "%Y%m%dT%H%M%SZ"
_WEEK = 7 * 24 * 3600


@dataclass(frozen=True)
class Credentials:
    """An access key; temporary ones have a session token."""

    access_key: str
    secret_key: str
    token: str | None = None


class PresignError(Exception):
    """S3 would refuse the URL. `code` is S3's error code; the HTTP status is 403."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def presign_get(url: str, credentials: Credentials, *, region: str, now: float, expires: int) -> str:
    """`url` (percent-encoded path, optional query) with a signature that lives `expires` seconds."""
    stamp = dt.datetime.fromtimestamp(now, dt.UTC).strftime(_STAMP)
    parts = urlsplit(url)
    query = {
        **dict(parse_qsl(parts.query, keep_blank_values=True)),
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key}/{_scope(stamp, region)}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": "host",
    }
    if credentials.token is not None:
        query["X-Amz-Security-Token"] = credentials.token
    request = _canonical("GET", parts.path, query, {"host": parts.netloc})
    query[_SIGNATURE] = _sign(credentials.secret_key, stamp, region, request)
    return parts._replace(query=urlencode(query, quote_via=quote)).geturl()


@dataclass(frozen=True)
class SignedRequest:
    """A request with a signature in its query. `path` is percent-encoded; header names lower."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


def check(request: SignedRequest, keys: dict[str, str], now: float) -> None:
    """Whether S3 would accept the signature. `keys` maps access keys to secrets.

    Raises:
        PresignError: malformed, unknown key, expired, or not signed like this.
    """
    query = dict(request.query)
    given = query.pop(_SIGNATURE, "")
    stamp, region, access_key = _scope_of(query)
    signed_at = _seconds(stamp)
    if now > signed_at + _lifetime(query):
        raise PresignError("AccessDenied", "Request has expired")
    if access_key not in keys:
        raise PresignError("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    names = query.get("X-Amz-SignedHeaders", "host").split(";")
    headers = {name: request.headers.get(name, "").strip() for name in names}
    canonical = _canonical(request.method, request.path, query, headers)
    if not hmac.compare_digest(given, _sign(keys[access_key], stamp, region, canonical)):
        raise PresignError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )


def _scope_of(query: dict[str, str]) -> tuple[str, str, str]:
    access_key, *scope = query.get("X-Amz-Credential", "").split("/")
    if len(scope) != 4 or query.get("X-Amz-Algorithm") != _ALGORITHM:  # noqa: PLR2004 - date, region, service, end
        raise PresignError("AuthorizationQueryParametersError", "The X-Amz-Credential parameter is malformed")
    return query.get("X-Amz-Date", ""), scope[1], access_key


def _seconds(stamp: str) -> float:
    try:
        return dt.datetime.strptime(stamp, _STAMP).replace(tzinfo=dt.UTC).timestamp()
    except ValueError as error:
        raise PresignError("AuthorizationQueryParametersError", "X-Amz-Date must be in ISO8601 basic format") from error


def _lifetime(query: dict[str, str]) -> int:
    text = query.get("X-Amz-Expires", "")
    if not text.isdecimal() or not 0 < int(text) <= _WEEK:
        raise PresignError("AuthorizationQueryParametersError", f"X-Amz-Expires must be 1 to {_WEEK} seconds")
    return int(text)


def _canonical(method: str, path: str, query: dict[str, str], headers: dict[str, str]) -> str:
    pairs = sorted((quote(key, safe="-_.~"), quote(value, safe="-_.~")) for key, value in query.items())
    names = sorted(headers)
    return "\n".join(
        (
            method,
            path,
            "&".join(f"{key}={value}" for key, value in pairs),
            *(f"{name}:{headers[name]}" for name in names),
            "",
            ";".join(names),
            "UNSIGNED-PAYLOAD",
        )
    )


def _scope(stamp: str, region: str) -> str:
    return f"{stamp[:8]}/{region}/s3/aws4_request"


def _sign(secret: str, stamp: str, region: str, canonical: str) -> str:
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((_ALGORITHM, stamp, _scope(stamp, region), digest))
    key = b"AWS4" + secret.encode()
    for part in (*_scope(stamp, region).split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()
