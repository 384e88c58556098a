"""Result codes of Device Update, and how a `FailureCode` of ours travels as one. Pure.

An extended result code is eight hexadecimal digits: facility (4 bits), component (8), code (20). Custom handlers have
facility 3, component 0x20. Dashboards outlive code: none of these numbers changes.
"""

from __future__ import annotations

import re

from adapters.azure.formats.signature import SignatureFault
from bridge.release.errors import FailureCode

FAILURE = 0
CANCELLED = -1
IN_PROGRESS = 1
SUCCESS = 700
"""Applied; with state 0 and the deployed update's id it is what the service counts as success."""

NO_EXTENDED = "00000000"
ROOT_KEYS_UNCHANGED = "A0000FFF"
"""Rides behind `NO_EXTENDED` in reports of success."""
SIGNING_KEY_DISABLED = "A0000005"
MANIFEST_ALTERED = "80300001"
"""Its hash is not the signed one (utility 8, parser of update data 3)."""

_OURS = 0x3 << 28 | 0x20 << 20
_JWS = 0xA << 28 | 0x02 << 20
_FAILURE_CODE = re.compile(r"320(?P<code>[0-9A-Fa-f]{5})(,.*)?", re.DOTALL)
_APART = {
    SignatureFault.SIGNING_KEY_DISABLED: SIGNING_KEY_DISABLED,
    SignatureFault.OTHER_MANIFEST: MANIFEST_ALTERED,
}


def extended(code: FailureCode) -> str:
    """`code` as an extended result code of a custom handler: SLOT_WRITE (300) is "3200012C"."""
    return f"{_OURS | code:08X}"


def failure_code(text: object) -> FailureCode | None:
    """Inverse to `extended`, of the first in a list with commas; None for any that is not ours."""
    match = _FAILURE_CODE.fullmatch(text) if isinstance(text, str) else None
    number = int(match["code"], 16) if match else -1
    return FailureCode(number) if number in set(FailureCode) else None


def jws_extended(fault: SignatureFault) -> str:
    """What Microsoft's agent reports of the same fault: "A0200004" for a wrong signature."""
    return _APART.get(fault) or f"{_JWS | fault:08X}"
