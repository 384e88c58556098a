"""TUF metadata as it arrives: hostile bytes in, well-formed metadata or a refusal out. Nothing here trusts anybody.

`python-tuf` reads the format; what it leaves open for a client to decide is decided here, on the strict side.
"""

from __future__ import annotations

from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.signer import ED25519, Key, SSlibKey
from tuf.api.metadata import Metadata, Role, Root, Targets
from tuf.api.serialization import DeserializationError, SerializationError

from bridge.release.errors import ReleaseError, UntrustedRoot

SCHEMES = frozenset(
    {
        ED25519,
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "rsassa-pss-sha256",
        "rsassa-pss-sha384",
        "rsassa-pss-sha512",
    }
)
"""Signature schemes that a root may name: one for each file key, KMS and HSM that otabridge signs with."""
MIN_RSA_BITS = 2048
"""NIST SP 800-131A: shorter RSA keys are disallowed."""

Signed = TypeVar("Signed", Root, Targets)


def read(document: bytes, kind: type[Signed], refusal: type[ReleaseError], what: str) -> Metadata[Signed]:
    """`document` as unverified metadata of role `kind` that can be written and signed again.

    Raises:
        refusal: it is not; the message begins with `what`.
    """
    try:
        metadata: Metadata[Signed] = Metadata.from_bytes(document)
        _require_writable(metadata)
    except DeserializationError as error:
        raise refusal(f"{what} is not TUF metadata: {error.__cause__ or error}") from error
    except SerializationError as error:
        raise refusal(f"{what} has no canonical form: {error.__cause__ or error.__context__ or error}") from error
    if not isinstance(metadata.signed, kind):
        raise refusal(f"{what} holds metadata of role {metadata.signed.type!r}, expected {kind.type!r}")
    return metadata


def _require_writable(metadata: Metadata[Signed]) -> None:
    """A fraction, NaN, a lone surrogate or deep nesting passes the JSON reader, and has no canonical bytes to sign."""
    _ = metadata.signed_bytes
    metadata.to_bytes()


def require_sound(root: Root) -> None:
    """Whether the thresholds of `root` mean what they say: so many different keys, each strong enough and there.

    A key listed under two ids would let one holder sign twice (python-tuf counts ids). TUF specification, section 4.3.

    Raises:
        UntrustedRoot: naming the role and key at fault.
    """
    if type(root.version) is not int:
        raise UntrustedRoot(f"root version {root.version!r} is not a whole number")
    for name in (Root.type, Targets.type):
        _require_sound_role(root, name, root.get_delegated_role(name))


def _require_sound_role(root: Root, name: str, role: Role) -> None:
    where = f"root version {root.version}, role {name!r}"
    if type(role.threshold) is not int or not isinstance(role.keyids, list):
        raise UntrustedRoot(f"{where}: threshold must be a whole number, keyids a list")
    if role.threshold > len(role.keyids):
        raise UntrustedRoot(f"{where}: threshold {role.threshold} cannot be met by {len(role.keyids)} keys")
    seen: dict[bytes, str] = {}
    for keyid in role.keyids:
        if keyid not in root.keys:
            raise UntrustedRoot(f"{where}: key {keyid!r} is named, but not in the root")
        other = seen.setdefault(key_material(root.keys[keyid], where), keyid)
        if other != keyid:
            raise UntrustedRoot(f"{where}: keys {other[:12]} and {keyid[:12]} are one key under two ids")


def key_material(key: Key, where: str) -> bytes:
    """The public key itself (DER SubjectPublicKeyInfo), whatever its id, name and spelling.

    Raises:
        UntrustedRoot: a scheme outside `SCHEMES`, an unreadable or a too short key.
    """
    if not isinstance(key, SSlibKey) or key.scheme not in SCHEMES:
        raise UntrustedRoot(f"{where}: key {key.keyid[:12]} has scheme {key.scheme!r}; use one of {sorted(SCHEMES)}")
    try:
        public = _load(key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UntrustedRoot(f"{where}: key {key.keyid[:12]} is not readable: {error}") from error
    if isinstance(public, RSAPublicKey) and public.key_size < MIN_RSA_BITS:
        raise UntrustedRoot(f"{where}: key {key.keyid[:12]} has {public.key_size} bits, RSA needs {MIN_RSA_BITS}")
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _load(key: SSlibKey) -> PublicKeyTypes:
    public: str = key.keyval["public"]
    if key.scheme == ED25519:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    return load_pem_public_key(public.encode())
