"""Signatures beside what they sign: bytes in, a signature out, with the keys that sign releases."""

from __future__ import annotations

from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Signature, SSlibKey

from bridge.release.errors import OtabridgeError
from bridge.signing import Secrets, SigningFailed, SigningKey, open_signer


def sign_bytes(payload: bytes, key: SigningKey, secrets: Secrets) -> bytes:
    """The signature of `key` under `payload`, verified.

    Raises:
        UsageError: the private key is missing, of another key, or its passphrase is wrong; an extra is not installed.
        SigningFailed: the KMS or HSM failed, or signed with another key.
    """
    signer = open_signer(key, secrets)
    try:
        signature = bytes.fromhex(signer.sign(payload).signature)
    except OtabridgeError:
        raise
    except Exception as error:  # by their documentation signers may raise anything
        raise SigningFailed(f"key {key.place} cannot sign: {error}") from error
    if not is_signed(payload, signature, key.public.key):
        raise SigningFailed(f"{key.place} signed with another key than {key.public.name}'s: compare its key version")
    return signature


def is_signed(payload: bytes, signature: bytes, key: SSlibKey) -> bool:
    """Whether `signature` is that of `key` under `payload`."""
    try:
        key.verify_signature(Signature(key.keyid, signature.hex()), payload)
    except (UnverifiedSignatureError, VerificationError):
        return False
    return True
