"""The count of boots and violations, told line by line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Tally:
    """Boots and violations so far."""

    boots: int = 0
    violations: int = 0

    def add(self, name: str, boots: int, violations: Sequence[str], words: str) -> None:
        """Count one test, and tell of it: what is wrong, or else `words`."""
        self.boots += boots
        self.violations += len(violations)
        sys.stdout.write(f"{name}: {boots} boots, {'; '.join(violations) or words}\n")
        sys.stdout.flush()

    def say(self, words: str) -> None:
        """Tell what is no test."""
        sys.stdout.write(f"{words}\n")
        sys.stdout.flush()
