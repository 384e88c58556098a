"""Signs metadata with a private key in a file, a cloud KMS or an HSM.

Files are opened here, since the library's own file signer reads unencrypted keys only; every other URI goes to
`securesystemslib`. A new signature is verified before it is kept, so that a KMS alias that points to another key is
noticed by the signer and not by a device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.exceptions import UnsupportedLibraryError, UnverifiedSignatureError
from securesystemslib.signer import (
    AWSSigner,
    AzureSigner,
    CryptoSigner,
    GCPSigner,
    HSMSigner,
    Signature,
    Signer,
    SSlibKey,
    VaultSigner,
)
from tuf.api.metadata import Metadata

from bridge.errors import UsageError
from bridge.keys import PRIVATE_SUFFIX, PUBLIC_SUFFIX, OwnedKey, read_public, read_small
from bridge.release.errors import OtabridgeError
from bridge.release.metadata import Signed

T = TypeVar("T")
Secrets = Callable[[str], str]
"""Asked for a passphrase or PIN by a description of it; returns it."""

EXTRAS = MappingProxyType(
    {"awskms": "awskms", "azurekms": "azurekms", "gcpkms": "gcpkms", "hsm": "hsm", "hv": "vault"},
)
"""Extra of `securesystemslib` that each URI scheme needs."""


class SigningFailed(OtabridgeError):
    """The KMS, the HSM or the key did not give a valid signature; nothing was written."""

    @property
    def exit_code(self) -> int:
        """1."""
        return 1


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key and where its private key is: an absolute path, or a URI with one of `EXTRAS`."""

    public: OwnedKey
    place: Path | str


def find_key(text: str, public: Path | None = None) -> SigningKey:
    """The key that a person means: NAME.pub.json, NAME.pem with its public file beside it, or a URI with `public`.

    Raises:
        UsageError: no such key, or a URI without its public key file.
    """
    if is_uri(text):
        if public is None:
            raise UsageError(f"key {text}: give its public key file too (--public NAME{PUBLIC_SUFFIX})")
        return SigningKey(read_public(public), text)
    path = Path(text.removeprefix("file2:").removeprefix("file:"))
    if path.name.endswith(PUBLIC_SUFFIX):
        return _by_public(path)
    beside = public or path.with_name(path.name.removesuffix(PRIVATE_SUFFIX) + PUBLIC_SUFFIX)
    return SigningKey(read_public(beside), path)


def is_uri(text: str) -> bool:
    """Whether `text` names a key in a KMS or HSM rather than a file."""
    return text.partition(":")[0] in EXTRAS and ":" in text


def _by_public(path: Path) -> SigningKey:
    owned = read_public(path)
    return SigningKey(owned, owned.uri if is_uri(owned.uri) else path.parent / owned.uri)


def has_signed(metadata: Metadata[Signed], key: SSlibKey) -> bool:
    """Whether a valid signature of `key` is in `metadata` already."""
    signature = metadata.signatures.get(key.keyid)
    return signature is not None and _verifies(key, signature, metadata.signed_bytes)


def sign(metadata: Metadata[Signed], key: SigningKey, secrets: Secrets) -> None:
    """Add the signature of `key` to `metadata`, in place of an invalid one of the same key.

    Raises:
        UsageError: the private key is missing, of another key, or its passphrase is wrong; an extra is not installed.
        SigningFailed: the KMS or HSM failed, or signed with another key.
    """
    payload = metadata.signed_bytes
    signature = _sign(open_signer(key, secrets), payload, key)
    if not _verifies(key.public.key, signature, payload):
        raise SigningFailed(f"{key.place} signed with another key than {key.public.name}'s: compare its key version")
    metadata.signatures[signature.keyid] = signature


def _verifies(key: SSlibKey, signature: Signature, payload: bytes) -> bool:
    try:
        key.verify_signature(signature, payload)
    except UnverifiedSignatureError:
        return False
    return True


def open_signer(key: SigningKey, secrets: Secrets) -> Signer:
    """What signs with `key`. Raises: UsageError, SigningFailed."""
    if isinstance(key.place, Path):
        return _open_file(key.place, key.public, secrets)
    place = key.place
    return _foreign(place, lambda: Signer.from_priv_key_uri(place, key.public.key, secrets))


def _open_file(path: Path, public: OwnedKey, secrets: Secrets) -> CryptoSigner:
    private = _load_private(path, secrets)
    try:
        return CryptoSigner(private, public.key)
    except ValueError as error:
        raise UsageError(f"private key {path} does not belong to the public key of {public.name}: {error}") from error


def _load_private(path: Path, secrets: Secrets) -> PrivateKeyTypes:
    pem = read_small(path, "private key")
    encrypted = b"ENCRYPTED" in pem
    passphrase = secrets(f"passphrase of {path.name}").encode() if encrypted else None
    try:
        return load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        what = "the passphrase is wrong, or the file is damaged" if encrypted else "not a PEM private key (PKCS#8)"
        raise UsageError(f"private key {path}: {what}") from error


def _sign(signer: Signer, payload: bytes, key: SigningKey) -> Signature:
    return _foreign(str(key.place), lambda: signer.sign(payload))


def import_key(uri: str, name: str, secrets: Secrets) -> OwnedKey:
    """The public half of a key in a KMS or HSM, under the owner's `name`.

    `uri` is `awskms:KEY_ID`, `azurekms:VAULT/KEY`, `gcpkms:FULL/KEY/VERSION`, `hsm:[SLOT]` or `hv:KEY`; the library
    may return a fuller one, which is what the key file then holds.

    Raises:
        UsageError: an unknown scheme, or an extra is not installed.
        SigningFailed: the KMS or HSM failed.
    """
    scheme, _, rest = uri.partition(":")
    if not is_uri(uri):
        raise UsageError(f"key URI {uri!r}: begin with one of {', '.join(f'{each}:' for each in EXTRAS)}")
    if scheme == "azurekms" and "/" not in rest:
        raise UsageError(f"key URI {uri!r}: write azurekms:VAULT/KEY")
    if scheme == "hsm" and not rest.isdecimal() and rest:
        raise UsageError(f"key URI {uri!r}: write hsm: or hsm:SLOT with the slot's number")
    full, key = _foreign(uri, lambda: _import(scheme, rest, secrets))
    return OwnedKey(key, name, full)


def _import(scheme: str, rest: str, secrets: Secrets) -> tuple[str, SSlibKey]:
    match scheme:
        case "awskms":
            return AWSSigner.import_(rest)
        case "azurekms":
            return AzureSigner.import_(*rest.split("/", 1))
        case "gcpkms":
            return GCPSigner.import_(rest)
        case "hsm":
            return HSMSigner.import_(int(rest) if rest else None, secrets_handler=secrets)
        case _:
            return VaultSigner.import_(rest)


def _foreign(place: str, call: Callable[[], T]) -> T:
    """Run a signer of `securesystemslib`: by its documentation it may raise anything."""
    try:
        return call()
    except UnsupportedLibraryError as error:
        extra = EXTRAS.get(place.partition(":")[0], "crypto")
        raise UsageError(f"key {place} needs a library: pip install 'securesystemslib[{extra}]' ({error})") from error
    except OtabridgeError:
        raise
    except Exception as error:
        raise SigningFailed(f"key {place} cannot sign: {error}") from error
