"""Devices that report themselves in the fleet index, for tests of orders by bucket."""

from __future__ import annotations

from bridge.release.bucket import Buckets, bucket

REPORTED = "shadow.name.otabridge.reported"
INDEXED = {
    "thingIndexingMode": "REGISTRY_AND_SHADOW",
    "namedShadowIndexingMode": "ON",
    "filter": {"namedShadowNames": ["otabridge"]},
    "customFields": [
        {"name": f"{REPORTED}.bucket", "type": "Number"},
        {"name": f"{REPORTED}.model", "type": "String"},
        {"name": f"{REPORTED}.saved", "type": "Number"},
    ],
}
EVERY_BUCKET = (Buckets(0, 9999),)
LOW = (Buckets(0, 4999),)


def report_of(name: str, **reported: object) -> dict[str, object]:
    """What the agent of the device `name` reports, as far as the tests need it."""
    return {"bucket": bucket(name), "model": "gw-2", "sequence": 3, "watchdog_resets": 0, **reported}


def within(names, buckets) -> set[str]:
    """The devices of `names` in one of the ranges."""
    return {name for name in names if any(first <= bucket(name) <= last for first, last in buckets)}
