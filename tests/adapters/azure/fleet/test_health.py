"""What the hub counts of the devices that have the release, and of the others."""

from __future__ import annotations

import pytest

from bridge.fleet import FleetError, HealthCount, LimitError
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Report
from tests.adapters.azure.plant import Plant, calls_counted, order_of, put

HOT = "properties.reported.temperature > 80 OR tags.smoke = true"
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
FAILED = Report(Outcome.FAILED, "a", "1.0.0", FailureCode.SLOT_WRITE, "disk full")
KEYS = ("spring/1", "spring/2")


@pytest.fixture
def plant(tmp_path, package):
    """Azure after two stages: `done` closed, `fresh` open with one device that failed and one that did not begin; and
    three devices that no stage has reached.
    """
    with Plant(tmp_path).running() as plant:
        plant.add("done-1", "done-2", "fresh-1", "fresh-bad", "fresh-off", "old-1", "old-2", "old-3", group="eu")
        put(plant.fleet, package, tmp_path)
        plant.fleet.start(order_of(package, ["done-1", "done-2"], key=KEYS[0]))
        for name in ("done-1", "done-2"):
            plant.end(name, KEYS[0], INSTALLED)
        plant.fleet.stop(KEYS[0], "completed")
        plant.fleet.start(order_of(package, ["fresh-1", "fresh-bad", "fresh-off"], key=KEYS[1]))
        plant.end("fresh-1", KEYS[1], INSTALLED)
        plant.end("fresh-bad", KEYS[1], FAILED)
        yield plant


def test_updated_devices_are_held_against_the_others(plant):
    """Closed stages count; devices that failed, or have not begun, are of neither kind. Four queries."""
    for name in ("done-1", "old-1", "old-2", "fresh-bad", "fresh-off"):
        plant.hub.report(name, {"temperature": 95})
    plant.hub.patch_twin("fresh-1", {"tags": {"smoke": True}})

    with calls_counted() as calls:
        counted = plant.fleet.health(KEYS, HOT)

    assert counted == HealthCount(updated_bad=2, updated=3, others_bad=2, others=3)
    assert sum("/devices/query" in call for call in calls) == 4
    assert plant.fleet.health(KEYS[:1], HOT) == HealthCount(1, 2, 5, 6)
    assert plant.fleet.health((), HOT) == HealthCount(0, 0, 6, 8)


def test_hundreds_of_orders_are_asked_for_in_runs(plant):
    """No query is longer than the hub takes."""
    keys = (*KEYS, *(f"{'long-' * 12}{number}" for number in range(300)), *KEYS)

    assert plant.fleet.health(tuple(dict.fromkeys(keys)), HOT).updated == 3


WRONG = [
    ("", "fleet factory: the health condition '' is empty"),
    ("a = 1) OR (b = 2", r"the health condition 'a = 1\) OR \(b = 2' has a parenthesis at character 6 that closes"),
    ("tags.a = = 1", r"IoT Hub does not take the condition 'tags\.a = = 1': Syntax error"),
]


@pytest.mark.parametrize(("condition", "words"), WRONG)
def test_a_condition_that_is_none_is_named(plant, condition, words):
    """And is no limit of the fleet's."""
    with pytest.raises(FleetError, match=words) as raised:
        plant.fleet.health(KEYS, condition)

    assert not isinstance(raised.value, LimitError)


def test_resets_by_a_watchdog_are_counted_of_updated_devices(plant):
    """As they report; in one query."""
    plant.say_of_itself("done-1", watchdog_resets=2)
    plant.say_of_itself("done-2", watchdog_resets=0)
    plant.say_of_itself("fresh-bad", watchdog_resets=7)
    plant.say_of_itself("old-1", watchdog_resets=1)

    with calls_counted() as calls:
        assert plant.fleet.watchdog_resets(KEYS) == 1

    assert sum("/devices/query" in call for call in calls) == 1
    assert plant.fleet.watchdog_resets(()) == 0


def test_of_an_adopted_deployment_nothing_can_be_asked(plant):
    """Its devices do not say which deployment they have."""
    with pytest.raises(LimitError, match="native:g/d was made without otabridge"):
        plant.fleet.health(("native:g/d",), HOT)
    with pytest.raises(LimitError, match="native:g/d was made without otabridge"):
        plant.fleet.watchdog_resets(("native:g/d",))
