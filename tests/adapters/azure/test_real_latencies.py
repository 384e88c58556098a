"""A whole rollout at Azure's own pace, by a clock that is turned: real controller, real fleet, real devices.

Tags are indexed after five minutes, goals delivered after five, counters follow after five; a job patches ten devices a
second; every quota holds. What otabridge does meanwhile must neither fail nor call too often.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import msgspec
import pytest

from adapters.azure.channel.settings import AzureSettings
from adapters.azure.device import AzureChannel
from adapters.azure.fleet.settings import AzureFleetSettings
from adapters.azure.simulator.throttle import QUOTAS
from bridge.engine.controller import Controller
from bridge.engine.progress import State
from bridge.planning.plan import Request, SignedRelease
from bridge.release.report import Outcome, Phase, Progress, Report
from bridge.rollout.model import Rollout
from bridge.store.store import Store
from tests.adapters.azure.conftest import SDK_LEAK
from tests.adapters.azure.deployer import History
from tests.adapters.azure.plant import MANUFACTURER, Plant, SimulatedClock, put
from tests.releases import MODEL

pytestmark = SDK_LEAK
FIVE_MINUTES = 300.0
INTERVAL = 60.0
DELAYS = dict.fromkeys(("index_seconds", "delivery_seconds", "status_seconds"), FIVE_MINUTES)
PACED = ("patience_seconds", "poll_seconds", "queries_per_minute", "reads_per_minute", "creates_per_minute")
DEVICES = ("gate-1", "gate-2")


class TurnedClock(SimulatedClock):
    """To sleep is to turn the simulator's clock."""

    def monotonic(self):
        return self._clock.now()

    def sleep(self, seconds):
        self._clock.advance(seconds)


class TurnedStore(Store):
    """Its time is the simulator's."""

    def __init__(self, where, clock):
        super().__init__(where)
        self._clock = clock

    def now(self):
        return datetime.fromtimestamp(self._clock.now(), UTC)


class InstallingDevice(threading.Thread):
    """Takes every offer, and says at once that it is installed."""

    def __init__(self, channel):
        super().__init__()
        self.channel = channel
        self.off = threading.Event()

    def run(self):
        while not self.off.is_set():
            offer = self.channel.next_offer(0.5)
            if offer is not None:
                self.channel.progress(offer.id, Progress(Phase.DOWNLOADING, 50))
                self.channel.conclude(offer.id, Report(Outcome.INSTALLED, "b", "2.0.0"))
        self.channel.close()


class Publisher:
    """Puts the one artifact of a package."""

    def __init__(self, package, folder):
        self.package = package
        self.folder = folder

    def require(self, folder):
        """It is what a test made."""

    def publish(self, _, fleets):
        for fleet in fleets:
            put(fleet, self.package, self.folder)


@pytest.fixture
def plant(tmp_path):
    """Azure with its delays, its quotas, and the fleet's own defaults of pace."""
    plant = Plant(tmp_path, **DELAYS)
    plant.clock = TurnedClock(plant.simulator.clock)
    with plant.running():
        plant.simulator.throttle.per_minute.update(QUOTAS)
        plant.simulator.jobs.devices_per_second = 10
        defaults = {field.name: field.default for field in msgspec.structs.fields(AzureFleetSettings)}
        plant.fleet = plant.open(**{name: defaults[name] for name in PACED})
        yield plant


@pytest.fixture
def devices(plant, tmp_path):
    """Two devices that install whatever they are offered."""
    running = [InstallingDevice(AzureChannel(settings_of(plant, name, tmp_path))) for name in DEVICES]
    for device in running:
        device.start()
    yield running
    for device in running:
        device.off.set()
        device.join()


def settings_of(plant, name, folder):
    """Where a device finds its hub, and what it knows it by."""
    identity = plant.simulator.add_device(name)
    return AzureSettings(
        host=identity.host,
        device=name,
        certificate_file=str(identity.cert_file),
        key_file=str(identity.key_file),
        ca_file=str(identity.ca_file),
        files_ca_file=str(identity.ca_file),
        manufacturer=MANUFACTURER,
        model=MODEL,
        root_keys_file=str(plant.simulator.root_keys_file),
        root_key_package_file=str(folder / f"{name}.json"),
    )


def settled(plant, device):
    """Whether a device has introduced itself, and has ended whatever it is told to process."""
    agent = plant.hub.reported(device).get("deviceUpdate", {}).get("agent", {})
    goal = plant.goal(device)
    if goal is None:
        return "deviceProperties" in agent
    return agent.get("workflow", {}).get("id") == goal["workflow"]["id"] and agent["state"] == 0


def rollout(package, folder):
    """Half of the devices, then all."""
    stages = [{"percent": 50}, {"percent": 100}]
    fields = {"name": "spring", "release": "release", "fleets": ["factory"], "stages": stages, "timeout_minutes": 30}
    return Request(msgspec.convert(fields, Rollout), SignedRelease(folder, package.document, package.release))


@pytest.mark.usefixtures("devices")
def test_a_rollout_at_the_pace_of_azure(plant, package, tmp_path):
    """Both stages are installed, nothing is called too often, and the devices are in their own groups again."""
    clock = plant.simulator.clock
    histories = {name: History(plant.hub, name) for name in DEVICES}
    controller = Controller(
        TurnedStore(tmp_path / "otabridge.db", clock),
        lambda _: plant.fleet,
        Publisher(package, tmp_path),
        "ada@desk",
    )
    said = []

    def wait():
        clock.advance(INTERVAL)
        return plant.hub.wait_until(lambda: all(settled(plant, name) for name in DEVICES))

    assert plant.hub.wait_until(lambda: all(settled(plant, name) for name in DEVICES))
    began = clock.now()
    record = controller.admit(rollout(package, tmp_path), ())
    done = controller.run(record.name, wait, lambda seen: said.extend(map(str, seen.troubles)))

    assert (done.record.state, done.troubles) == (State.COMPLETED, ())
    assert clock.now() - began > 2 * (DELAYS["index_seconds"] + DELAYS["delivery_seconds"])
    assert plant.simulator.throttle.refused == 0
    assert any("Device Update does not show group" in each and "some minutes" in each for each in said)
    assert {name: [state for state, _ in each.states] for name, each in histories.items()} == {
        "gate-1": [6, 0],
        "gate-2": [6, 0],
    }
    assert [plant.tags(name) for name in DEVICES] == [({}, None)] * len(DEVICES)
    assert [deployment.deployment_id for deployment in plant.simulator.service.deployments] == []
