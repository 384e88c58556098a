"""Groups, device classes and devices: what Device Update learns from twins, and when."""

from __future__ import annotations

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from adapters.azure.simulator.device_classes import membership
from adapters.azure.simulator.device_update import Delays
from adapters.simulation.faults import Effect
from tests.adapters.azure.simulator.cloud import COMPATIBILITY, CONTRACT, MODEL_ID, Board

MINUTE = 60
AGENT = {
    "deviceProperties": {**COMPATIBILITY, "contractModelId": CONTRACT},
    "compatPropertyNames": "manufacturer,model",
}


def reported(**changes):
    """Reported properties of an agent."""
    return {"deviceUpdate": {"agent": AGENT | changes}}


def test_a_tag_makes_a_group(cloud, simulator):
    """With its device counted in it, and in the default group no longer."""
    board = Board(simulator, "pump")
    assert [each["groupId"] for each in cloud.management.list_groups()] == ["$default"]
    board.tag("ring")
    group = cloud.management.get_group("ring")
    assert (group["groupType"], group["deviceCount"], group["deployments"]) == ("IoTHubTag", 1, [])
    assert cloud.management.get_group("$default")["deviceCount"] == 0


def test_the_index_lags_behind(cloud, simulator):
    """A group exists some time after the tag."""
    simulator.service.delays = Delays(index_seconds=5 * MINUTE)
    Board(simulator, "pump", group="ring")
    with pytest.raises(ResourceNotFoundError, match="Group ring does not exist"):
        cloud.management.get_group("ring")
    simulator.clock.advance(5 * MINUTE)
    assert cloud.management.get_group("ring")["deviceCount"] == 1


def test_a_removed_device_leaves_its_group(cloud, simulator):
    """Once the registry has forgotten it."""
    Board(simulator, "pump", group="ring")
    assert cloud.management.get_group("ring")["deviceCount"] == 1
    simulator.hub.remove_device("pump")
    assert cloud.management.get_group("ring")["deviceCount"] == 0


def test_a_group_is_deleted_when_nothing_is_in_it(cloud, simulator):
    """First no devices, then no deployments."""
    board = Board(simulator, "pump", group="ring")
    cloud.deploy(cloud.import_update(), "ring")
    device_class = cloud.the_class("ring")
    with pytest.raises(HttpResponseError, match="group ring has devices"):
        cloud.management.delete_group("ring")
    board.tag(None)
    with pytest.raises(HttpResponseError, match="group ring has deployments"):
        cloud.management.delete_group("ring")
    cloud.management.stop_deployment("ring", device_class, "d-1")
    cloud.management.delete_deployment("ring", "d-1")
    cloud.management.delete_group("ring")
    assert [each["groupId"] for each in cloud.management.list_groups()] == ["$default"]


def test_there_are_a_hundred_groups_at_most(cloud, simulator):
    """A device with the tag of one more stays where it was."""
    for number in range(100):
        Board(simulator, f"pump-{number}", group=f"ring-{number}")
    late = Board(simulator, "late", group="ring-100")
    with pytest.raises(ResourceNotFoundError):
        cloud.management.get_group("ring-100")
    late.tag("ring-7")
    assert cloud.management.get_group("ring-7")["deviceCount"] == 2


def test_devices_of_different_kind_are_subgroups(cloud, simulator):
    """A class is contract model and compatibility properties; its id is a SHA-1."""
    Board(simulator, "a", group="ring")
    Board(simulator, "b", group="ring")
    Board(simulator, "c", group="ring", properties={"manufacturer": "acme", "model": "valve"})
    Board(simulator, "d", group="ring", contract=CONTRACT.replace(";3", ";2"))
    found = list(cloud.management.list_device_class_subgroups_for_group("ring"))
    assert sorted(each["deviceCount"] for each in found) == [1, 1, 2]
    assert all(len(bytes.fromhex(each["deviceClassId"])) == 20 for each in found)
    (valve,) = cloud.management.list_device_class_subgroups_for_group(
        "ring", filter="compatProperties/model eq 'valve'"
    )
    shown = cloud.management.get_device_class(valve["deviceClassId"])["deviceClassProperties"]
    assert shown["compatProperties"] == {"manufacturer": "acme", "model": "valve"}
    assert shown["contractModel"]["id"] == CONTRACT


@pytest.mark.parametrize(
    ("tags", "agent", "model_id", "group"),
    [
        ({}, {}, MODEL_ID, "$default"),
        ({"ADUGroup": "ring.1_a~b-c"}, {}, MODEL_ID, "ring.1_a~b-c"),
        ({"ADUGroup": "no spaces"}, {}, MODEL_ID, "$default"),
        ({"ADUGroup": "x" * 201}, {}, MODEL_ID, "$default"),
        ({"ADUGroup": "Uncategorized"}, {}, MODEL_ID, "$default"),
        ({"ADUGroup": 7}, {}, MODEL_ID, "$default"),
        ({}, {}, "dtmi:acme:pump;1", "$default"),
        ({}, {}, "", None),
        ({}, {"compatPropertyNames": None}, MODEL_ID, None),
        ({}, {"compatPropertyNames": "manufacturer,odd"}, MODEL_ID, None),
        ({}, {"compatPropertyNames": ","}, MODEL_ID, None),
        ({}, {"deviceProperties": "none"}, MODEL_ID, None),
        ({}, {"deviceProperties": {"manufacturer": "x" * 65, "model": "m"}}, MODEL_ID, None),
    ],
)
def test_a_device_is_known_by_what_it_reports(tags, agent, model_id, group):
    """Tags that name no group are none; without model or properties a device is unknown."""
    found = membership(tags, reported(**agent), model_id)
    assert (found and found.group) == group


