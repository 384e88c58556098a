"""Fits the simulator of Azure to otabridge's own settings. The simulator itself knows none of our formats."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from adapters.azure import wire
from adapters.azure.simulator.explanation import explain
from adapters.azure.simulator.simulator import AzureSimulator
from adapters.azure.simulator.views import DeviceIdentity

PROVIDER = "otabridge"
MANUFACTURER = "otabridge"
MODEL = "demo-board"
"""What `bridge.demo` releases for; Device Update sends a device only updates of its model."""
_OFTEN = 100_000


class SimulatedAzure:
    """bridge.simulated.SimulatedCloud: IoT Hub, Device Update and storage on loopback.

    Calls are not rationed here: people who watch would wait for minutes, as they do with Azure.
    """

    cloud = "azure"

    def __init__(self, simulator: AzureSimulator, model: str = MODEL) -> None:
        self._simulator = simulator
        self._model = model
        self._identities: list[DeviceIdentity] = []
        simulator.throttle.per_minute.clear()

    def environment(self) -> Mapping[str, str]:
        """See SimulatedCloud."""
        return self._simulator.environment()

    def fleet(self) -> Mapping[str, object]:
        """See SimulatedCloud."""
        simulator = self._simulator
        return {
            "hub": simulator.hub_name,
            "endpoint": simulator.endpoint,
            "adu_url": simulator.adu_url,
            "instance": simulator.instance,
            "storage_url": simulator.storage_url,
            "container": simulator.container,
            "provider": PROVIDER,
            "manufacturer": MANUFACTURER,
            "download_security": "http",
            "patience_seconds": 10,
            "poll_seconds": 0.05,
            "queries_per_minute": _OFTEN,
            "reads_per_minute": _OFTEN,
            "creates_per_minute": _OFTEN,
        }

    def add_device(self, name: str, folder: Path) -> Mapping[str, object]:
        """See SimulatedCloud."""
        identity = _moved(self._simulator.add_device(name), folder)
        self._identities.append(identity)
        ca_file = str(identity.ca_file)
        return {
            "host": identity.host,
            "device": identity.device,
            "certificate_file": str(identity.cert_file),
            "key_file": str(identity.key_file),
            "ca_file": ca_file,
            "files_ca_file": ca_file,
            "manufacturer": MANUFACTURER,
            "model": self._model,
            "root_keys_file": str(shutil.copy(self._simulator.root_keys_file, folder)),
            "root_key_package_file": str(folder / "root-key-package.json"),
            "allow_http": True,
        }

    def explain(self, folder: Path) -> Sequence[str]:
        """See SimulatedCloud."""
        return explain(self._simulator, self._identities, folder)

    def offers(self, device: str) -> int:
        """See SimulatedCloud."""
        return len(self._simulator.workflows(device))

    def bytes_sent(self) -> int:
        """See SimulatedCloud. Release and roots are files of an update too, but no artifacts."""
        sent = self._simulator.bytes_sent_by_name()
        return sum(count for name, count in sent.items() if name not in wire.RESERVED_FILES)

    def stop(self) -> None:
        """See SimulatedCloud."""
        self._simulator.stop()


def start(directory: Path) -> SimulatedAzure:
    """A running simulator. Raises: OSError."""
    return SimulatedAzure(AzureSimulator(directory).start())


def _moved(identity: DeviceIdentity, folder: Path) -> DeviceIdentity:
    """The identity with its files in the device's own folder."""
    return replace(
        identity,
        ca_file=Path(shutil.copy(identity.ca_file, folder)),
        cert_file=identity.cert_file and identity.cert_file.rename(folder / "device.pem"),
        key_file=identity.key_file and identity.key_file.rename(folder / "device.key"),
    )
