"""The whole simulator: real devices in a loop with real clients, several beside each other, and its explanation."""

from __future__ import annotations

import contextlib
import json
import queue
import warnings
from pathlib import Path

import msgspec
import pytest
from azure.iot.device import X509, IoTHubDeviceClient, ProvisioningDeviceClient
from azure.iot.device.exceptions import NoConnectionError

from adapters.azure.channel.settings import AzureSettings
from adapters.azure.fleet.settings import AzureFleetSettings
from adapters.azure.simulated import SimulatedAzure, start
from adapters.azure.simulator.simulator import AzureSimulator
from bridge.demo import boards
from tests.adapters.azure.simulator.cloud import COMPATIBILITY, CONTRACT, MODEL_ID, signed_in

WAIT = 30
AGENT = {
    "deviceProperties": {**COMPATIBILITY, "contractModelId": CONTRACT},
    "compatPropertyNames": "manufacturer,model",
}


@contextlib.contextmanager
def opened(identity, host=None):
    """A client of azure-iot-device for a device's identity."""
    options = {"server_verification_cert": identity.ca_file.read_text(), "product_info": MODEL_ID}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the SDK asks for TLS 1.2 in an outdated way
        if identity.symmetric_key_file is None:
            proof = X509(str(identity.cert_file), str(identity.key_file))
            client = IoTHubDeviceClient.create_from_x509_certificate(
                proof, host or identity.host, identity.device, **options
            )
        else:
            key = identity.symmetric_key_file.read_text()
            client = IoTHubDeviceClient.create_from_symmetric_key(key, identity.host, identity.device, **options)
    try:
        client.connect()
        yield client
    finally:
        with contextlib.suppress(NoConnectionError):  # it may have been hung up on
            client.shutdown()


def test_a_deployment_reaches_a_device_and_comes_back(cloud, simulator):
    """From import to success, with nothing but the SDKs of both sides."""
    patches = queue.Queue()
    with opened(simulator.add_device("pump")) as device:
        assert device.get_twin()["desired"] == {"$version": 1}
        device.on_twin_desired_properties_patch_received = patches.put
        device.patch_twin_reported_properties({"deviceUpdate": {"__t": "c", "agent": AGENT}})
        simulator.hub.patch_twin("pump", {"tags": {"ADUGroup": "ring"}})
        update_id = cloud.import_update()
        cloud.deploy(update_id, "ring")
        service = patches.get(timeout=WAIT)["deviceUpdate"]["service"]
        text = json.dumps(update_id, separators=(",", ":"))
        done = {"state": 0, "workflow": service["workflow"], "installedUpdateId": text}
        device.patch_twin_reported_properties({"deviceUpdate": {"__t": "c", "agent": done}})
        assert cloud.counts("ring") == (0, 1, 0, 0)
    assert simulator.hub.wait_until(lambda: not simulator.hub.device("pump").connected)


def test_devices_may_have_keys_and_be_disconnected(simulator):
    """A symmetric key in a file that only its owner reads."""
    identity = simulator.add_device("pump", symmetric=True)
    assert identity.symmetric_key_file.stat().st_mode & 0o777 == 0o600
    with opened(identity):
        assert simulator.connected() == {"pump"}
        assert simulator.disconnect("pump")
        assert not simulator.disconnect("unknown")


def test_enrolled_devices_find_their_hub(simulator):
    """They are not registered before."""
    identity = simulator.add_device("pump", enrol=True)
    assert not simulator.hub.knows("pump")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client = ProvisioningDeviceClient.create_from_x509_certificate(
            provisioning_host=simulator.provisioning_host,
            registration_id=identity.registration_id,
            id_scope=identity.id_scope,
            x509=X509(str(identity.cert_file), str(identity.key_file)),
            server_verification_cert=identity.ca_file.read_text(),
        )
    result = client.register()
    assert (result.registration_state.assigned_hub, result.registration_state.device_id) == (simulator.host, "pump")
    with opened(identity, result.registration_state.assigned_hub):
        assert simulator.connected() == {"pump"}