def test_compliance_follows_what_devices_report(cloud, simulator):
    """The best update is the highest version, whatever is deployed."""
    update_id = cloud.import_update(version="1.9")
    best = cloud.import_update(version="1.10")
    first, second = Board(simulator, "a", group="ring"), Board(simulator, "b", group="ring")
    cloud.deploy(update_id, "ring")
    first.told()
    first.ends(0, installed=update_id)
    assert compliance(cloud) == (2, 0, 1, 1)
    second.told()
    second.ends(0, installed=best)
    assert compliance(cloud) == (2, 1, 1, 0)
    (shown,) = cloud.management.list_best_updates_for_group("ring")
    assert (shown["update"]["updateId"], shown["deviceCount"]) == (best, 1)
    class_id = cloud.the_class("ring")
    assert [each["updateId"] for each in cloud.management.list_installable_updates_for_device_class(class_id)] == [
        update_id,
        best,
    ]


def compliance(cloud):
    """Total, on the latest, with one available, in progress."""
    shown = cloud.management.get_update_compliance_for_group("ring")
    assert shown == cloud.management.get_update_compliance()
    names = ("totalDevice", "onLatestUpdateDevice", "newUpdatesAvailableDevice", "updatesInProgressDevice")
    return tuple(shown[f"{name}Count"] for name in names)


def test_a_device_shows_its_last_deployment(cloud, simulator):
    """Codes are numbers and steps an array, unlike in the twin."""
    board = Board(simulator, "pump", group="ring")
    cloud.deploy(cloud.import_update(), "ring")
    workflow = board.told()["workflow"]
    steps = {"step_0": {"resultCode": 0, "extendedResultCodes": "3200012C", "resultDetails": "no room"}}
    result = {"resultCode": 0, "extendedResultCodes": "3200012C,A0000FFF", "resultDetails": "no room"}
    board.report(state=255, workflow=workflow, lastInstallResult={**result, "stepResults": steps})
    shown = cloud.management.get_device("pump")
    assert (shown["deploymentStatus"], shown["lastDeploymentId"]) == ("Failed", "d-1")
    assert shown["lastInstallResult"]["extendedResultCode"] == 0x3200012C
    assert shown["lastInstallResult"]["stepResults"][0]["resultDetails"] == "no room"
    assert [each["deviceId"] for each in cloud.management.list_devices(filter="deploymentStatus eq 'Failed'")] == [
        "pump"
    ]


def test_a_device_class_can_be_named_and_outlives_its_devices(cloud, simulator):
    """It is deleted only without devices."""
    Board(simulator, "pump")
    class_id = cloud.the_class("$default")
    cloud.management.update_device_class(class_id, {"friendlyName": "pumps"})
    assert [
        each["deviceClassId"] for each in cloud.management.list_device_classes(filter="friendlyName eq 'pumps'")
    ] == [class_id]
    with pytest.raises(HttpResponseError, match="has devices"):
        cloud.management.delete_device_class(class_id)
    simulator.hub.remove_device("pump")
    cloud.management.delete_device_class(class_id)
    assert list(cloud.management.list_device_classes()) == []


def test_groups_can_be_ordered(cloud, simulator):
    """By one member, either way; by no other."""
    for name in ("b", "a", "c"):
        Board(simulator, name, group=name)
    assert [each["groupId"] for each in cloud.management.list_groups(order_by="groupId desc")] == ["c", "b", "a"]
    with pytest.raises(HttpResponseError, match="there is no size"):
        list(cloud.management.list_groups(order_by="size"))


def test_subgroups_are_looked_at_one_by_one(cloud, simulator):
    """With their deployment; one with devices cannot be deleted, one without is not there."""
    Board(simulator, "pump", group="ring")
    class_id = cloud.the_class("ring")
    assert "deploymentId" not in cloud.management.get_device_class_subgroup("ring", class_id)
    update_id = cloud.import_update()
    cloud.deploy(update_id, "ring")
    assert cloud.management.get_device_class_subgroup("ring", class_id)["deploymentId"] == "d-1"
    best = cloud.management.get_best_updates_for_device_class_subgroup("ring", class_id)
    assert best["update"]["updateId"] == update_id
    with pytest.raises(HttpResponseError, match="has devices"):
        cloud.management.delete_device_class_subgroup("ring", class_id)
    with pytest.raises(ResourceNotFoundError, match="Subgroup 0000"):
        cloud.management.get_device_class_subgroup("ring", "0000")
    with pytest.raises(ResourceNotFoundError, match="Device valve"):
        cloud.management.get_device("valve")


def test_groups_can_fail_on_purpose(cloud, simulator):
    """A planned fault hits the named group once."""
    Board(simulator, "pump", group="ring")
    simulator.faults.plan("group", Effect.SERVER_ERROR, "ring", status=503)
    with pytest.raises(HttpResponseError):
        cloud.management.get_group("ring")
    assert cloud.management.get_group("ring")["deviceCount"] == 1


def test_addresses_that_nobody_serves_are_refused(cloud, simulator, get):
    """404 in Device Update's own words; other versions of the API are refused."""
    token = cloud.credential.get_token("https://api.adu.microsoft.com/.default").token
    headers = {"Authorization": f"Bearer {token}"}
    base = f"{simulator.adu_url}/deviceUpdate/{simulator.instance}"
    assert b"NotFound" in get(f"{base}/nothing?api-version=2026-06-01", headers=headers).data
    assert b"UnsupportedApiVersion" in get(f"{base}/updates?api-version=2019-01-01", headers=headers).data
