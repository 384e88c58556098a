"""The signature of an update manifest: a JWS whose key a root of Device Update has signed. Pure.

Compact JWS `H.P.S`. `H` holds `sjwk`, a JWS of its own: the signing key as JWK, signed by the root that its header
names. `P` holds the SHA-256 of the manifest, character for character as the twin delivered it. RS256 throughout.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Literal, TypeVar

import msgspec

from adapters.azure.formats.root_keys import KeyStore, RootKey, signing_key_hash
from adapters.azure.formats.rsa_keys import MAX_MODULUS_TEXT, decode_either, decode_url, is_signed, modulus, public_key
from bridge.release.errors import FailureCode, ReleaseError

MAX_SIGNATURE = 16 * 1024
"""Characters; the service's signatures have some 2900, and a twin holds no text above 4096."""
MAX_MANIFEST_BYTES = 64 * 1024

T = TypeVar("T")


class SignatureFault(IntEnum):
    """What is wrong with a signature, by the numbers of `JWSResult` in Microsoft's agent."""

    OTHER_MANIFEST = 0
    """The signature is good, and for another manifest; Microsoft's agent reports that outside `JWSResult`."""
    STRUCTURE = 2
    ALGORITHM = 3
    SIGNATURE = 4
    ROOT_DISABLED = 5
    ROOT_MISSING = 6
    ROOT_UNKNOWN = 7
    HEADER = 8
    SIGNING_KEY = 9
    SIGNING_KEY_DISABLED = 10


class SignatureRefused(ReleaseError):
    """The update manifest is not signed by a key that this device trusts."""

    code = FailureCode.UNSIGNED

    def __init__(self, fault: SignatureFault, message: str) -> None:
        super().__init__(f"signature of the update manifest: {message}")
        self.fault = fault


def verify(manifest: str, signature: str, keys: KeyStore) -> None:
    """Whether `signature` vouches for `manifest`, both as the twin delivered them.

    Raises:
        SignatureRefused: with the first fault found; nothing in `manifest` has been read then.
    """
    outer = _split(signature, SignatureFault.STRUCTURE)
    header = _read(outer.header, _Header, SignatureFault.HEADER)
    _require_algorithm(header.alg)
    key = _signing_key(header.sjwk, keys)
    if not is_signed(key.n, key.e, outer.signature, outer.signed):
        raise SignatureRefused(SignatureFault.SIGNATURE, f"not made by the signing key {key.kid} that it names")
    _require_hash(manifest, _read(outer.payload, _Payload, SignatureFault.STRUCTURE).sha256)


class _Header(msgspec.Struct, frozen=True):
    alg: Annotated[str, msgspec.Meta(max_length=16)]
    sjwk: Annotated[str, msgspec.Meta(max_length=MAX_SIGNATURE)]


class _KeyHeader(msgspec.Struct, frozen=True):
    alg: Annotated[str, msgspec.Meta(max_length=16)]
    kid: Annotated[str, msgspec.Meta(max_length=128)] = ""


class _Jwk(msgspec.Struct, frozen=True):
    """`n` and `e` come in standard base64, where RFC 7518 has base64url."""

    kty: Literal["RSA"]
    n: Annotated[str, msgspec.Meta(max_length=MAX_MODULUS_TEXT)]
    e: Annotated[str, msgspec.Meta(max_length=16)]
    kid: Annotated[str, msgspec.Meta(max_length=128)] = ""


class _Payload(msgspec.Struct, frozen=True):
    sha256: Annotated[str, msgspec.Meta(max_length=64)]


@dataclass(frozen=True, slots=True)
class _Jws:
    """The parts decoded; `signed` are the bytes that the signature is over."""

    header: bytes
    payload: bytes
    signature: bytes
    signed: bytes


def _split(text: str, fault: SignatureFault) -> _Jws:
    parts = text[: MAX_SIGNATURE + 1].split(".")
    if len(text) > MAX_SIGNATURE or len(parts) != 3 or not text.isascii():  # noqa: PLR2004 - RFC 7515: H.P.S
        raise SignatureRefused(fault, f"{len(text)} characters that are no JWS in its compact form")
    try:
        header, payload, made = map(decode_url, parts)
    except ValueError as error:
        raise SignatureRefused(fault, f"a part of the JWS is {error}") from error
    return _Jws(header, payload, made, signed=text.rpartition(".")[0].encode())


def _read(text: bytes, kind: type[T], fault: SignatureFault) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise SignatureRefused(fault, f"{kind.__name__.strip('_').lower()} of the JWS: {error}") from error


def _require_algorithm(alg: str) -> None:
    if alg.upper() != "RS256":
        raise SignatureRefused(SignatureFault.ALGORITHM, f"made with {alg!r}; RS256 is taken and nothing else")


def _signing_key(sjwk: str, keys: KeyStore) -> RootKey:
    """The key that a trusted root has signed."""
    inner = _split(sjwk, SignatureFault.SIGNING_KEY)
    header = _read(inner.header, _KeyHeader, SignatureFault.HEADER)
    _require_algorithm(header.alg)
    root = _root(header.kid, keys)
    if not is_signed(root.n, root.e, inner.signature, inner.signed):
        raise SignatureRefused(SignatureFault.SIGNATURE, f"its signing key is not signed by the root {root.kid}")
    key = _jwk(_read(inner.payload, _Jwk, SignatureFault.SIGNING_KEY))
    if signing_key_hash(key.n, key.e) in keys.disabled_signing_keys:
        raise SignatureRefused(SignatureFault.SIGNING_KEY_DISABLED, f"its signing key {key.kid} has been disabled")
    return key


def _root(kid: str, keys: KeyStore) -> RootKey:
    if not kid:
        raise SignatureRefused(SignatureFault.ROOT_MISSING, "it names no root")
    if kid in keys.disabled_roots:
        raise SignatureRefused(SignatureFault.ROOT_DISABLED, f"its root {kid} has been disabled")
    if kid not in keys.roots:
        known = ", ".join(sorted(keys.roots)) or "none"
        raise SignatureRefused(SignatureFault.ROOT_UNKNOWN, f"its root is {kid}; this device knows {known}")
    return keys.roots[kid]


def _jwk(jwk: _Jwk) -> RootKey:
    try:
        key = RootKey(jwk.kid, modulus(decode_either(jwk.n)), int.from_bytes(decode_either(jwk.e), "big"))
        public_key(key.n, key.e)
    except ValueError as error:
        raise SignatureRefused(SignatureFault.SIGNING_KEY, f"its signing key: {error}") from error
    return key


def _require_hash(manifest: str, expected: str) -> None:
    try:
        text, digest = manifest.encode(), decode_either(expected)
    except ValueError as error:
        raise SignatureRefused(SignatureFault.OTHER_MANIFEST, f"the hash or the manifest: {error}") from error
    if len(text) > MAX_MANIFEST_BYTES or not hmac.compare_digest(hashlib.sha256(text).digest(), digest):
        raise SignatureRefused(
            SignatureFault.OTHER_MANIFEST, f"it is for another manifest than these {len(text)} bytes"
        )
