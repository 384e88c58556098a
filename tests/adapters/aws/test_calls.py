"""What an order costs in calls of AWS's API: the numbers that `facts` gives, measured."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import msgspec
import pytest

from adapters.aws.cloud import AwsFleet
from bridge.release.bucket import Buckets
from bridge.rollout.model import FleetPart
from tests.adapters.aws.indexing import EVERY_BUCKET, INDEXED, report_of

PART = FleetPart("factory")


def counted(fleet, act) -> int:
    """How many calls `act` makes."""
    calls: Counter[str] = Counter()
    events = fleet._iot.meta.events
    events.register("before-call.iot", lambda model, **_: calls.update([model.name]), unique_id="count")
    act()
    events.unregister("before-call.iot", unique_id="count")
    return calls.total()


def by_bucket(simulator, fleet, count) -> AwsFleet:
    """A fleet by bucket of so many devices in the index."""
    simulator.populate({f"gate-{number}": report_of(f"gate-{number}") for number in range(count)})
    simulator.client("iot").update_indexing_configuration(thingIndexingConfiguration=INDEXED)
    return AwsFleet("factory", msgspec.structs.replace(fleet._settings, by_bucket=True))


@pytest.mark.parametrize("count", [10, 1000, 100_000])
def test_an_order_by_bucket_costs_the_same_for_any_fleet(simulator, fleet, order, count):
    """Start, tally and stop are what the facts say; a census is two calls, health four."""
    many = by_bucket(simulator, fleet, count)
    order = replace(order, devices=(), buckets=EVERY_BUCKET, size=count, part=PART)
    calls = many.facts().calls

    assert counted(many, lambda: many.census(PART, (Buckets(0, 99),))) == 2
    assert counted(many, lambda: many.start(order)) == calls.start
    assert counted(many, lambda: many.tally(order.key)) == calls.tally
    assert many.tally(order.key).waiting == count
    assert counted(many, lambda: many.stop(order.key, "enough")) == calls.stop
    many.watchdog_resets((order.key,))
    assert counted(many, lambda: many.health((order.key,), "thingName:gate-1")) == 4
    assert calls.per_device == 0


@pytest.mark.parametrize("count", [1, 10, 40])
def test_an_order_by_name_costs_a_call_a_device_more(simulator, fleet, order, count):
    """AWS has no call that puts several devices into a group."""
    names = tuple(f"gate-{number}" for number in range(count))
    simulator.populate({name: {} for name in names})
    order = replace(order, devices=names)
    calls = fleet.facts().calls

    assert counted(fleet, lambda: fleet.start(order)) == calls.start + calls.per_device * count
    assert counted(fleet, lambda: fleet.tally(order.key)) == calls.tally
    assert counted(fleet, lambda: fleet.stop(order.key, "enough")) == calls.stop
