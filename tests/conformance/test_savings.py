"""What deltas saved: told by each device, added up by the cloud."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

import pytest

from bridge.fleet import Savings
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Report
from bridge.release.savings import most_saved
from tests.conformance.cloud import SIMULATED, WAIT
from tests.conformance.staged import Staged, eventually, state_of
from tests.releases import MODEL, Package

CLOUDS = SIMULATED


@pytest.fixture
def package(kit, cloud, tmp_path) -> Package:
    """A release with a delta, whose sequence no other test has."""
    image, sequence = secrets.token_bytes(40_000), 1000 + secrets.randbelow(1 << 30)
    package = kit.package(image, sources=[image[:-1]], version=f"4.0.{sequence}", sequence=sequence)
    for artifact in package.release.artifacts:
        source = tmp_path / artifact.name
        source.write_bytes(package.files[artifact.name])
        cloud.fleet.put_artifact(artifact, source, lambda _: None)
    return package


@pytest.fixture
def tell(line, package) -> Callable[..., None]:
    """A device says which release it runs, and what it saved."""

    def tell(device, saved, *, sequence=package.release.sequence):
        line(device).state(replace(state_of(MODEL, sequence), saved=saved))

    return tell


@pytest.fixture
def updated(staged, package, line, devices, tell) -> Staged:
    """Three devices have the release: one by the delta, one in full, one by the delta until it fell back."""
    staged.start(release=package.document)
    most = most_saved(package.release)
    for device, saved in zip(devices, (most, 0, most), strict=True):
        channel = line(device)
        taken = (package.delta if saved else package.artifact).name
        channel.conclude(channel.next_offer(WAIT).id, Report(Outcome.INSTALLED, "b", "4", artifact=taken, saved=saved))
        tell(device, saved)
    tell(devices[2], most, sequence=1)
    return staged


def test_savings_are_summed(updated, package, devices, tell):
    """Of the devices that run the release; also once the order is over. A device that lies is left out."""
    release, keys = package.release, [updated.order.key]
    most = most_saved(release)
    assert updated.fleet.saved(keys, release) == Savings(1, most)

    tell(devices[1], most - 1)
    assert updated.fleet.saved(keys, release) == Savings(2, 2 * most - 1)

    tell(devices[0], most + 1)
    updated.stop(updated.order)
    assert updated.fleet.saved(keys, release) == Savings(1, most - 1)


def test_a_report_says_what_was_taken(staged, package, line, devices):
    """As a person sees it of a device that failed."""
    staged.start(release=package.document)
    channel = line(devices[0])
    failed = Report(Outcome.FAILED, "a", "1.0.0", FailureCode.DOWNLOAD, "gave up", 0, "delta.bin", 3700)

    channel.conclude(channel.next_offer(WAIT).id, failed)

    eventually(lambda: list(staged.fleet.reports(staged.order.key)))
    (report,) = staged.fleet.reports(staged.order.key)
    assert (report.device, report.artifact, report.saved) == (devices[0], "delta.bin", 3700)
