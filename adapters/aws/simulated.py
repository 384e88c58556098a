"""Fits the simulator of AWS IoT to otabridge's own settings. The simulator itself knows none of our formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from adapters.aws.simulator.explanation import Scope, explain
from adapters.aws.simulator.simulator import AwsSimulator
from adapters.aws.simulator.views import DeviceIdentity

BUCKET = "otabridge-artifacts"
GROUP = "simulated"
SHADOW = "shadow.name.otabridge.reported"


class SimulatedAws:
    """bridge.simulated.SimulatedCloud: AWS IoT and S3 on loopback, one bucket, one thing group of all things, and the
    fleet index as otabridge asks for it.
    """

    cloud = "aws"

    def __init__(self, simulator: AwsSimulator) -> None:
        self._simulator = simulator
        self._identities: list[DeviceIdentity] = []
        simulator.bucket(BUCKET)
        iot = simulator.client("iot")
        iot.create_thing_group(thingGroupName=GROUP)
        iot.update_indexing_configuration(
            thingIndexingConfiguration={
                "thingIndexingMode": "REGISTRY_AND_SHADOW",
                "namedShadowIndexingMode": "ON",
                "filter": {"namedShadowNames": ["otabridge"]},
                "customFields": [
                    {"name": f"{SHADOW}.bucket", "type": "Number"},
                    {"name": f"{SHADOW}.model", "type": "String"},
                    {"name": f"{SHADOW}.saved", "type": "Number"},
                ],
            }
        )

    def environment(self) -> Mapping[str, str]:
        """See SimulatedCloud."""
        return self._simulator.environment()

    def fleet(self) -> Mapping[str, object]:
        """See SimulatedCloud. Groups are consistent at once here, so nothing is waited for."""
        simulator = self._simulator
        return {"region": simulator.region, "bucket": BUCKET, "role_arn": simulator.role_arn, "settle_seconds": 0}

    def add_device(self, name: str, folder: Path) -> Mapping[str, object]:
        """See SimulatedCloud."""
        identity = _moved(self._simulator.add_thing(name), folder)
        self._simulator.client("iot").add_thing_to_thing_group(thingGroupName=GROUP, thingName=name)
        self._identities.append(identity)
        return {
            "endpoint": identity.mqtt_host,
            "port": identity.mqtt_port,
            "thing": identity.thing,
            "certificate_file": str(identity.cert_file),
            "key_file": str(identity.key_file),
            "ca_file": str(identity.ca_file),
            "flow_control": False,
        }

    def explain(self, folder: Path) -> Sequence[str]:
        """See SimulatedCloud."""
        return explain(self._simulator, Scope(BUCKET, GROUP, tuple(self._identities)), folder)

    def offers(self, device: str) -> int:
        """See SimulatedCloud."""
        pages = self._simulator.client("iot").get_paginator("list_job_executions_for_thing")
        return sum(len(page["executionSummaries"]) for page in pages.paginate(thingName=device))

    def bytes_sent(self) -> int:
        """See SimulatedCloud."""
        return self._simulator.bytes_sent

    def stop(self) -> None:
        """See SimulatedCloud."""
        self._simulator.stop()


def start(directory: Path) -> SimulatedAws:
    """A running simulator. Raises: OSError."""
    return SimulatedAws(AwsSimulator(directory).start())


def _moved(identity: DeviceIdentity, folder: Path) -> DeviceIdentity:
    """The identity with its files in the device's own folder."""
    return replace(
        identity,
        cert_file=identity.cert_file.rename(folder / "device.pem"),
        key_file=identity.key_file.rename(folder / "device.key"),
    )
