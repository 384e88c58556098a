"""One account with one device on the bench: the real agent, at deployments that the service itself delivers."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.azure.channel.settings import AzureSettings
from adapters.azure.device import AzureChannel
from tests.conformance.azure import AzureSimulatorCloud
from tests.conformance.bench import Bench

DEVICE = "gate-1"
COUNTS = ("InProgress", "CompletedSucceeded", "CompletedFailed", "Canceled")
PATIENCE = {"reply_seconds": 5.0, "reconnect_seconds": 1, "backoff_seconds": 0.02}


@dataclass
class Site:
    """One account with one device on the bench."""

    cloud: AzureSimulatorCloud
    bench: Bench

    @property
    def simulator(self):
        return self.cloud.simulator

    @property
    def management(self):
        return self.cloud._client.device_management

    def update(self, sequence):
        """Deploy the owner's next release, and let agent and firmware work; the deployment's name."""
        deployment = self.deploy(sequence)
        self.bench.run_to_end()
        return deployment

    def deploy(self, sequence):
        """Deploy the owner's next release; the deployment's name, which is its group's too."""
        return self.cloud.offer(DEVICE, self.bench.package(sequence))

    def counts(self, deployment):
        """In progress, succeeded, failed, cancelled."""
        (shown,) = self.management.get_deployment_status(deployment, deployment)["subgroupStatus"]
        return tuple(shown[f"devices{name}Count"] for name in COUNTS)

    def cancel(self, deployment):
        """As the portal's button."""
        (subgroup,) = self.management.list_device_class_subgroups_for_group(deployment)
        self.management.stop_deployment(deployment, subgroup["deviceClassId"], deployment)

    @property
    def agent(self):
        """What the device reports of Device Update."""
        return self.simulator.hub.reported(DEVICE)["deviceUpdate"]["agent"]

    @property
    def codes(self):
        """The extended result codes of its last report."""
        return self.agent["lastInstallResult"]["extendedResultCodes"]

    def channel(self, **changes):
        """The device's channel without the rest of its agent; `changes` are of its settings."""
        return AzureChannel(AzureSettings(**{**self.cloud.settings(DEVICE), **PATIENCE, **changes}))


@contextmanager
def opened(folder, monkeypatch):
    """A site whose device has been online."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the test run keeps its own handlers
    monkeypatch.chdir(folder)
    cloud = AzureSimulatorCloud(folder / "cloud", monkeypatch)
    cloud.add_device(DEVICE)
    bench = Bench(folder)
    bench.build(cloud.name, cloud.settings(DEVICE))
    yield Site(cloud, bench)
    cloud.stop()
