"""A plant: one simulated Azure with devices that say what a test wants, and otabridge's fleet on it."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from email.utils import formatdate
from unittest.mock import patch
from urllib.parse import urlsplit

import requests
from azure.core.exceptions import ResourceNotFoundError

from adapters.azure.cloud import AzureFleet
from adapters.azure.fleet.pacing import SystemClock
from adapters.azure.fleet.settings import AzureFleetSettings
from adapters.azure.formats.results import SUCCESS
from adapters.azure.simulator.simulator import AzureSimulator
from adapters.azure.wire import Standing, Word, reported_progress, reported_standing, standing_of
from adapters.simulation.http import QuietHandler
from bridge.fleet import FleetError, StageOrder
from bridge.names import stage_name
from bridge.release.report import Report
from bridge.rollout.model import FleetPart
from tests.releases import MODEL

MODEL_ID = "dtmi:azure:iot:deviceUpdateModel;3"
MANUFACTURER = "acme"
MOST_STEPS = 50
WAIT = 30.0


class Plant:
    """Devices are played by writing into their twins; the fleet sees no difference."""

    def __init__(self, directory, **delays):
        self.simulator = AzureSimulator(directory / "azure", **delays)
        self.hub = self.simulator.hub
        self.faults = self.simulator.faults
        self.clock = SimulatedClock(self.simulator.clock)

    @contextmanager
    def running(self):
        """With the environment in which Azure's libraries find it."""
        with self.simulator, self._dated(), patch.dict(os.environ, self.simulator.environment()):
            self.fleet = self.open()
            yield self

    def _dated(self):
        """Its answers carry the time of its own clock, as those of the cloud do."""
        told = self.simulator.clock.now
        return patch.object(QuietHandler, "date_time_string", lambda *_: formatdate(told(), usegmt=True))

    def settings(self, **changes):
        """The fleet's settings, impatient as tests are."""
        simulator = self.simulator
        fields = {
            "hub": simulator.hub_name,
            "endpoint": simulator.endpoint,
            "instance": simulator.instance,
            "storage_url": simulator.storage_url,
            "container": simulator.container,
            "adu_url": simulator.adu_url,
            "provider": "contoso",
            "manufacturer": MANUFACTURER,
            "patience_seconds": 5,
            "poll_seconds": 0.02,
            "queries_per_minute": 100_000,
            "reads_per_minute": 100_000,
            "creates_per_minute": 100_000,
        }
        return AzureFleetSettings(**{**fields, **changes})

    def open(self, *, ahead=0.0, **changes):
        """A new process of otabridge, on a machine whose clock is so many seconds ahead."""
        clock = SimulatedClock(self.simulator.clock, ahead) if ahead else self.clock
        return AzureFleet("factory", self.settings(**changes), clock)

    # --- devices

    def add(self, *names, group=None, online=True):
        """Register devices, which have been online once unless not; their names."""
        for name in names:
            self.hub.add_device(name, certificate_cn=name, tags={"ADUGroup": group} if group else None)
            if online:
                self.come_online(name)
        return names

    def come_online(self, name):
        """As a Device Update agent that connects for the first time."""
        properties = {
            "manufacturer": MANUFACTURER,
            "model": MODEL,
            "contractModelId": "dtmi:azure:iot:deviceUpdateContractModel;3",
            "aduVer": "DU;agent/otabridge",
        }
        agent = {"deviceProperties": properties, "compatPropertyNames": "manufacturer,model"}
        self.hub.set_connected(name, connected=True, model_id=MODEL_ID)
        self.hub.report(name, {"deviceUpdate": {"__t": "c", "agent": agent}})

    def say_of_itself(self, name, **members):
        """What the device reports of itself for queries."""
        self.hub.report(name, {"otabridge": members})

    def begin(self, name, key, said=None):
        """The device takes the offer of the stage order `key`."""
        self.hub.report(name, reported_standing(Standing(stage_name(key), Word.RUNNING)))
        if said is not None:
            self.hub.report(name, reported_progress(said))

    def end(self, name, key, report: Report):
        """The device has ended."""
        self.hub.report(name, reported_standing(standing_of(stage_name(key), report.outcome), report))
        self._tell_device_update(name, report)

    def _tell_device_update(self, name, report):
        goal = self.goal(name)
        if goal is None:
            return
        ended = {"resultCode": SUCCESS if report.code is None else 0, "extendedResultCodes": "00000000"}
        state = 0 if report.code is None else 255
        agent = {"state": state, "workflow": goal["workflow"], "lastInstallResult": ended}
        self.hub.report(name, {"deviceUpdate": {"agent": agent}})

    def goal(self, name):
        """What Device Update wants of a device; None while it wants nothing."""
        service = self.hub.desired(name).get("deviceUpdate", {}).get("service")
        return service if service and service["workflow"]["action"] == 3 else None

    def tags(self, name):
        """Tags and stage of a device."""
        return dict(self.hub.tags(name)), self.hub.desired(name).get("otabridge")

    # --- Device Update

    @property
    def management(self):
        """Device Update as an operator's tool sees it."""
        return self.fleet._services._client.device_management

    def groups(self):
        """Groups by tag that Device Update shows."""
        return {group["groupId"] for group in self.management.list_groups()} - {"$default"}

    def deployment(self, key):
        """The deployment of a stage order; None when there is none."""
        stage = stage_name(key)
        try:
            return self.management.get_deployment(stage, stage)
        except ResourceNotFoundError:
            return None

    def await_failures(self, key, count):
        """Wait until Device Update itself counts so many failed devices."""
        eventually(lambda: self._failures(key) >= count)

    def _failures(self, key):
        stage = stage_name(key)
        told = self.management.get_deployment_status(stage, stage)["subgroupStatus"]
        return sum(each["devicesCompletedFailedCount"] for each in told)

    def cancel(self, key):
        """Somebody cancels the deployment in the portal."""
        stage = stage_name(key)
        for device_class in self.deployment(key)["deviceClassSubgroups"]:
            self.management.stop_deployment(stage, device_class, stage)

    def deploy(self, key):
        """Somebody deploys the release to the group of a stage order."""
        eventually(lambda: stage_name(key) in self.groups())
        services = self.fleet._services
        update = services.orders.read(stage_name(key)).record.update_id
        services.deployments.create(stage_name(key), update, "https", self.clock.now())

    def lose_record(self, key):
        """Somebody deletes the order's record."""
        self._record(key).delete_blob()

    def spoil_record(self, key):
        """Somebody writes over the order's record."""
        self._record(key).upload_blob(b"{}", overwrite=True)

    def _record(self, key):
        services = self.fleet._services
        return services.storage._blob(services.orders._path(stage_name(key)))

    def state(self, key):
        """The state in the order's record."""
        return str(self.fleet._services.orders.read(stage_name(key)).record.state)


