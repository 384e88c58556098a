"""Freezes: which event of a freeze calendar holds, and when it ends. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bridge.planning.planned import Closure


def frozen(closures: Sequence[Closure], now: datetime) -> Closure | None:
    """The event during which `now` (aware) falls, of several the one that ends last; None outside of all."""
    holding = [closure for closure in closures if closure.start <= now < closure.end]
    return max(holding, key=lambda closure: closure.end, default=None)


def thaw(closures: Sequence[Closure], now: datetime) -> datetime | None:
    """When the freeze at `now` ends, as UTC, through all events that overlap or touch; None where there is none."""
    return next((end.astimezone(UTC) for start, end in freezes(closures) if start <= now < end), None)


def freezes(closures: Sequence[Closure]) -> list[tuple[datetime, datetime]]:
    """The times (start, end) of all events in order, those that overlap or touch as one; empty ones left out."""
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted((closure.start, closure.end) for closure in closures if closure.start < closure.end):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
