"""Counts of a cloud that cannot be are no counts: a fleet that tells them was not heard. Pure."""

from __future__ import annotations

from dataclasses import asdict

from bridge.fleet import FleetError, HealthCount, Savings
from bridge.tally import Tally

MOST = 10**9
"""Devices. No fleet has more."""


def believable(fleet: str, tally: Tally | None) -> Tally | None:
    """`tally` as it is. Raises: FleetError where a count is negative, or above `MOST`."""
    for name, count in asdict(tally).items() if tally else ():
        if not 0 <= count <= MOST:
            raise _absurd(fleet, f"{count} devices are {name.replace('_', ' ')}")
    return tally


def healthy(fleet: str, count: HealthCount) -> HealthCount:
    """`count` as it is. Raises: FleetError where more devices are unhealthy than there are, or fewer than none."""
    for bad, all_ in ((count.updated_bad, count.updated), (count.others_bad, count.others)):
        if not 0 <= bad <= all_ <= MOST:
            raise _absurd(fleet, f"{bad} of {all_} devices are unhealthy")
    return count


def plausible(fleet: str, savings: Savings) -> Savings:
    """`savings` as they are. Raises: FleetError where devices or bytes are fewer than none, or devices above `MOST`."""
    if not 0 <= savings.devices <= MOST or savings.saved < 0 or (savings.saved and not savings.devices):
        raise _absurd(fleet, f"{savings.devices} devices saved {savings.saved} bytes")
    return savings


def _absurd(fleet: str, what: str) -> FleetError:
    return FleetError(f"fleet {fleet} says that {what}, which cannot be: nothing is taken from it", retryable=True)
