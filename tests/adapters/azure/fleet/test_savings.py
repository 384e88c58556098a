"""What deltas saved the devices of a fleet in Azure: one query of the hub."""

from __future__ import annotations

import msgspec
import pytest

from adapters.azure.fleet import queries
from adapters.azure.fleet.standings import bad_report, bytes_saved
from adapters.azure.wire import Standing, Word, reported_standing
from bridge.fleet import DeviceReport, LimitError, Savings
from bridge.names import stage_name
from bridge.release.details import MAX_SAVED
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Report
from tests.adapters.azure.plant import Plant, calls_counted, order_of, put
from tests.releases import describe

INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0", artifact="delta.bin", saved=9600)
FELL_BACK = Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.FELL_BACK, "weeks later", 1)
KEYS = ("spring/1", "spring/2")
NAMES = ("done-1", "done-2", "fresh-1", "fresh-2", "fresh-3", "old-1")
FULL, SHORT = 10_000, 400
MOST = FULL - SHORT


@pytest.fixture(scope="module")
def release(package):
    """The release of the orders, with a delta beside the full artifact."""
    full, delta = describe(b"image", bytes(FULL)), describe(b"image", bytes(SHORT), "delta.bin", b"old image")
    return msgspec.structs.replace(package.release, artifacts=(full, delta))


@pytest.fixture(scope="module")
def module_plant(tmp_path_factory, package):
    """Azure after two stages, one closed and one open, in which every device but the last has installed."""
    folder = tmp_path_factory.mktemp("plant")
    with Plant(folder).running() as plant:
        plant.add(*NAMES, group="eu")
        put(plant.fleet, package, folder)
        plant.fleet.start(order_of(package, NAMES[:2], key=KEYS[0]))
        for name in NAMES[:2]:
            plant.end(name, KEYS[0], INSTALLED)
        plant.fleet.stop(KEYS[0], "completed")
        plant.fleet.start(order_of(package, NAMES[2:5], key=KEYS[1]))
        for name in NAMES[2:5]:
            plant.end(name, KEYS[1], INSTALLED)
        yield plant


@pytest.fixture
def plant(module_plant, release):
    """The same; every device runs the release, and has saved nothing."""
    for name in NAMES:
        module_plant.say_of_itself(name, sequence=release.sequence, saved=0)
    return module_plant


def test_what_updated_devices_saved_is_added_up(plant, release):
    """Of open and closed stages, in one query; who is in none of them is not asked."""
    for name, saved in {"done-1": MOST, "fresh-1": 5000, "old-1": 9}.items():
        plant.say_of_itself(name, saved=saved)

    with calls_counted() as calls:
        assert plant.fleet.saved(KEYS, release) == Savings(devices=2, saved=MOST + 5000)

    assert sum("/devices/query" in call for call in calls) == 1
    assert plant.fleet.saved(KEYS[:1], release) == Savings(1, MOST)


def test_who_runs_something_else_by_now_does_not_count(plant, release):
    """A fallback weeks later leaves the standing as it was, and what is told of the release that runs is another's."""
    plant.say_of_itself("done-1", saved=7)
    plant.say_of_itself("done-2", saved=8, sequence=release.sequence - 1)
    plant.hub.report("done-2", reported_standing(Standing(stage_name(KEYS[0]), Word.INSTALLED), FELL_BACK))
    plant.say_of_itself("fresh-1", saved=9, sequence=release.sequence + 1)

    assert plant.fleet.saved(KEYS, release) == Savings(1, 7)


@pytest.mark.parametrize("lie", [MOST + 1, MAX_SAVED, 2**52 - 1, -5, "all of it", True, None, {"a": 1}], ids=repr)
def test_a_device_that_lies_is_left_out(plant, release, lie):
    """More than the release can save, less than nothing, or no number."""
    plant.say_of_itself("done-1", saved=lie)
    plant.say_of_itself("done-2", saved=1)

    assert plant.fleet.saved(KEYS, release) == Savings(1, 1)


def test_where_nothing_can_have_been_saved_nothing_is_asked(plant, release):
    """Before the first order, and of a release without a delta."""
    plain = msgspec.structs.replace(release, artifacts=release.artifacts[:1])

    with calls_counted() as calls:
        assert plant.fleet.saved((), release) == Savings()
        assert plant.fleet.saved(KEYS, plain) == Savings()

    assert calls == []


def test_hundreds_of_orders_are_asked_for_in_runs(plant, release):
    """No query is longer than the hub takes, and no device is counted twice."""
    plant.say_of_itself("fresh-3", saved=4)
    others = tuple(f"{'long-' * 12}{number}" for number in range(300))

    assert plant.fleet.saved((*KEYS, *others), release) == Savings(1, 4)
    assert len(queries.saved([stage_name(key) for key in others[:80]], 2**31 - 1, MAX_SAVED)) < queries.MOST_CHARACTERS


def test_of_an_adopted_deployment_nothing_can_be_asked(plant, release):
    """Its devices do not say which deployment they have."""
    with pytest.raises(LimitError, match="native:g/d was made without otabridge"):
        plant.fleet.saved(("native:g/d",), release)


@pytest.mark.parametrize(("row", "found"), [({"saved": 7}, 7), ({"saved": 7.0}, 7), ({}, 0), ({"saved": None}, 0)])
def test_a_sum_is_read_however_the_hub_spells_it(row, found):
    """A sum of nothing is left out."""
    assert bytes_saved({"devices": 3, **row}) == found


def test_a_device_that_ended_badly_shows_what_it_took():
    """As its twin says."""
    said = Report(Outcome.FAILED, "a", "1.0.0", FailureCode.SLOT_WRITE, "disk full", 0, "delta.bin", 9600)
    stage = stage_name(KEYS[0])
    component = reported_standing(Standing(stage, Word.FAILED), said)["otabridge"]

    found = bad_report(stage, {"deviceId": "gate-1", "otabridge": component})

    assert found == DeviceReport("gate-1", Outcome.FAILED, FailureCode.SLOT_WRITE, "disk full", "a", "delta.bin", 9600)
