"""What a gate says. Each answer carries its reason in words for people, and the figures behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Figures = TypeVar("Figures")


@dataclass(frozen=True, slots=True)
class Breached(Generic[Figures]):
    """Proven bad."""

    reason: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Passed(Generic[Figures]):
    """Proven good."""

    reason: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Clear(Generic[Figures]):
    """Measured, and not proven bad: from a test that can only stop. It is no proof of health."""

    reason: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Undecided(Generic[Figures]):
    """Too little to tell, or nothing that could be told from; the reason says which and what would change it."""

    reason: str
    figures: Figures
