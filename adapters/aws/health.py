"""How the devices fare that a rollout has updated, and those that it has not reached: counts of the fleet index.

The index knows no job executions. A device counts as updated once it reports the sequence of a release that the orders
offer; the others report another one, and a bucket that none of the orders has reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from adapters.aws.index import OF_SAVINGS, FleetIndex
from adapters.aws.query import (
    REPORTED,
    SAVED,
    SEQUENCE,
    UNFIT,
    any_of,
    check_query,
    every,
    in_buckets,
    merged,
    of_models,
)
from adapters.violations import BrokenLimits, Violation
from bridge.fleet import HealthCount, Savings
from bridge.release.bucket import Buckets
from bridge.release.manifest import Release
from bridge.release.savings import most_saved, whole_bytes

REPORTS = f"{SEQUENCE}:*"
RESETS = f"{REPORTED}.watchdog_resets>0"


class Offered(NamedTuple):
    """What one order of a rollout is for: its buckets, if it goes by them, and the sequence of its release."""

    buckets: tuple[Buckets, ...]
    sequence: int


Orders = Sequence[Offered]


def health_count(index: FleetIndex, orders: Orders, condition: str) -> HealthCount:
    """Four counts, or two before the first order. Raises: BrokenLimits; what boto3 raises."""
    index.require(shadow=True)
    if not condition.strip():
        raise BrokenLimits((Violation("condition", repr(condition), "must not be empty"),))
    check_query(condition, "condition")
    updated, others, bad = updated_query(orders), others_query(orders), f"({condition})"
    return HealthCount(
        updated_bad=_count(index, updated, bad) if orders else 0,
        updated=_count(index, updated) if orders else 0,
        others_bad=_count(index, others, bad),
        others=_count(index, others),
    )


def reset_count(index: FleetIndex, orders: Orders) -> int:
    """One count, or none before the first order. Raises: BrokenLimits; what boto3 raises."""
    index.require(shadow=True)
    return _count(index, updated_query(orders), RESETS) if orders else 0


def savings(index: FleetIndex, release: Release) -> Savings:
    """One aggregate, or none where `release` has no delta. Raises: BrokenLimits; what boto3 raises."""
    index.require(shadow=True, fields=OF_SAVINGS)
    most = most_saved(release)
    if not most:
        return Savings()
    query = every(f"{SEQUENCE}:{release.sequence}", _of_model(release), f"{SAVED}:[1 TO {most}]")
    devices, saved = index.sum(query, SAVED)
    return Savings(devices, whole_bytes(saved, devices, most))


def _of_model(release: Release) -> str:
    """Other products count their releases, too; "" for a model that no query can hold."""
    model = release.compatibility.model
    return "" if UNFIT.intersection(model) else of_models([model])


def updated_query(orders: Orders) -> str:
    """The devices that run what one of the orders offers; "" where there are no orders."""
    return any_of(f"{SEQUENCE}:{sequence}" for sequence in sorted({order.sequence for order in orders}))


def others_query(orders: Orders) -> str:
    """The devices that report something else, from buckets that no order has reached."""
    reached = in_buckets(merged(each for order in orders for each in order.buckets))
    return every(REPORTS, *_without(updated_query(orders)), *_without(reached))


def _without(condition: str) -> Sequence[str]:
    return (f"NOT {condition}",) if condition else ()


def _count(index: FleetIndex, *conditions: str) -> int:
    """How many devices meet all the conditions."""
    query = every(*conditions)
    check_query(query)
    return index.count(query)
