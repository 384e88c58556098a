"""Microsoft Entra ID as a managed identity of App Service sees it: an address that hands out bearer tokens.

Tokens end by the real clock, unlike everything else here: clients renew them by theirs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid

from werkzeug.wrappers import Request, Response

from adapters.azure.simulator.planned import after, before
from adapters.simulation.faults import Faults

HUB_AUDIENCE = "https://iothubs.azure.net"
UPDATE_AUDIENCE = "https://api.adu.microsoft.com"
STORAGE_AUDIENCE = "https://storage.azure.com"
TOKEN_PATH = "/msi/token"  # noqa: S105 - an address
_AUDIENCES = (HUB_AUDIENCE, UPDATE_AUDIENCE, STORAGE_AUDIENCE)
_API_VERSION = "2019-08-01"
_SECONDS = 86_400
_HEADER = {"alg": "HS256", "typ": "JWT"}


class Identity:
    """One managed identity: its ids, and tokens for the services that are played here."""

    def __init__(self, faults: Faults) -> None:
        self.tenant = str(uuid.uuid4())
        self.principal = str(uuid.uuid4())
        self.header = secrets.token_hex(16)
        """What `X-IDENTITY-HEADER` must say."""
        self._faults = faults
        self._key = secrets.token_bytes(32)

    def token(self, audience: str) -> tuple[str, int]:
        """A token, and when it ends (seconds since the epoch)."""
        expires = int(time.time()) + _SECONDS
        claims = {"aud": audience, "exp": expires, "oid": self.principal, "tid": self.tenant}
        signed = f"{_part(_HEADER)}.{_part(claims)}"
        return f"{signed}.{self._sign(signed)}", expires

    def accepts(self, authorization: str, audience: str) -> bool:
        """Whether the header `Authorization` carries a token of this identity for `audience`."""
        kind, _, token = authorization.partition(" ")
        signed, _, signature = token.rpartition(".")
        if kind.lower() != "bearer" or not hmac.compare_digest(self._sign(signed).encode(), _octets(signature)):
            return False
        claims = json.loads(base64.urlsafe_b64decode(_padded(signed.partition(".")[2])))
        return bool(claims["aud"] == audience and claims["exp"] > time.time())

    def routes(self, request: Request) -> Response | None:
        """The token endpoint of App Service; None for any other address."""
        if request.path != TOKEN_PATH:
            return None
        resource = request.args.get("resource", "").rstrip("/")
        fault = self._faults.take("token", resource)
        refusal = before(fault, _refused)
        response = refusal or self._answer(request, resource)
        after(fault)
        return response

    def _answer(self, request: Request, resource: str) -> Response:
        if not hmac.compare_digest(_octets(request.headers.get("X-IDENTITY-HEADER", "")), self.header.encode()):
            return _refused(401, "invalid_request", "X-IDENTITY-HEADER is not that of IDENTITY_HEADER")
        if request.args.get("api-version") != _API_VERSION:
            return _refused(400, "invalid_request", f"api-version must be {_API_VERSION}")
        if resource not in _AUDIENCES:
            return _refused(400, "invalid_resource", f"no resource {resource!r}; there is {', '.join(_AUDIENCES)}")
        token, expires = self.token(resource)
        members = {"access_token": token, "expires_on": str(expires), "resource": resource, "token_type": "Bearer"}
        return _json(200, members)

    def _sign(self, text: str) -> str:
        return _base64url(hmac.new(self._key, _octets(text), hashlib.sha256).digest())


def _refused(status: int, code: str, message: str) -> Response:
    return _json(status, {"error": code, "error_description": message})


def _json(status: int, body: dict[str, str]) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _part(members: dict[str, object] | dict[str, str]) -> str:
    return _base64url(json.dumps(members, separators=(",", ":")).encode())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)
