"""The clouds under test, and the releases and stage orders that the suite gives them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from agent.channel import Channel
from bridge.fleet import StageOrder
from tests.conformance.cloud import Cloud
from tests.releases import Package, ReleaseKit

CLOUDS = ("aws-simulator", "ministack")


@pytest.fixture(scope="module")
def module_patch() -> Iterator[pytest.MonkeyPatch]:
    """Environment variables for the length of a module."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module", params=CLOUDS)
def cloud(request, tmp_path_factory, module_patch) -> Iterator[Cloud]:
    """Each cloud in turn; shared by the tests of a module, which use names of their own."""
    from tests.conformance.aws import AwsSimulatorCloud, MinistackCloud

    makers = {"aws-simulator": AwsSimulatorCloud, "ministack": MinistackCloud}
    made = makers[request.param](tmp_path_factory.mktemp(request.param), module_patch)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def kit() -> ReleaseKit:
    """The owner, who has rotated their keys once."""
    kit = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))
    kit.rotate()
    return kit


@pytest.fixture(scope="module")
def package(kit, cloud, tmp_path_factory) -> Package:
    """A release whose artifact the fleet holds."""
    package = kit.package(bytes(range(256)) * 400)
    source = tmp_path_factory.mktemp("artifact") / package.artifact.name
    source.write_bytes(package.files[package.artifact.name])
    cloud.fleet.put_artifact(package.artifact, source, lambda _: None)
    return package


_names = itertools.count(1)


@pytest.fixture
def key() -> str:
    """A stage order's key that no other test has."""
    return f"conformance-{next(_names)}"


@pytest.fixture
def devices(cloud) -> tuple[str, ...]:
    """Three devices of this test alone."""
    names = tuple(f"device-{next(_names)}" for _ in range(3))
    for name in names:
        cloud.add_device(name)
    return names


@pytest.fixture
def line(cloud) -> Iterator[Callable[[str], Channel]]:
    """Opens channels and closes them after the test."""
    opened: list[Channel] = []

    def open_channel(device: str) -> Channel:
        opened.append(cloud.channel(device))
        return opened[-1]

    yield open_channel
    for channel in opened:
        channel.close()


@pytest.fixture
def order(kit, package, key, devices) -> StageOrder:
    """The release for all three devices."""
    return StageOrder(key, package.document, kit.later_roots, devices, timeout_minutes=30, comment="first stage")
