"""Deployments that somebody made in the portal: watched, reported on and stopped under otabridge's eyes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapters.azure.fleet.adopting import tally
from adapters.azure.fleet.deployments import SubgroupCounts
from bridge.fleet import Adopted, DeviceReport, FleetError
from bridge.names import stage_name
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Report
from bridge.tally import Tally
from tests.adapters.azure.plant import Plant, calls_counted, eventually, order_of, put

KEY = "native:ring-1/spring.2026"
FAILED = Report(Outcome.FAILED, "a", "1.0.0", FailureCode.SLOT_WRITE, "disk full")


@pytest.fixture
def plant(tmp_path, package):
    """Azure with a deployment `spring.2026` to the group ring-1, of three devices, which no order of ours made."""
    with Plant(tmp_path).running() as plant:
        plant.add("gate-1", "gate-2", "gate-3", group="ring-1")
        put(plant.fleet, package, tmp_path)
        plant.fleet.start(order_of(package, plant.add("own"), key="own/1"))
        body = {
            "deploymentId": "spring.2026",
            "groupId": "ring-1",
            "startDateTime": "2026-03-01T12:00:00Z",
            "update": {"updateId": {"provider": "contoso", "name": "gateway-os", "version": "2.0.0"}},
            "downloadSecurity": "http",
        }
        plant.management.create_or_update_deployment("ring-1", "spring.2026", body)
        assert plant.hub.wait_until(lambda: all(plant.goal(f"gate-{number}") for number in (1, 2, 3)))
        yield plant


def end(plant, name, state):
    """As Microsoft's agent reports the end."""
    result = {"resultCode": 700 if state == 0 else 0, "extendedResultCodes": "00000000"}
    agent = {"state": state, "workflow": plant.goal(name)["workflow"], "lastInstallResult": result}
    if state == 0:
        agent["installedUpdateId"] = '{"provider":"contoso","name":"gateway-os","version":"2.0.0"}'
    plant.hub.report(name, {"deviceUpdate": {"agent": agent}})


def test_a_deployment_is_adopted_by_group_and_id(plant):
    """With its size, its version and when it began."""
    began = datetime(2026, 3, 1, 12, tzinfo=UTC)

    assert plant.fleet.adopt("ring-1/spring.2026") == Adopted(KEY, "ring-1/spring.2026", 3, "2.0.0", began)


def test_device_updates_own_counts_are_the_tally(plant):
    """And its failed devices the reports; devices of its own say nothing of the reason there."""
    assert plant.fleet.tally(KEY) == Tally(running=3)
    end(plant, "gate-1", 0)
    end(plant, "gate-2", 255)

    eventually(lambda: plant.fleet.tally(KEY) == Tally(running=1, installed=1, failed=1))

    assert list(plant.fleet.reports(KEY)) == [
        DeviceReport("gate-2", Outcome.FAILED, None, "Device Update counts the device as failed")
    ]


def test_stopping_cancels_it_and_touches_nothing_else(plant):
    """The devices are in their owner's group; doing it again is nothing."""
    end(plant, "gate-1", 0)
    eventually(lambda: plant.fleet.tally(KEY).installed)
    tags = plant.tags("gate-2")

    for _ in range(2):
        plant.fleet.stop(KEY, "budget spent")

    assert plant.fleet.tally(KEY) == Tally(installed=1, withdrawn=2, open=False, cancelled=True)
    assert plant.tags("gate-2") == tags
    assert plant.management.get_deployment("ring-1", "spring.2026")["isCanceled"]


def test_cancelling_keeps_the_pace_of_device_update(plant, monkeypatch):
    """Which takes so many a minute and refuses more."""
    waits = []
    monkeypatch.setattr(plant.fleet._services.deployments._paces.processes, "wait", lambda: waits.append(1))

    with calls_counted() as calls:
        plant.fleet.stop(KEY, "enough")

    assert len(waits) == sum(call.endswith(":cancel") for call in calls) == 1


WRONG = [
    ("spring.2026", "'spring.2026' names no deployment: give it as GROUP/DEPLOYMENT"),
    ("/x", "names no deployment"),
    ("a/b/c", "names no deployment"),
    (f"g/{'x' * 74}", "names no deployment"),
    ("ring-1/autumn", "deployment autumn of group ring-1 is not in Device Update"),
    ("nowhere/autumn", "deployment autumn of group nowhere is not in Device Update"),
    ("/".join([stage_name("own/1")] * 2), "was made by otabridge: its rollout watches and stops it"),
]


@pytest.mark.parametrize(("native", "words"), WRONG)
def test_what_is_none_is_refused(plant, native, words):
    """With what to write instead."""
    with pytest.raises(FleetError, match=f"fleet factory: .*{words}"):
        plant.fleet.adopt(native)


def test_one_that_was_deleted_has_no_tally(plant):
    """A person hears of it; there is nothing left to stop."""
    plant.management.stop_deployment(
        "ring-1", plant.fleet._services.deployments.find("ring-1", "spring.2026").classes[0], "spring.2026"
    )
    plant.management.delete_deployment("ring-1", "spring.2026")

    with pytest.raises(
        FleetError, match=r"deployment spring\.2026 of group ring-1 is not in Device Update \(any more\)"
    ):
        plant.fleet.tally(KEY)
    plant.fleet.stop(KEY, "gone already")


def _active(*counts):
    return SubgroupCounts(True, *counts)  # noqa: FBT003 - the first of six members in a row


def _over(*counts):
    return SubgroupCounts(False, *counts)  # noqa: FBT003 - as above


COUNTED = [
    ([], Tally(open=False)),
    ([_active(5, 1, 2, 1, 0)], Tally(waiting=1, running=1, installed=2, failed=1)),
    ([_over(5, 1, 2, 1, 0)], Tally(installed=2, failed=1, withdrawn=2, open=False, cancelled=True)),
    ([_over(2, 0, 2, 0, 0)], Tally(installed=2, open=False)),
    (
        [_active(2, 2, 0, 0, 0), _over(3, 0, 1, 0, 2)],
        Tally(running=2, installed=1, withdrawn=2),
    ),
    ([_active(1, 2, 0, 0, 0)], Tally(running=2)),
]


@pytest.mark.parametrize(("subgroups", "expected"), COUNTED)
def test_subgroups_add_up(subgroups, expected):
    """One that was cancelled or superseded is over for those who have not ended."""
    assert tally(subgroups) == expected
