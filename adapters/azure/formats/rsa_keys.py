"""RSA keys, signatures and base64 as Device Update spells them. Pure.

One value has one spelling here: a text that only decodes to the same bytes is refused, so that nobody can alter a
signed text and keep its meaning.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

EXPONENT = 65537
MIN_BITS = 2048
MAX_BITS = 8192
MAX_MODULUS_TEXT = (MAX_BITS // 8 + 1) * 4 // 3 + 4
"""Characters of a modulus in base64, with the zero octet that Microsoft's own keys begin with."""


def encode_url(data: bytes) -> str:
    """`data` in base64url without padding (RFC 7515, appendix C)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_url(text: str) -> bytes:
    """Inverse to `encode_url`. Raises: ValueError for any other spelling, spare bits of the last letter included."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(f"no base64url: {error}") from error
    if encode_url(data) != text:
        raise ValueError("no base64url without padding in its one spelling")
    return data


def decode_either(text: str) -> bytes:
    """Standard base64 or base64url, padded or not: Device Update writes standard base64 where RFC 7517 has base64url.

    Raises: ValueError.
    """
    bare = text.removesuffix("=").removesuffix("=")
    if len(text) != len(bare) and len(text) % 4:
        raise ValueError("no base64: the padding does not fit")
    return decode_url(bare.replace("+", "-").replace("/", "_"))


def modulus(data: bytes) -> int:
    """The modulus in `data`, big-endian, with or without one leading zero octet. Raises: ValueError."""
    bare = data[1:] if data[:1] == b"\0" else data
    number = int.from_bytes(bare, "big")
    if bare[:1] == b"\0" or not MIN_BITS <= number.bit_length() <= MAX_BITS:
        raise ValueError(f"a modulus of {number.bit_length()} bits; {MIN_BITS} to {MAX_BITS} are taken")
    return number


def public_key(n: int, e: int) -> RSAPublicKey:
    """The key. Raises: ValueError for numbers that make none, or none that is taken here."""
    if e != EXPONENT or not MIN_BITS <= n.bit_length() <= MAX_BITS:
        raise ValueError(f"an RSA key of {n.bit_length()} bits with exponent {str(e)[:20]}; expected {EXPONENT}")
    try:
        return RSAPublicNumbers(e, n).public_key()
    except UnsupportedAlgorithm as error:
        raise ValueError(f"no RSA key: {error}") from error


def is_signed(n: int, e: int, signature: bytes, data: bytes) -> bool:
    """Whether `signature` over `data` is RSASSA-PKCS1-v1_5 with SHA-256 by that key."""
    try:
        public_key(n, e).verify(signature, data, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
