"""The clouds under test, and the releases and stage orders that the suite gives them."""

from __future__ import annotations

import gc
import itertools
import secrets
import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.cloud.channel import Channel
from bridge.fleet import StageOrder
from bridge.release.bucket import Buckets, bucket
from tests.conformance.bench import Bench
from tests.conformance.cloud import CLOUDS, LIVE, RUN, Cloud
from tests.conformance.staged import Staged, state_of
from tests.releases import Package, ReleaseKit

SDK_LEAK = pytest.mark.filterwarnings("ignore:unclosed <s(ocket|sl):ResourceWarning")
"""paho-mqtt 1.6, below azure-iot-device, forgets the pair of sockets that wakes its thread at every reconnection."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What an SDK forgets is found whenever memory is swept, so in any test of the suite."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(SDK_LEAK)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test runs over the clouds that its module names."""
    if "cloud" in metafunc.fixturenames:
        names = getattr(metafunc.module, "CLOUDS", CLOUDS)
        metafunc.parametrize("cloud", names, indirect=True, scope="module")


@pytest.fixture(scope="module")
def module_patch() -> Iterator[pytest.MonkeyPatch]:
    """Environment variables for the length of a module."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def cloud(request, tmp_path_factory, module_patch) -> Iterator[Cloud]:
    """Each cloud in turn; shared by the tests of a module, which use names of their own."""
    folder = tmp_path_factory.mktemp(request.param)
    made = _live(request.param, folder) if request.param in LIVE else MAKERS[request.param](folder, module_patch)
    yield made
    made.stop()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # what the SDK forgot is found here, and not in somebody else's test


def _aws(folder: Path, patch: pytest.MonkeyPatch) -> Cloud:
    from tests.conformance.aws import AwsSimulatorCloud

    return AwsSimulatorCloud(folder, patch)


def _ministack(folder: Path, patch: pytest.MonkeyPatch) -> Cloud:
    from tests.conformance.aws import MinistackCloud

    return MinistackCloud(folder, patch)


def _azure(folder: Path, patch: pytest.MonkeyPatch) -> Cloud:
    from tests.conformance.azure import AzureSimulatorCloud

    return AzureSimulatorCloud(folder, patch)


def _live(name: str, folder: Path) -> Cloud:
    from tests.conformance.live import open_live

    return open_live(name, folder)


MAKERS: dict[str, Callable[[Path, pytest.MonkeyPatch], Cloud]] = {
    "aws": _aws,
    "azure": _azure,
    "aws-ministack": _ministack,
}


@pytest.fixture(autouse=True)
def fair_start(request) -> None:
    """No trouble that another test planned. What a cloud cannot do is skipped, and listed by `make conformance`."""
    if "cloud" not in request.fixturenames:
        return
    cloud = request.getfixturevalue("cloud")
    cloud.heal()
    reason = cloud.differences.get(request.node.originalname)
    if reason is not None:
        pytest.skip(f"known difference: {reason}")


@pytest.fixture(scope="module")
def kit() -> ReleaseKit:
    """The owner, who has rotated their keys once."""
    kit = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))
    kit.rotate()
    return kit


@pytest.fixture(scope="module")
def package(kit, cloud, tmp_path_factory) -> Package:
    """A release whose artifact the fleet holds; of a version that no account has seen."""
    package = kit.package(bytes(range(256)) * 400, version=f"2.0.{secrets.randbelow(1 << 31)}")
    source = tmp_path_factory.mktemp("artifact") / package.artifact.name
    source.write_bytes(package.files[package.artifact.name])
    cloud.fleet.put_artifact(package.artifact, source, lambda _: None)
    return package


_names = itertools.count(1)
_buckets: set[int] = set()


@pytest.fixture
def key() -> str:
    """A stage order's key that no other test has."""
    return f"conformance-{RUN}-{next(_names)}"


@pytest.fixture
def devices(cloud) -> tuple[str, ...]:
    """Three devices of this test alone, each in a bucket of its own."""
    return tuple(add_devices(cloud, 3))


def add_devices(cloud: Cloud, count: int) -> Iterator[str]:
    """Registers new devices, no two of the run in one bucket."""
    while count:
        name = f"device-{RUN}-{next(_names)}"
        if bucket(name) not in _buckets:
            _buckets.add(bucket(name))
            cloud.add_device(name)
            yield name
            count -= 1


@pytest.fixture
def line(cloud) -> Iterator[Callable[[str], Channel]]:
    """Opens channels, each as a new process of its device's agent, and closes them after the test."""
    opened: dict[str, Channel] = {}

    def open_channel(device: str) -> Channel:
        if device in opened:
            opened[device].close()  # two agents with one identity would hang each other up
        opened[device] = cloud.channel(device)
        return opened[device]

    yield open_channel
    for channel in opened.values():
        channel.close()


@pytest.fixture
def device(cloud, key, tmp_path, monkeypatch) -> str:
    """The one device of a bench in `tmp_path`, with the real agent, connected to the cloud."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the test run keeps its own handlers
    monkeypatch.chdir(tmp_path)
    name = f"bench-{key}"
    cloud.add_device(name)
    return name


@pytest.fixture
def bench(cloud, device, tmp_path) -> Bench:
    """That bench."""
    bench = Bench(tmp_path)
    bench.build(cloud.name, cloud.settings(device))
    return bench


@pytest.fixture
def order(kit, package, key, devices) -> StageOrder:
    """The release for all three devices."""
    return StageOrder(key, package.document, kit.later_roots, devices, timeout_minutes=30, comment="first stage")


@pytest.fixture(params=["names", "buckets"])
def staged(request, cloud, order, key, line) -> Staged:
    """The order for the three devices: by their names; and by their buckets, in a fleet that selects by those."""
    if request.param == "names":
        return Staged(cloud.fleet, order)
    if cloud.by_bucket is None:
        pytest.skip("devices cannot be selected by bucket here")
    for device in order.devices:
        line(device).state(state_of(key))
    placed = tuple(Buckets(bucket(device), bucket(device)) for device in order.devices)
    return Staged(cloud.by_bucket, replace(order, devices=(), buckets=placed, models=(key,), size=3))
