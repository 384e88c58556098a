"""Shares and probabilities as people read them."""

from __future__ import annotations

LEAST = 1e-12
"""Smaller probabilities are only said to be smaller: nobody acts on the difference."""


def percent(share: float) -> str:
    """`share` (0 to 1) with three digits: "6 %", "0.375 %"."""
    return f"{100 * share:.3g} %"


def probable(value: float) -> str:
    """How probable, with two digits; never a bare 0, which would say that it cannot be."""
    return f"p < {LEAST:g}" if value < LEAST else f"p = {value:.2g}"


def part(bad: int, total: int) -> str:
    """The share that `bad` of `total` are, in brackets; nothing where there is nothing to share."""
    return f" ({percent(bad / total)})" if total else ""
