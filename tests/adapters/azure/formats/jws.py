"""Signs as Device Update does, with keys of its own and from its own reading of RFC 7515."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from adapters.azure.formats.root_keys import KeyStore, RootKey


@cache
def private_key(_name: str) -> rsa.RSAPrivateKey:
    """The same key for the same name, as long as the tests run."""
    return rsa.generate_private_key(65537, 2048)


def url64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def octets(name: str) -> bytes:
    """The modulus of a key."""
    number = private_key(name).public_key().public_numbers().n
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def root(name: str) -> RootKey:
    """As a device pins it."""
    return RootKey(name, int.from_bytes(octets(name), "big"), 65537)


def store(*names: str, **more) -> KeyStore:
    """A device that trusts these roots."""
    return KeyStore({name: root(name) for name in names or ("root-1",)}, **more)


def sign(name: str, data: bytes) -> bytes:
    """RS256."""
    return private_key(name).sign(data, padding.PKCS1v15(), SHA256())


def compact(name: str, header: object, payload: object) -> str:
    """`H.P.S`, made with the key of that name."""
    signed = ".".join(url64(json.dumps(part).encode()) for part in (header, payload))
    return f"{signed}.{url64(sign(name, signed.encode()))}"


def jwk(name: str = "signer-1") -> dict[str, object]:
    """With n in standard base64, as the service writes it."""
    n = base64.b64encode(octets(name)).decode()
    return {"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": name}


def sjwk(header: object | None = None, payload: object | None = None, by: str = "root-1") -> str:
    """A signing key, signed by a root."""
    given = {"alg": "RS256", "kid": "root-1"} if header is None else header
    return compact(by, given, jwk() if payload is None else payload)


def signature(manifest: str, inner: str | None = None, *, header: object | None = None, by: str = "signer-1") -> str:
    """What the service sends beside `manifest`."""
    given = {"alg": "RS256", "sjwk": sjwk() if inner is None else inner} if header is None else header
    return compact(by, given, {"sha256": base64.b64encode(hashlib.sha256(manifest.encode()).digest()).decode()})


def entry(name: str, *, zero: bytes = b"\0") -> dict[str, object]:
    """A key in `rootKeys`, with the leading zero octet of Microsoft's own."""
    return {"keyType": "RSA", "n": url64(zero + octets(name)), "e": 65537}


def protected(*names: str, version: int = 2, **more) -> dict[str, object]:
    """The signed part of a root key package."""
    return {
        "version": version,
        "published": 1675803020,
        "disabledRootKeys": [],
        "disabledSigningKeys": [],
        "rootKeys": {name: entry(name) for name in names or ("root-1", "root-2")},
        **more,
    }


def package(part: dict[str, object], signers: tuple[str, ...] | None = None, *, escaped: bool = False) -> bytes:
    """A root key package, signed by all its keys in their order unless `signers` are given."""
    data = json.dumps(part, separators=(",", ":")).encode()
    data = data.replace(b"/", rb"\/") if escaped else data
    names = tuple(part["rootKeys"]) if signers is None else signers
    signatures = [{"alg": "RS256", "sig": url64(sign(name, data))} for name in names]
    return json.dumps({"protected": part, "signatures": signatures}, indent=1).encode()
