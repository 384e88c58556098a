"""The simulator explained to people and to programs that are not otabridge: one file, and the same in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from adapters.azure.simulator.faces import MQTT_PORT
from adapters.azure.simulator.simulator import POLICY, AzureSimulator
from adapters.azure.simulator.views import DeviceIdentity

SETTINGS_FILE = "otabridge-sim.json"
SHOWN_DEVICES = 3


def explain(simulator: AzureSimulator, devices: Sequence[DeviceIdentity], directory: Path) -> list[str]:
    """Write `otabridge-sim.json` into `directory`; how to point SDKs and a device at the simulator, a line each.

    Raises:
        OSError: the file cannot be written.
    """
    settings = directory / SETTINGS_FILE
    settings.write_text(json.dumps(_settings(simulator, devices), indent=2) + "\n")
    return [*_cloud_side(simulator), *_device_side(simulator, devices), f"All of that is in {settings}."]


def connection_string(simulator: AzureSimulator) -> str:
    """How azure-iot-hub is told of the hub."""
    return f"HostName={simulator.hub_name};SharedAccessKeyName={POLICY};SharedAccessKey={simulator.policy_key}"


def _settings(simulator: AzureSimulator, devices: Sequence[DeviceIdentity]) -> dict[str, object]:
    update = {"endpoint": simulator.endpoint, "served_at": simulator.adu_url, "instance": simulator.instance}
    storage = {"url": simulator.storage_url, "account": simulator.account, "container": simulator.container}
    return {
        "hub": {"host_name": simulator.hub_name, "connection_string": connection_string(simulator)},
        "device_update": update,
        "storage": storage,
        "mqtt": {"host": simulator.host, "port": MQTT_PORT},
        "provisioning": {"host": simulator.provisioning_host, "id_scope": simulator.id_scope},
        "ca_file": str(simulator.ca_file),
        "root_keys_file": str(simulator.root_keys_file),
        "environment": simulator.environment(),
        "devices": {each.device: _files(each) for each in devices},
    }


def _files(identity: DeviceIdentity) -> dict[str, str]:
    files = {
        "cert_file": identity.cert_file,
        "key_file": identity.key_file,
        "symmetric_key_file": identity.symmetric_key_file,
    }
    return {name: str(path) for name, path in files.items() if path is not None}


def _cloud_side(simulator: AzureSimulator) -> list[str]:
    return [
        "IoT Hub for azure-iot-hub (REST; with REQUESTS_CA_BUNDLE set as below):",
        f"  {connection_string(simulator)}",
        f"Device Update instance {simulator.instance} of {simulator.endpoint}:",
        f"  served at {simulator.adu_url}; azure-iot-deviceupdate takes no port in its endpoint, so give its client",
        "  per_retry_policies=[...] with a policy that puts this address into each request's URL.",
        "Storage for azure-storage-blob:",
        f"  {simulator.storage_url}, container {simulator.container}; signatures name account {simulator.account}",
        "azure-identity's DefaultAzureCredential finds a managed identity through:",
        *(f"  {name}={value}" for name, value in simulator.environment().items()),
    ]


def _device_side(simulator: AzureSimulator, devices: Sequence[DeviceIdentity]) -> list[str]:
    more = len(devices) - SHOWN_DEVICES
    return [
        "Devices: MQTT 3.1.1 over TLS, as azure-iot-device speaks it:",
        f"  host {simulator.host}, port {MQTT_PORT}, CA {simulator.ca_file}",
        f"  provisioning service {simulator.provisioning_host}, id scope {simulator.id_scope}",
        f"  updates are signed under the roots in {simulator.root_keys_file}",
        *(f"  {each.device}: {', '.join(_files(each).values())}" for each in devices[:SHOWN_DEVICES]),
        *([f"  and {more} more"] if more > 0 else []),
    ]