class SimulatedClock(SystemClock):
    """Sleeps as this machine does, and tells the time of the simulator, or one that is `ahead` of it."""

    def __init__(self, clock, ahead=0.0):
        self._clock = clock
        self._ahead = ahead

    def now(self):
        return self._clock.now() + self._ahead


def eventually(holds):
    """Wait until `holds`; Device Update sees what devices say a little later."""
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def finish(act):
    """Call `act` until it raises no retryable error any more; what those said."""
    said = []
    while True:
        try:
            act()
        except FleetError as error:
            if not error.retryable or len(said) > MOST_STEPS:
                raise
            said.append(str(error))
            continue
        return said


def put(fleet, package, folder):
    """The artifacts of a release are in the fleet's container."""
    for artifact in package.release.artifacts:
        source = folder / artifact.sha256
        source.write_bytes(package.files[artifact.name])
        fleet.put_artifact(artifact, source, lambda _: None)


@contextmanager
def calls_counted():
    """The calls that any of Azure's libraries makes, as `METHOD path`."""
    made, really = [], requests.Session.request

    def request(session, method, url, **options):
        made.append(f"{method} {urlsplit(url).path}")
        return really(session, method, url, **options)

    with patch.object(requests.Session, "request", request):
        yield made


def order_of(package, devices, key="spring/1", roots=(), **changes):
    """A stage order for `devices`."""
    return StageOrder(key, package.document, roots, tuple(devices), timeout_minutes=30, **changes)


def ids_of(fleet, **selectors):
    """The ids of the devices of a part of the fleet."""
    return [device.id for device in fleet.devices(FleetPart(fleet.name, **selectors))]
