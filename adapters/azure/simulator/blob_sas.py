"""Shared access signatures of Azure Storage, those under a user delegation key (service REST reference). Pure.

A user delegation key is a MAC of its own particulars, so that nobody has to remember which keys were given out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote

from adapters.azure.simulator.moments import parse_storage_time

VERSION = "2026-04-06"
"""The version whose fields are signed here when the simulator itself signs."""
_DELEGATED_USER_SINCE = "2025-07-05"
_REQUEST_FIELDS_SINCE = "2026-04-06"
_OLDEST = "2020-12-06"
_KEY_FIELDS = ("skoid", "sktid", "skt", "ske", "sks", "skv")
_ANSWER_FIELDS = ("rscc", "rscd", "rsce", "rscl", "rsct")
_BLOB, _CONTAINER = "b", "c"


class SasRefused(Exception):
    """A signature that opens nothing here; the text says why."""


class Place(NamedTuple):
    """A container, or with a name a blob in it."""

    container: str
    blob: str = ""

    def __str__(self) -> str:
        return f"{self.container}/{self.blob}" if self.blob else self.container


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature may bind: the place, and headers and query of the request, by name."""

    place: Place
    headers: Mapping[str, str]
    query: Mapping[str, str]


class Delegation:
    """Makes and checks user delegation keys of one account, and signatures under them."""

    def __init__(self, account: str, secret: bytes) -> None:
        self._account = account
        self._secret = secret

    def key(self, particulars: Mapping[str, str]) -> bytes:
        """The user delegation key with these `skoid`, `sktid`, `skt`, `ske`, `sks` and `skv`."""
        text = "\n".join(particulars.get(name, "") for name in (*_KEY_FIELDS, "skdutid"))
        return hmac.new(self._secret, text.encode(), hashlib.sha256).digest()

    def sign(self, place: Place, fields: Mapping[str, str]) -> str:
        """The query of a URL that grants what `fields` say; they need all but `sr`, `sv` and `sig`."""
        full = {**fields, "sv": VERSION, "sr": _BLOB if place.blob else _CONTAINER}
        signed = self._signature(full, SignedRequest(place, {}, {}))
        return "&".join(f"{name}={quote(value, safe='')}" for name, value in {**full, "sig": signed}.items())

    def check(self, request: SignedRequest, needs: str, now: float) -> None:
        """Whether the query of `request` grants one of the permissions `needs`. Raises: SasRefused."""
        fields = request.query
        if fields.get("sv", "") < _OLDEST or "skoid" not in fields:
            raise SasRefused(f"only user delegation signatures of version {_OLDEST} or later are taken here")
        covered = _covered(fields.get("sr", ""), request.place)
        expected = self._signature(fields, SignedRequest(covered, request.headers, fields))
        if not hmac.compare_digest(expected.encode(), fields.get("sig", "").encode("utf-8", "replace")):
            raise SasRefused("Signature did not match")
        _check_time(fields, now)
        if not set(needs) & set(fields.get("sp", "")):
            raise SasRefused(f"sp={fields.get('sp', '')} grants none of {needs}")

    def _signature(self, fields: Mapping[str, str], request: SignedRequest) -> str:
        text = _string_to_sign(self._account, fields, request)
        return base64.b64encode(hmac.new(self.key(fields), text.encode(), hashlib.sha256).digest()).decode()


def _covered(resource: str, place: Place) -> Place:
    """What the signature is about, where it covers `place`. Raises: SasRefused."""
    if resource == _CONTAINER:
        return Place(place.container)
    if resource == _BLOB and place.blob:
        return place
    raise SasRefused(f"sr={resource} does not cover {place}")


def _string_to_sign(account: str, fields: Mapping[str, str], request: SignedRequest) -> str:
    version = fields.get("sv", "")
    lines = [fields.get(name, "") for name in ("sp", "st", "se")]
    lines.append(f"/blob/{account}/{request.place}")
    lines += [fields.get(name, "") for name in (*_KEY_FIELDS, "saoid", "suoid", "scid")]
    if version >= _DELEGATED_USER_SINCE:
        lines += [fields.get(name, "") for name in ("skdutid", "sduoid")]
    lines += [fields.get(name, "") for name in ("sip", "spr", "sv", "sr", "snapshot", "ses")]
    if version >= _REQUEST_FIELDS_SINCE:
        lines += [_bound_headers(fields, request), _bound_query(fields, request)]
    return "\n".join([*lines, *(fields.get(name, "") for name in _ANSWER_FIELDS)])


def _bound_headers(fields: Mapping[str, str], request: SignedRequest) -> str:
    return "".join(f"{name}:{request.headers.get(name.lower(), '')}\n" for name in _listed(fields.get("srh", "")))


def _bound_query(fields: Mapping[str, str], request: SignedRequest) -> str:
    return "".join(f"\n{name}:{request.query.get(name, '')}" for name in _listed(fields.get("srq", "")))


def _listed(text: str) -> list[str]:
    return [unquote(each) for each in text.split(",") if each]


def _check_time(fields: Mapping[str, str], now: float) -> None:
    for first, last in (("st", "se"), ("skt", "ske")):
        start = parse_storage_time(fields[first]) if fields.get(first) else now
        end = parse_storage_time(fields.get(last, ""))
        if start is None or end is None:
            raise SasRefused(f"{first} and {last} must be times in UTC")
        if not start <= now < end:
            raise SasRefused(f"Signature not valid in the specified time frame: {last}={fields[last]}")
