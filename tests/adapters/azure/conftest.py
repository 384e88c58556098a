"""One simulated Azure with one device, and the device's end of otabridge's adapter on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.azure.channel.settings import AzureSettings
from adapters.azure.device import AzureChannel
from adapters.azure.simulator.simulator import AzureSimulator
from adapters.azure.simulator.twins import Credentials
from tests.adapters.azure.deployer import Deployer, History
from tests.releases import MODEL, Package, ReleaseKit

DEVICE = "device-1"
SDK_LEAK = pytest.mark.filterwarnings("ignore:unclosed <s(ocket|sl):ResourceWarning")
"""paho-mqtt 1.6 leaves the pair of sockets that wakes its thread to the garbage collector."""


def pytest_collection_modifyitems(items) -> None:
    """What the SDK leaves open is none of ours; only tests that use it may leave something."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "simulator" in item.fixturenames:
            item.add_marker(SDK_LEAK)


@pytest.fixture(scope="session")
def kit() -> ReleaseKit:
    """An owner with one key a role."""
    return ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))


@pytest.fixture(scope="session")
def package(kit) -> Package:
    """A signed release."""
    return kit.package(bytes(range(256)) * 40)


@pytest.fixture
def simulator(tmp_path, monkeypatch) -> Iterator[AzureSimulator]:
    """Azure on loopback, where the environment of Azure's SDKs points."""
    with AzureSimulator(tmp_path / "simulator") as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        yield simulator


@pytest.fixture
def patience(simulator, tmp_path) -> dict[str, object]:
    """Settings of any device, impatient as tests are."""
    return {
        "ca_file": str(simulator.ca_file),
        "files_ca_file": str(simulator.ca_file),
        "manufacturer": "acme",
        "model": MODEL,
        "root_keys_file": str(simulator.root_keys_file),
        "root_key_package_file": str(tmp_path / "package.json"),
        "allow_http": True,
        "reply_seconds": 1.0,
        "progress_seconds": 1.0,
        "reconnect_seconds": 1,
        "backoff_seconds": 0.02,
    }


@pytest.fixture
def settings(simulator, patience) -> dict[str, object]:
    """Settings of the one device, which has a certificate."""
    identity = simulator.add_device(DEVICE)
    own = {"certificate_file": str(identity.cert_file), "key_file": str(identity.key_file)}
    return {**patience, **own, "host": identity.host, "device": DEVICE}


@pytest.fixture
def keyed(simulator, settings, tmp_path) -> dict[str, object]:
    """What changes in `settings` once the hub knows the device by a key instead of its certificate."""
    key = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
    path = tmp_path / "device.key"
    path.write_text(f"{key}\n")
    simulator.hub.change_registration(settings["device"], credentials=Credentials((key,)), enabled=True)
    return {"certificate_file": None, "key_file": None, "symmetric_key_file": str(path)}


@pytest.fixture
def opened(settings) -> Iterator[Callable[..., AzureChannel]]:
    """Opens channels of the device, each as a new process of the agent would, and closes them."""
    channels: list[AzureChannel] = []

    def opener(**changes) -> AzureChannel:
        for channel in channels:
            channel.close()
        channels.append(AzureChannel(AzureSettings(**{**settings, **changes})))
        return channels[-1]

    yield opener
    for channel in channels:
        channel.close()


@pytest.fixture
def channel(opened) -> AzureChannel:
    """The device's channel."""
    return opened()


@pytest.fixture
def deployer(simulator) -> Iterator[Deployer]:
    """Device Update for the one device, by hand."""
    with Deployer(simulator.hub, DEVICE) as deployer:
        yield deployer


@pytest.fixture
def history(simulator) -> History:
    """What the device reports from now on."""
    return History(simulator.hub, DEVICE)
