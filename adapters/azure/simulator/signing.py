"""Keys of the simulated service: two roots, one signing key, signatures of manifests, and root key packages.

Form and oddities are those of the real service: a JWK whose numbers are in standard base64, a signature by the root
over that key inside the header of the one over the manifest, and a package whose signatures are in the order of keys.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SIGNER = "OTABRIDGE.SIM.S"
ROOTS = ("OTABRIDGE.SIM.1.R", "OTABRIDGE.SIM.2.R")
_BITS = 3072
_EXPONENT = 65537
_PUBLISHED = 1_700_000_000


@dataclass(frozen=True, slots=True)
class ServiceKeys:
    """Roots by key id, and the key that signs manifests."""

    roots: Mapping[str, rsa.RSAPrivateKey]
    signer: rsa.RSAPrivateKey

    def public_roots(self) -> dict[str, dict[str, object]]:
        """As agents pin them and packages carry them."""
        return {name: _root(key) for name, key in self.roots.items()}

    def signer_hash(self) -> str:
        """How a package names the signing key: SHA-256 of its PKCS#1 DER."""
        der = self.signer.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
        return _base64url(hashlib.sha256(der).digest())


@functools.cache
def service_keys() -> ServiceKeys:
    """The keys of this process; making them takes a second or two."""
    return ServiceKeys({name: _new_key() for name in ROOTS}, _new_key())


def sign_manifest(keys: ServiceKeys, manifest: str) -> str:
    """The compact JWS over the SHA-256 of `manifest`."""
    digest = base64.b64encode(hashlib.sha256(manifest.encode()).digest()).decode()
    return _jws(keys.signer, {"alg": "RS256", "sjwk": _signed_key(keys)}, {"sha256": digest})


def root_key_package(keys: ServiceKeys, version: int, *, disabled_signers: Sequence[str] = ()) -> bytes:
    """The package of that version, signed by every root; `disabled_signers` are hashes of signing keys."""
    protected = {
        "version": version,
        "published": _PUBLISHED + version,
        "disabledRootKeys": [],
        "disabledSigningKeys": [{"alg": "SHA256", "hash": each} for each in disabled_signers],
        "rootKeys": keys.public_roots(),
    }
    text = _compact(protected)  # what is signed; the service's writer escapes slashes, of which there are none here
    signatures = [{"alg": "RS256", "sig": _base64url(_sign(key, text))} for key in keys.roots.values()]
    return b'{"protected":' + text + b',"signatures":' + _compact(signatures) + b"}"


@functools.lru_cache(maxsize=4)
def _key_statement(signer: rsa.RSAPrivateKey, root: rsa.RSAPrivateKey, root_name: str) -> str:
    numbers = signer.public_key().public_numbers()
    jwk = {
        "kty": "RSA",
        "n": base64.b64encode(_octets(numbers.n)).decode(),
        "e": base64.b64encode(_octets(numbers.e)).decode(),
        "alg": "RS256",
        "kid": SIGNER,
    }
    return _jws(root, {"alg": "RS256", "kid": root_name}, jwk)


def _signed_key(keys: ServiceKeys) -> str:
    name, root = next(iter(keys.roots.items()))
    return _key_statement(keys.signer, root, name)


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(_EXPONENT, _BITS)


def _root(key: rsa.RSAPrivateKey) -> dict[str, object]:
    numbers = key.public_key().public_numbers()
    return {"keyType": "RSA", "n": _base64url(b"\0" + _octets(numbers.n)), "e": numbers.e}


def _jws(key: rsa.RSAPrivateKey, header: Mapping[str, object], payload: Mapping[str, object]) -> str:
    signed = f"{_base64url(_compact(header))}.{_base64url(_compact(payload))}"
    return f"{signed}.{_base64url(_sign(key, signed.encode()))}"


def _sign(key: rsa.RSAPrivateKey, text: bytes) -> bytes:
    return key.sign(text, padding.PKCS1v15(), hashes.SHA256())


def _octets(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
