"""Root keys of Device Update: those pinned on the device, and the package by which Microsoft adds and disables some.

The package is JSON: `protected` and `signatures`, where the i-th signature is by the i-th key of
`protected.rootKeys`, over `protected` without spaces and in its order. Upstream's agent takes any package that the
pinned roots have signed, an older one too; here a version never goes back. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal, NoReturn, TypeVar

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.azure.formats.rsa_keys import (
    MAX_MODULUS_TEXT,
    decode_either,
    decode_url,
    encode_url,
    is_signed,
    modulus,
    public_key,
)
from bridge.release.errors import FailureCode, ReleaseError
from bridge.release.manifest import PRINTABLE

MAX_PACKAGE_BYTES = 64 * 1024
"""A root key package, or the file of pinned roots; the published package has some 2 KiB."""
MAX_KEYS = 32
MAX_DISABLED = 256
MAX_VERSION = 2**53 - 1

T = TypeVar("T")


class UntrustedRootKeys(ReleaseError):
    """Root keys, pinned or in a package, that are none, or that the pinned roots do not vouch for."""

    code = FailureCode.UNTRUSTED_ROOT


class RolledBackRootKeys(UntrustedRootKeys):
    """A package older than the one accepted before, or another one of the same version."""


@dataclass(frozen=True, slots=True)
class RootKey:
    """A root: an RSA public key under its key id."""

    kid: str
    n: int
    e: int


@dataclass(frozen=True)
class KeyStore:
    """What a device trusts. `disabled_signing_keys` holds values of `signing_key_hash`.

    `version` and `digest` are those of the newest package accepted: 0 and "" while there was none.
    """

    roots: Mapping[str, RootKey]
    disabled_roots: frozenset[str] = frozenset()
    disabled_signing_keys: frozenset[str] = frozenset()
    version: int = 0
    digest: str = ""


def parse_root_keys(text: bytes) -> Mapping[str, RootKey]:
    """The file of pinned roots: `{kid: {"keyType": "RSA", "n": base64url, "e": 65537}}`, as `rootKeys` of a package.

    Raises: UntrustedRootKeys, naming the key id.
    """
    keys = _convert(_decode(text, "root keys"), _Keys, "root keys")
    if not keys:
        raise UntrustedRootKeys("root keys: the file names none; without one no update can be trusted")
    return _root_keys(keys, "root keys")


def accept_package(
    text: bytes, pinned: Mapping[str, RootKey], current: KeyStore, *, allow_test: bool = False
) -> KeyStore:
    """What the device trusts from this package on; equal to `current` where it is the one already accepted.

    Raises:
        UntrustedRootKeys: no package, or a pinned root's signature is missing or wrong, or it is for tests.
        RolledBackRootKeys: older than `current`, or its version with other content.
    """
    value = _decode(text, "root key package")
    package = _convert(value, _Package, "root key package")
    protected = value["protected"] if isinstance(value, dict) else None
    _require_production(package.protected, allow_test=allow_test)
    _require_signatures(package, pinned, _serialisations(protected))
    store = _store(package.protected, pinned, hashlib.sha256(_serialisations(protected)[0]).hexdigest())
    _require_progress(store, current)
    return store


def signing_key_hash(n: int, e: int) -> str:
    """What `disabledSigningKeys` lists: base64url of the SHA-256 of the key as PKCS#1 in DER. Raises: ValueError."""
    der = public_key(n, e).public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return encode_url(hashlib.sha256(der).digest())


class _Key(msgspec.Struct, frozen=True, rename="camel"):
    key_type: Literal["RSA"]
    n: Annotated[str, msgspec.Meta(max_length=MAX_MODULUS_TEXT)]
    e: int


class _DisabledKey(msgspec.Struct, frozen=True):
    alg: Literal["SHA256"]
    hash: Annotated[str, msgspec.Meta(max_length=64)]


class _Signature(msgspec.Struct, frozen=True):
    alg: Literal["RS256"]
    sig: Annotated[str, msgspec.Meta(max_length=MAX_MODULUS_TEXT)]


_Kid = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=PRINTABLE)]
_Keys = Annotated[dict[_Kid, _Key], msgspec.Meta(max_length=MAX_KEYS)]


class _Protected(msgspec.Struct, frozen=True, rename="camel"):
    version: Annotated[int, msgspec.Meta(ge=0, le=MAX_VERSION)]
    disabled_root_keys: Annotated[tuple[_Kid, ...], msgspec.Meta(max_length=MAX_DISABLED)]
    disabled_signing_keys: Annotated[tuple[_DisabledKey, ...], msgspec.Meta(max_length=MAX_DISABLED)]
    root_keys: _Keys
    is_test: bool = False


