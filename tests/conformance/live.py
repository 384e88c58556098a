"""Live accounts for the conformance suite, where the environment names them.

`OTABRIDGE_CONFORMANCE_AWS` and `OTABRIDGE_CONFORMANCE_AZURE` are the paths of TOML files: `[fleet]` as in
`otabridge.toml` without `cloud`, `[channel]` with the fields that all devices share. AWS needs `policy`, the name of an
IoT policy for devices. Devices are registered for the run and removed after it. Clouds take minutes where a simulator
takes none: set `OTABRIDGE_CONFORMANCE_WAIT` to the seconds that a test may wait (900 for Azure).
"""

from __future__ import annotations

import base64
import itertools
import os
import secrets
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path

import boto3
import pytest
from azure.identity import DefaultAzureCredential
from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import Twin

from adapters.aws.cloud import open_fleet as open_aws
from adapters.aws.device import open_channel as aws_channel
from adapters.azure.cloud import open_fleet as open_azure
from adapters.azure.device import open_channel as azure_channel
from agent.cloud.channel import Channel
from bridge.fleet import Fleet, FleetError, StageOrder
from tests.conformance.aws import FOREIGN, create_foreign_job
from tests.conformance.cloud import LIVE, WAIT, Trouble

UNDISTURBED = "a live cloud cannot be disturbed"


class PatientFleet:
    """A fleet whose `start` is repeated while the cloud takes its time, as the controller does."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def __getattr__(self, name: str):
        return getattr(self._fleet, name)

    def start(self, order: StageOrder) -> None:
        """As the fleet's own, within the suite's patience."""
        deadline = time.monotonic() + WAIT
        while True:
            try:
                return self._fleet.start(order)
            except FleetError as error:
                if not error.retryable or time.monotonic() > deadline:
                    raise
                time.sleep(1)


class _Live:
    """What both have in common."""

    name = ""
    by_bucket: Fleet | None = None
    """A live index shows what devices report some time later than a test waits."""
    differences: Mapping[str, str] = {}

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        self.folder = folder
        self.shared: Mapping[str, object] = settings["channel"]
        self.identities: dict[str, dict[str, object]] = {}
        self.numbers = itertools.count(1)

    def settings(self, device: str) -> dict[str, object]:
        return {**self.shared, **self.identities[device]}

    def disturb(self, trouble: Trouble, device: str, *, skip: int = 0, times: int = 1) -> None:
        pytest.skip(f"{UNDISTURBED}: {trouble}, {device}, {skip}, {times}")

    def condition(self, field: str, value: str) -> str:
        pytest.skip(f"nothing is asked of a live index: {field} = {value}")

    def troubles(self) -> int:
        return 0

    def heal(self) -> None:
        """Nothing was planned."""


class LiveAws(_Live):
    """An account and region of AWS."""

    name = "aws"

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        super().__init__(folder, settings)
        self.policy = settings["policy"]
        self.iot = boto3.client("iot", region_name=settings["fleet"]["region"])
        self.fleet: Fleet = PatientFleet(open_aws("live", settings["fleet"]))
        self.groups: list[str] = []

    def add_device(self, device: str) -> None:
        self.iot.create_thing(thingName=device)
        made = self.iot.create_keys_and_certificate(setAsActive=True)
        self.iot.attach_policy(policyName=self.policy, target=made["certificateArn"])
        self.iot.attach_thing_principal(thingName=device, principal=made["certificateArn"])
        certificate, key = self.folder / f"{device}.pem", self.folder / f"{device}.key"
        certificate.write_text(made["certificatePem"])
        key.write_text(made["keyPair"]["PrivateKey"])
        self.identities[device] = {"thing": device, "certificate_file": str(certificate), "key_file": str(key)}

    def add_group(self, group: str, devices: tuple[str, ...]) -> None:
        self.iot.create_thing_group(thingGroupName=group)
        self.groups.append(group)
        for device in devices:
            self.iot.add_thing_to_thing_group(thingGroupName=group, thingName=device)

    def channel(self, device: str) -> Channel:
        return aws_channel(self.settings(device))

    def offer_foreign(self, device: str) -> None:
        create_foreign_job(self.iot, device, FOREIGN)

    def take_back(self, device: str, offer_id: str) -> None:
        self.iot.cancel_job_execution(jobId=offer_id, thingName=device, force=True)

    def stop(self) -> None:
        """Remove the run's things with their certificates, and its groups."""
        for device in self.identities:
            for principal in self.iot.list_thing_principals(thingName=device)["principals"]:
                self._remove_certificate(device, principal)
            self.iot.delete_thing(thingName=device)
        for group in self.groups:
            self.iot.delete_thing_group(thingGroupName=group)

    def _remove_certificate(self, device: str, principal: str) -> None:
        certificate = principal.rpartition("/")[2]
        self.iot.detach_thing_principal(thingName=device, principal=principal)
        self.iot.detach_policy(policyName=self.policy, target=principal)
        self.iot.update_certificate(certificateId=certificate, newStatus="INACTIVE")
        self.iot.delete_certificate(certificateId=certificate, forceDelete=True)


class LiveAzure(_Live):
    """An IoT hub with its Device Update instance."""

    name = "azure"
    differences: Mapping[str, str] = {
        "test_offers_come_one_after_the_other": (
            "a device is in one group, so that the second order waits in `start` until the first lets go of it"
        ),
        "test_foreign_work_is_rejected_and_the_queue_goes_on": "nothing is imported into a live instance by hand",
    }

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        super().__init__(folder, settings)
        self.hub = settings["fleet"]["hub"]
        self.registry = IoTHubRegistryManager.from_token_credential(self.hub, DefaultAzureCredential())
        self.fleet: Fleet = PatientFleet(open_azure("live", settings["fleet"]))

    def add_device(self, device: str) -> None:
        """Register it, and let it come online once: Device Update knows no other."""
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        self.registry.create_device_with_sas(device, key, key, "enabled")
        path = self.folder / f"{device}.key"
        path.write_text(key)
        self.identities[device] = {
            "device": device,
            "symmetric_key_file": str(path),
            "root_key_package_file": str(self.folder / f"{device}-root-keys.json"),
        }
        channel = self.channel(device)
        channel.next_offer(1)
        channel.close()

    def add_group(self, group: str, devices: tuple[str, ...]) -> None:
        for device in devices:
            self._tag(device, group)

    def channel(self, device: str) -> Channel:
        return azure_channel(self.settings(device))

    def offer_foreign(self, device: str) -> None:
        pytest.skip(f"{device} of a live instance is offered nothing by hand")

    def take_back(self, device: str, offer_id: str) -> None:  # noqa: ARG002 - a device has one deployment at a time
        self._tag(device, None)

    def stop(self) -> None:
        """Remove the run's devices."""
        for device in self.identities:
            self.registry.delete_device(device)

    def _tag(self, device: str, group: str | None) -> None:
        self.registry.update_twin(device, Twin(tags={"ADUGroup": group}), "*")


KINDS: Mapping[str, type[_Live]] = {"aws-live": LiveAws, "azure-live": LiveAzure}


def open_live(name: str, folder: Path) -> _Live:
    """The live cloud `name`."""
    text = Path(os.environ[LIVE[name]]).read_text()
    return KINDS[name](folder, tomllib.loads(text))
