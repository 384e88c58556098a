"""Limits of a cloud that a value breaks, in words for a person. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.release.errors import FailureCode, OtabridgeError


@dataclass(frozen=True, slots=True)
class Violation:
    """One limit of a cloud that `field` breaks: `value` as found, `limit` in words."""

    field: str
    value: str
    limit: str

    def __str__(self) -> str:
        return f"{self.field}: {self.value}; {self.limit}"


class BrokenLimits(OtabridgeError):
    """The cloud would refuse this, or worse, accept and ignore it; nothing was called."""

    code = FailureCode.TOO_LARGE

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__("; ".join(str(violation) for violation in violations))
        self.violations = violations
