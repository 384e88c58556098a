"""Shared access signatures of IoT Hub and of the provisioning service."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

_KIND = "SharedAccessSignature "
_MAX_TOKEN = 2048


class SasRefused(Exception):
    """The token is none, is not for this resource, has expired or is signed with another key."""


@dataclass(frozen=True, slots=True)
class SasToken:
    """`resource` is as sent, percent-encoded, because that is what was signed; `expires_at` in seconds."""

    resource: str
    signature: str
    expires_at: int
    policy: str


def parse(text: str) -> SasToken:
    """Read `SharedAccessSignature sr=..&sig=..&se=..[&skn=..]`. Raises: SasRefused."""
    if not text.startswith(_KIND) or len(text) > _MAX_TOKEN:
        raise SasRefused("it is no SharedAccessSignature")
    pairs = dict(pair.partition("=")[::2] for pair in text.removeprefix(_KIND).split("&"))
    expiry = pairs.get("se", "")
    if not {"sr", "sig"} <= pairs.keys() or not (expiry.isascii() and expiry.isdecimal()):
        raise SasRefused("sr, sig or se is missing or malformed")
    return SasToken(pairs["sr"], unquote(pairs["sig"]), int(expiry), unquote(pairs.get("skn", "")))


def verify(token: SasToken, resource: str, keys: Iterable[str], now: float) -> None:
    """Whether the token opens `resource` now, signed with one of the base64 keys. Raises: SasRefused."""
    named = unquote(token.resource)
    if resource != named and not resource.startswith(f"{named}/"):
        raise SasRefused(f"it is for {named}, not for {resource}")
    if token.expires_at <= now:
        raise SasRefused(f"it expired {now - token.expires_at:.0f} s ago")
    signed = f"{token.resource}\n{token.expires_at}".encode()
    if not any(hmac.compare_digest(_signature(key, signed), token.signature.encode()) for key in keys):
        raise SasRefused("it is signed with another key")


def is_key(text: object) -> bool:
    """Whether this is a key of a device: base64 of 16 to 64 bytes (device identity properties)."""
    try:
        raw = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return False
    return _MIN_KEY <= len(raw) <= _MAX_KEY


_MIN_KEY = 16
_MAX_KEY = 64


def _signature(key: str, signed: bytes) -> bytes:
    return base64.b64encode(hmac.digest(base64.b64decode(key), signed, "sha256"))
