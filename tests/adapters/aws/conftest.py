"""One simulated AWS with one device, and both ends of otabridge's adapter on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.aws.cloud import AwsFleet
from adapters.aws.device import AwsChannel
from adapters.aws.mqtt import AwsSettings
from adapters.aws.settings import AwsFleetSettings
from adapters.aws.simulator.simulator import AwsSimulator
from bridge.fleet import StageOrder
from tests.releases import Package, ReleaseKit

BUCKET = "adapter-artifacts"
THING = "device-1"


@pytest.fixture(scope="session")
def kit() -> ReleaseKit:
    """An owner with one key a role."""
    return ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))


@pytest.fixture(scope="session")
def package(kit) -> Package:
    """A signed release."""
    return kit.package(bytes(range(256)) * 40)


@pytest.fixture
def simulator(tmp_path, monkeypatch) -> Iterator[AwsSimulator]:
    """AWS on loopback, where boto3's environment points."""
    with AwsSimulator(tmp_path / "simulator") as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        simulator.bucket(BUCKET)
        yield simulator


@pytest.fixture
def fleet(simulator) -> AwsFleet:
    """The fleet under test."""
    place = {"region": simulator.region, "bucket": BUCKET, "endpoint_url": simulator.endpoint_url}
    return AwsFleet("factory", AwsFleetSettings(role_arn=simulator.role_arn, settle_seconds=0, **place))


@pytest.fixture
def settings(simulator) -> dict[str, object]:
    """Settings of the one device, impatient as tests are."""
    identity = simulator.add_thing(THING)
    return {
        "endpoint": identity.mqtt_host,
        "port": identity.mqtt_port,
        "thing": THING,
        "certificate_file": str(identity.cert_file),
        "key_file": str(identity.key_file),
        "ca_file": str(identity.ca_file),
        "flow_control": False,
        "reply_seconds": 1,
        "progress_seconds": 1.0,
        "backoff_seconds": 0.02,
        "reconnect_seconds": 0.05,
        "reconnect_most_seconds": 0.2,
    }


@pytest.fixture
def channel(settings) -> Iterator[AwsChannel]:
    """The device's channel."""
    channel = AwsChannel(AwsSettings(**settings))
    yield channel
    channel.close()


@pytest.fixture
def order(package) -> StageOrder:
    """The release for the one device."""
    return StageOrder("spring/1", package.document, (), (THING,), timeout_minutes=30)


@pytest.fixture
def put(fleet, package, tmp_path) -> None:
    """The artifact is in the bucket."""
    source: Path = tmp_path / "artifact"
    source.write_bytes(package.files[package.artifact.name])
    fleet.put_artifact(package.artifact, source, lambda _: None)