def test_two_simulators_live_beside_each_other(simulator, tmp_path, monkeypatch):
    """Each has an address and credentials of its own."""
    with AzureSimulator(tmp_path / "other") as other, signed_in(other, monkeypatch) as cloud:
        cloud.import_update()
        assert other.host != simulator.host
        assert [len(list(each.service.updates)) for each in (simulator, other)] == [0, 1]


def test_a_stopped_simulator_frees_its_addresses(tmp_path):
    """Stopping again is no change, and its port can be had by the next."""
    first = AzureSimulator(tmp_path / "a").start()
    port = int(first.hub_name.rpartition(":")[2])
    first.stop()
    first.stop()
    with AzureSimulator(tmp_path / "b", http_port=port) as second:
        assert second.hub_name.endswith(f":{port}")


def test_a_taken_port_is_told(simulator, tmp_path, monkeypatch):
    """With the system's own words; and what was bound before is let go."""
    monkeypatch.setattr("adapters.azure.simulator.faces.HOSTS", (simulator.host,))
    with pytest.raises(OSError, match=r"has port 8883 free; the last one: .*address already in use"):
        AzureSimulator(tmp_path / "other").start()


def test_the_simulator_explains_itself(simulator, tmp_path):
    """To people in lines, to programs in a file."""
    azure = SimulatedAzure(simulator)
    (tmp_path / "pump").mkdir()
    azure.add_device("pump", tmp_path / "pump")
    lines = azure.explain(tmp_path)
    said = json.loads((tmp_path / "otabridge-sim.json").read_text())
    assert said["hub"]["connection_string"].startswith(f"HostName={simulator.hub_name};SharedAccessKeyName=")
    assert said["devices"]["pump"]["cert_file"] == str(tmp_path / "pump" / "device.pem")
    assert any(simulator.storage_url in line for line in lines)
    assert lines[-1] == f"All of that is in {tmp_path / 'otabridge-sim.json'}."


def test_its_settings_are_those_of_otabridge(simulator, tmp_path):
    """Fleet and channel take them as they are, and every file exists in the device's folder."""
    azure = SimulatedAzure(simulator)
    fleet = msgspec.convert(azure.fleet(), AzureFleetSettings)
    settings = msgspec.convert(azure.add_device("pump", tmp_path), AzureSettings)
    named = (settings.certificate_file, settings.key_file, settings.ca_file, settings.root_keys_file)
    files = [Path(each) for each in named]
    assert (fleet.hub, fleet.manufacturer) == (simulator.hub_name, settings.manufacturer)
    assert settings.model == boards.MODEL
    assert [(each.parent, each.exists()) for each in files] == [(tmp_path, True)] * 4


def test_bytes_of_metadata_are_no_artifacts(cloud, simulator, get, tmp_path):
    """What is counted for people is what delta updates save."""
    azure = SimulatedAzure(simulator)
    azure.add_device("pump", tmp_path)
    simulator.hub.set_connected("pump", connected=True, model_id=MODEL_ID)
    simulator.hub.report("pump", {"deviceUpdate": {"agent": AGENT}})
    assert azure.offers("pump") == 0
    cloud.deploy(cloud.import_update(files={"release.json": b"{}", "image.bin": b"12345"}), "$default")
    assert simulator.hub.wait_until(lambda: azure.offers("pump") == 1)
    for url in simulator.hub.desired("pump")["deviceUpdate"]["service"]["fileUrls"].values():
        get(url)
    assert (azure.bytes_sent(), simulator.bytes_sent) == (5, 7)


def test_it_starts_as_otabridge_starts_simulators(tmp_path):
    """By its folder alone."""
    azure = start(tmp_path)
    assert (azure.cloud, set(azure.environment())) == (
        "azure",
        {"REQUESTS_CA_BUNDLE", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_TOKEN_CREDENTIALS"},
    )
    azure.stop()
