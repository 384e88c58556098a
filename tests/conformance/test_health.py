"""How updated devices fare, counted by the cloud over what the devices themselves report."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from bridge.fleet import FleetError
from bridge.release.report import Outcome, Report
from tests.conformance.cloud import SIMULATED, WAIT
from tests.conformance.conftest import add_devices
from tests.conformance.staged import Staged, state_of
from tests.releases import Package

CLOUDS = SIMULATED
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")


@pytest.fixture
def package(kit, cloud, tmp_path) -> Package:
    """A release whose sequence no other test has."""
    sequence = 1000 + secrets.randbelow(1 << 30)
    package = kit.package(secrets.token_bytes(2000), version=f"3.0.{sequence}", sequence=sequence)
    source = tmp_path / "artifact"
    source.write_bytes(package.files[package.artifact.name])
    cloud.fleet.put_artifact(package.artifact, source, lambda _: None)
    return package


@pytest.fixture
def tell(line, key, package) -> Callable[..., None]:
    """A device says what it is: of the model `key`, or another one."""

    def tell(device, *, new=False, model=key, resets=0):
        line(device).state(state_of(model, package.release.sequence if new else 1, resets))

    return tell


@pytest.fixture
def updated(staged, package, line, devices, tell) -> Staged:
    """Two of three devices have the release, and say so; the third runs the old one."""
    staged.start(release=package.document)
    for device in devices[:2]:
        channel = line(device)
        channel.conclude(channel.next_offer(WAIT).id, INSTALLED)
        tell(device, new=True)
    tell(devices[2])
    return staged


def test_updated_devices_are_counted_under_a_condition(cloud, updated, tell, devices, key):
    """Of those that have the release and of those that no order has reached, each with how many meet it."""
    (outside,) = add_devices(cloud, 1)
    tell(devices[0], new=True, model=f"{key}-hot")
    tell(outside, model=f"{key}-hot")

    found = updated.fleet.health([updated.order.key], cloud.condition("model", f"{key}-hot"))

    assert (found.updated_bad, found.updated, found.others_bad) == (1, 2, 1)
    assert found.others >= 1


def test_counts_outlive_the_order(cloud, updated, key):
    """A rollout looks back at stages that are over."""
    updated.stop(updated.order)

    found = updated.fleet.health([updated.order.key], cloud.condition("model", key))

    assert (found.updated_bad, found.updated) == (2, 2)


def test_resets_by_a_watchdog_are_counted(updated, tell, devices):
    """Of devices that have the release; each once, however often it was reset."""
    assert updated.fleet.watchdog_resets([updated.order.key]) == 0
    tell(devices[0], new=True, resets=3)
    tell(devices[2], resets=7)

    assert updated.fleet.watchdog_resets([updated.order.key]) == 1


def test_before_the_first_order_nobody_has_the_release(cloud, updated, key):
    """The others are there to compare with."""
    found = updated.fleet.health((), cloud.condition("model", key))

    assert (found.updated_bad, found.updated) == (0, 0)
    assert found.others_bad == 3
    assert updated.fleet.watchdog_resets(()) == 0


@pytest.mark.parametrize("condition", ["", "(", "a = = b ' ("])
def test_a_condition_that_is_none_is_named(updated, condition):
    """Before a rollout depends on it."""
    with pytest.raises(FleetError, match="condition"):
        updated.fleet.health([updated.order.key], condition)
