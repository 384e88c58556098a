"""Bytes as people read them, in powers of a thousand, as data over cellular is billed."""

from __future__ import annotations

UNITS = ("kB", "MB", "GB", "TB", "PB")
STEP = 1000


def in_bytes(count: int) -> str:
    """`999 bytes`, `1.2 GB`: one digit after the point, at most 999.9 of a unit but the last."""
    if count < STEP:
        return "1 byte" if count == 1 else f"{count} bytes"
    amount = float(count)
    for unit in UNITS:
        amount /= STEP
        if round(amount, 1) < STEP or unit == UNITS[-1]:
            break
    return f"{amount:.1f} {unit}"
