"""Log collections: devices upload their logs where the service tells them."""

from __future__ import annotations

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from tests.adapters.azure.simulator.cloud import Board


def request_of(simulator, device):
    """What a device is asked for."""
    return simulator.hub.desired(device)["diagnosticInformation"]["service"]


def answer(simulator, device, operation, result):
    """A device reports the end of its upload."""
    agent = {"resultCode": result, "extendedResultCode": 0, "operationId": operation}
    simulator.hub.report(device, {"diagnosticInformation": {"__t": "c", "agent": agent}})


def test_a_device_uploads_its_logs(cloud, simulator):
    """Into the container that its request opens; the collection then has succeeded."""
    Board(simulator, "pump")
    begun = cloud.management.start_log_collection("c-1", {"operationId": "c-1", "deviceList": [{"deviceId": "pump"}]})
    asked = request_of(simulator, "pump")
    assert (begun["status"], asked["operationId"]) == ("Running", "c-1")
    with ContainerClient.from_container_url(asked["storageSasUrl"]) as container:
        container.upload_blob("pump/c-1/agent.log", b"all is well")
    answer(simulator, "pump", "c-1", 200)
    assert cloud.management.get_log_collection("c-1")["status"] == "Succeeded"
    (device,) = cloud.management.get_log_collection_detailed_status("c-1")["deviceStatus"]
    where = cloud.blobs.get_container_client("diagnostics").list_blobs(device["logLocation"].partition("/")[2])
    assert [each.name for each in where] == ["pump/c-1/agent.log"]


def test_a_collection_fails_if_a_device_does(cloud, simulator):
    """And runs until all have answered."""
    for name in ("a", "b"):
        Board(simulator, name)
    devices = [{"deviceId": "a"}, {"deviceId": "b"}]
    cloud.management.start_log_collection("c-1", {"deviceList": devices})
    answer(simulator, "a", "c-1", 500)
    assert cloud.management.get_log_collection("c-1")["status"] == "Running"
    answer(simulator, "b", "c-1", 200)
    assert [each["status"] for each in cloud.management.list_log_collections()] == ["Failed"]


def test_only_known_devices_are_asked_and_each_collection_once(cloud, simulator):
    """Otherwise it is refused."""
    Board(simulator, "pump")
    operation = simulator.send_log_request("pump")
    assert request_of(simulator, "pump")["operationId"] == operation
    with pytest.raises(ResourceNotFoundError, match="Device valve"):
        cloud.management.start_log_collection("c-1", {"deviceList": [{"deviceId": "valve"}]})
    with pytest.raises(ResourceExistsError):
        cloud.management.start_log_collection(operation, {"deviceList": [{"deviceId": "pump"}]})
