"""What deltas saved the devices of a fleet in AWS: one aggregate of the fleet index."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest

from adapters.aws.executions import device_report
from bridge.fleet import DeviceReport, LimitError, Savings
from bridge.release.details import MAX_SAVED, report_details
from bridge.release.errors import FailureCode
from bridge.release.manifest import Compatibility
from bridge.release.report import Outcome, Report
from tests.adapters.aws.indexing import INDEXED, report_of
from tests.adapters.aws.test_calls import counted
from tests.releases import MODEL, describe

NAMES = tuple(f"gate-{number}" for number in range(8))
FULL, SHORT = 10_000, 400
MOST = FULL - SHORT


@pytest.fixture
def release(package):
    """The release of the order, with a delta beside the full artifact."""
    full, delta = describe(b"image", bytes(FULL)), describe(b"image", bytes(SHORT), "delta.bin", b"old image")
    return msgspec.structs.replace(package.release, artifacts=(full, delta))


@pytest.fixture
def tell(simulator):
    """A device reports anew."""

    def tell(name, **reported):
        payload = json.dumps({"state": {"reported": reported}})
        simulator.client("iot-data").update_thing_shadow(thingName=name, shadowName="otabridge", payload=payload)

    return tell


@pytest.fixture
def started(simulator, fleet, order):
    """Eight devices in the index, and the release on its way to them."""
    simulator.populate({name: report_of(name, model=MODEL) for name in NAMES})
    simulator.client("iot").update_indexing_configuration(thingIndexingConfiguration=INDEXED)
    fleet.start(replace(order, devices=NAMES))
    return fleet


def test_what_updated_devices_saved_is_added_up(started, order, release, tell):
    """Of those that run the release; who fetched the full artifact, or is at another release by now, saved nothing."""
    tell(NAMES[0], sequence=release.sequence, saved=MOST)
    tell(NAMES[1], sequence=release.sequence, saved=5000)
    tell(NAMES[2], sequence=release.sequence, saved=0)
    tell(NAMES[3], sequence=release.sequence)
    tell(NAMES[4], sequence=release.sequence + 1, saved=MOST)

    assert started.saved((order.key,), release) == Savings(devices=2, saved=MOST + 5000)


def test_another_product_in_the_same_account_is_not_counted(started, order, release, tell):
    """It numbers its releases, too; so the model is asked for, where a query can hold its name."""
    tell(NAMES[0], sequence=release.sequence, saved=1)
    tell(NAMES[1], sequence=release.sequence, saved=4000, model="pump-1")
    odd = msgspec.structs.replace(release, compatibility=Compatibility("gateway/3"))

    assert started.saved((order.key,), release) == Savings(1, 1)
    assert started.saved((order.key,), odd) == Savings(2, 4001)


@pytest.mark.parametrize("lie", [MOST + 1, MAX_SAVED, 10**30, -5, "all of it", True, None, {"a": 1}], ids=repr)
def test_a_device_that_lies_is_left_out(started, order, release, tell, lie):
    """More than the release can save, less than nothing, or no number."""
    tell(NAMES[0], sequence=release.sequence, saved=lie)
    tell(NAMES[1], sequence=release.sequence, saved=1)

    assert started.saved((order.key,), release) == Savings(1, 1)


def test_it_is_one_call_for_any_number_of_devices(started, simulator, order, release, tell):
    """The index adds up, and its configuration is looked at once."""
    simulator.populate({name: report_of(name, model=MODEL) for name in map("more-{}".format, range(3000))})
    tell("more-7", sequence=release.sequence, saved=3)
    assert started.saved((order.key,), release) == Savings(1, 3)

    assert counted(started, lambda: started.saved((order.key,), release)) == 1


def test_before_the_first_order_nobody_saved_anything(started, order, release, tell):
    """Nor where the release has no delta."""
    tell(NAMES[0], sequence=release.sequence, saved=7)
    plain = msgspec.structs.replace(release, artifacts=release.artifacts[:1])

    assert started.saved((), release) == Savings()
    assert started.saved((order.key,), plain) == Savings()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"thingIndexingMode": "OFF"}, "thingIndexingMode: OFF; must be REGISTRY_AND_SHADOW"),
        ({"thingIndexingMode": "REGISTRY"}, "namedShadowIndexingMode: OFF; must be ON"),
        (
            {**INDEXED, "customFields": INDEXED["customFields"][:2]},
            r"customFields: without shadow\.name\.otabridge\.reported\.saved of type Number; set it with Update",
        ),
    ],
)
def test_an_index_that_cannot_tell_says_what_it_lacks(started, simulator, release, config, words):
    """As a limit of the fleet's: everything else works without it."""
    simulator.client("iot").update_indexing_configuration(thingIndexingConfiguration=config)

    with pytest.raises(LimitError, match=words):
        started.saved(("spring/1",), release)


def test_a_device_that_ended_badly_shows_what_it_took():
    """As its statusDetails say."""
    said = Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.UNHEALTHY, "no network", 1, "delta.bin", 9600)

    found = device_report("gate-1", "FAILED", report_details(said))

    assert found == DeviceReport(
        "gate-1", Outcome.FELL_BACK, FailureCode.UNHEALTHY, "no network", "a", "delta.bin", 9600
    )