class _Package(msgspec.Struct, frozen=True):
    protected: _Protected
    signatures: Annotated[tuple[_Signature, ...], msgspec.Meta(max_length=MAX_KEYS)]


def _decode(text: bytes, what: str) -> object:
    """`json` keeps the order of members, on which the signed bytes depend."""
    if len(text) > MAX_PACKAGE_BYTES:
        raise UntrustedRootKeys(f"{what}: {len(text)} bytes; the limit is {MAX_PACKAGE_BYTES}")
    try:
        return json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UntrustedRootKeys(f"{what}: not JSON in UTF-8: {error}") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _convert(value: object, kind: type[T], what: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise UntrustedRootKeys(f"{what}: {error}") from error


def _root_keys(keys: Mapping[str, _Key], what: str) -> Mapping[str, RootKey]:
    return MappingProxyType({kid: _root_key(kid, key, what) for kid, key in keys.items()})


def _root_key(kid: str, key: _Key, what: str) -> RootKey:
    try:
        root = RootKey(kid, modulus(decode_url(key.n)), key.e)
        public_key(root.n, root.e)
    except ValueError as error:
        raise UntrustedRootKeys(f"{what}: {kid}: {error}") from error
    return root


def _serialisations(protected: object) -> tuple[bytes, bytes]:
    """The bytes that may be signed: upstream's writer escapes "/", and everybody else does not."""
    plain = json.dumps(protected, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")
    return plain, plain.replace(b"/", rb"\/")


def _require_production(protected: _Protected, *, allow_test: bool) -> None:
    if protected.is_test and not allow_test:
        raise UntrustedRootKeys("root key package: it is for tests (isTest); devices in the field take none of those")


def _require_signatures(package: _Package, pinned: Mapping[str, RootKey], signed: tuple[bytes, ...]) -> None:
    """Each pinned root must have signed: one of them stolen is not enough to replace the others."""
    if not pinned:
        raise UntrustedRootKeys("root key package: no root is pinned that could vouch for it")
    if len(package.signatures) != len(package.protected.root_keys):
        counts = f"{len(package.signatures)} signatures for {len(package.protected.root_keys)} root keys"
        raise UntrustedRootKeys(f"root key package: {counts}; there must be one each")
    signatures = dict(zip(package.protected.root_keys, package.signatures, strict=True))
    for kid, root in pinned.items():
        if kid not in signatures:
            raise UntrustedRootKeys(f"root key package: the pinned root {kid} is not in it, so it did not sign")
        if not _has_signed(root, signatures[kid].sig, signed):
            raise UntrustedRootKeys(f"root key package: the signature of the pinned root {kid} is wrong")


def _has_signed(root: RootKey, signature: str, signed: tuple[bytes, ...]) -> bool:
    try:
        value = decode_url(signature)
    except ValueError:
        return False
    return any(is_signed(root.n, root.e, value, data) for data in signed)


def _store(protected: _Protected, pinned: Mapping[str, RootKey], digest: str) -> KeyStore:
    return KeyStore(
        roots=MappingProxyType({**_root_keys(protected.root_keys, "root key package"), **pinned}),
        disabled_roots=frozenset(protected.disabled_root_keys),
        disabled_signing_keys=frozenset(map(_disabled_hash, protected.disabled_signing_keys)),
        version=protected.version,
        digest=digest,
    )


def _disabled_hash(key: _DisabledKey) -> str:
    """In the one spelling that `signing_key_hash` has; a hash that no key can have would disable none."""
    try:
        digest = decode_either(key.hash)
    except ValueError as error:
        raise UntrustedRootKeys(f"root key package: disabledSigningKeys: {error}") from error
    if len(digest) != hashlib.sha256().digest_size:
        raise UntrustedRootKeys(f"root key package: disabledSigningKeys: {key.hash} is no SHA-256")
    return encode_url(digest)


def _require_progress(store: KeyStore, current: KeyStore) -> None:
    if not current.digest or (store.version, store.digest) == (current.version, current.digest):
        return
    if store.version < current.version:
        raise RolledBackRootKeys(f"root key package: version {store.version}; this device has {current.version}")
    if store.version == current.version:
        raise RolledBackRootKeys(f"root key package: version {store.version} with other content than this device has")
