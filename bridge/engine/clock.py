"""A clock that went back. A rollout's time never does, so that waiting stands still until the clock has caught up."""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.rollout.duration import in_words

NOTICED = timedelta(minutes=5)
"""Clocks are set right by less than this all the time."""


def set_back(newest: datetime, now: datetime) -> str:
    """What to add to a reason while `now` is behind the `newest` pass; "" where it is not."""
    if newest - now <= NOTICED:
        return ""
    return (
        f"; the clock is {in_words(newest - now)} behind the last pass, so that all waiting times stand still until "
        f"{newest:%Y-%m-%d %H:%M} UTC: set it right, or abort the rollout"
    )
