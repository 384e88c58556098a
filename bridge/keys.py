"""Keys in files: a private key that only its owner reads, and a public key file that travels.

The public key file is a TUF key (JSON) with three fields more: `keyid`, the owner's name, and where the private key is
(a path beside it, or the URI of a KMS or HSM). A root takes over the key and the name, never the place.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)
from securesystemslib.signer import SSlibKey

from bridge.errors import UsageError
from bridge.files import read_bounded
from bridge.release.errors import UntrustedRoot
from bridge.release.metadata import key_material

NAME_FIELD = "x-otabridge-name"
URI_FIELD = "x-otabridge-uri"
PRIVATE_SUFFIX = ".pem"
PUBLIC_SUFFIX = ".pub.json"
MIN_PASSPHRASE = 12
MAX_KEY_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class KeyType(StrEnum):
    """Kinds of key that otabridge makes. Ed25519 where there is a choice; P-256 where a cloud KMS is to follow."""

    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256"


@dataclass(frozen=True, slots=True)
class OwnedKey:
    """A public key, its owner's name, and where its private key is: a file name beside it, or a URI."""

    key: SSlibKey
    name: str
    uri: str

    @property
    def for_root(self) -> SSlibKey:
        """The key as a root lists it: with the name, without the place."""
        public = self.key
        return SSlibKey(public.keyid, public.keytype, public.scheme, dict(public.keyval), {NAME_FIELD: self.name})


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Both files of a new key."""

    private: Path
    public: Path


class _PublicFile(msgspec.Struct, frozen=True):
    keyid: str
    keytype: str
    scheme: str
    keyval: dict[str, str]
    name: str = msgspec.field(name=NAME_FIELD)
    uri: str = msgspec.field(name=URI_FIELD)


def create_key(name: str, kind: KeyType, folder: Path, passphrase: str | None) -> KeyFiles:
    """Make a key and write both its files into `folder`; `passphrase` None leaves the private key unencrypted.

    Raises:
        UsageError: a name that is no file name, a short passphrase, or a file that is there already.
    """
    files = _new_files(name, folder)
    encryption = _encryption(passphrase)
    private = Ed25519PrivateKey.generate() if kind is KeyType.ED25519 else generate_private_key(SECP256R1())
    _write_private(files.private, private, encryption)
    try:
        write_public(files.public, OwnedKey(SSlibKey.from_crypto(private.public_key()), name, files.private.name))
    except UsageError:
        files.private.unlink()
        raise
    return files


def _new_files(name: str, folder: Path) -> KeyFiles:
    require_key_name(name)
    files = KeyFiles(folder / f"{name}{PRIVATE_SUFFIX}", folder / f"{name}{PUBLIC_SUFFIX}")
    for path in (files.private, files.public):
        if path.exists():
            raise UsageError(f"{path} exists; keys are never overwritten: choose another name, or another --out")
    return files


def require_key_name(name: str) -> None:
    """Whether `name` can name a file and a person. Raises: UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"key name {name!r}: use 1 to 64 letters, digits, dots, dashes, @ or underscores")


def _encryption(passphrase: str | None) -> KeySerializationEncryption:
    if passphrase is None:
        return NoEncryption()
    if len(passphrase) < MIN_PASSPHRASE:
        raise UsageError(f"the passphrase has {len(passphrase)} characters, at least {MIN_PASSPHRASE} are needed")
    return BestAvailableEncryption(passphrase.encode())


def _write_private(path: Path, private: PrivateKeyTypes, encryption: KeySerializationEncryption) -> None:
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    _write_new(path, pem, 0o600)


def write_public(path: Path, owned: OwnedKey) -> None:
    """Write the public key file. Raises: UsageError when it exists or cannot be written."""
    key = owned.key
    document = _PublicFile(key.keyid, key.keytype, key.scheme, key.keyval, owned.name, owned.uri)
    _write_new(path, msgspec.json.format(msgspec.json.encode(document)) + b"\n", 0o644)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fsync(descriptor)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def read_public(path: Path) -> OwnedKey:
    """The public key file at `path`.

    Raises:
        UsageError: it is missing, no such file, or its id is not that of its key.
    """
    try:
        document = msgspec.json.decode(read_small(path, "public key file"), type=_PublicFile)
        key = SSlibKey(document.keyid, document.keytype, document.scheme, document.keyval)
    except (msgspec.DecodeError, ValueError) as error:
        raise UsageError(f"{path} is no public key file (NAME{PUBLIC_SUFFIX}): {error}") from error
    require_key_name(document.name)
    _require_own_id(key, path)
    return OwnedKey(key, document.name, document.uri)


def _require_own_id(key: SSlibKey, path: Path) -> None:
    """Two people who hold files with one id must hold one key."""
    try:
        public = load_der_public_key(key_material(key, str(path)))
        expected = SSlibKey.from_crypto(public, scheme=key.scheme)
    except (UntrustedRoot, ValueError) as error:
        raise UsageError(f"{path} holds no usable key: {error}") from error
    if (key.keyid, key.keytype) != (expected.keyid, expected.keytype):
        raise UsageError(f"{path}: keyid {key.keyid[:12]} does not belong to the key in the file; ask its owner again")


def read_small(path: Path, what: str) -> bytes:
    """The file's content. Raises: UsageError when it cannot be read, or is larger than any key."""
    content = read_bounded(path, MAX_KEY_BYTES, what)
    if len(content) > MAX_KEY_BYTES:
        raise UsageError(f"{what} {path} has more than {MAX_KEY_BYTES} bytes")
    return content
