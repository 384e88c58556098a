"""Jobs and deployments that somebody made without otabridge: watched, and stopped, as if they were ours."""

from __future__ import annotations

import pytest

from bridge.fleet import FleetError
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Report
from tests.conformance.cloud import SIMULATED, WAIT
from tests.conformance.staged import eventually

CLOUDS = SIMULATED
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
FAILED = Report(Outcome.FAILED, "a", "1.0.0", FailureCode.SLOT_WRITE, "disk full")
NOTHING = 0.3


@pytest.fixture
def adopted(cloud, devices, package):
    """What one of the devices is offered by hand."""
    return cloud.fleet.adopt(cloud.native(cloud.offer(devices[0], package)))


def test_its_device_is_counted(cloud, adopted, line, devices):
    """Waiting or running until it has ended, and then installed."""
    channel = line(devices[0])
    offer = channel.next_offer(WAIT)
    assert (cloud.fleet.tally(adopted.key).ended, cloud.fleet.tally(adopted.key).total) == (0, 1)
    assert list(cloud.fleet.reports(adopted.key)) == []

    channel.conclude(offer.id, INSTALLED)

    eventually(lambda: cloud.fleet.tally(adopted.key).installed == 1)
    assert cloud.fleet.tally(adopted.key).total == 1


def test_its_failures_are_told(cloud, adopted, line, devices):
    """By device; how much of the reason a cloud keeps is its own affair."""
    channel = line(devices[0])
    channel.conclude(channel.next_offer(WAIT).id, FAILED)

    eventually(lambda: cloud.fleet.tally(adopted.key).failed == 1)
    (report,) = cloud.fleet.reports(adopted.key)
    assert (report.device, report.outcome) == (devices[0], Outcome.FAILED)


def test_it_is_stopped_like_any_other(cloud, adopted, line, devices):
    """Nobody is offered it any more; stopping again is nothing."""
    for _ in range(2):
        cloud.fleet.stop(adopted.key, "ours now")

    eventually(lambda: not cloud.fleet.tally(adopted.key).open)
    assert line(devices[0]).next_offer(NOTHING) is None


def test_adopting_again_is_the_same(cloud, adopted):
    """Under the same key, for ever."""
    again = cloud.fleet.adopt(adopted.native)

    assert (again.key, again.native, again.created) == (adopted.key, adopted.native, adopted.created)


def test_what_is_not_there_cannot_be_adopted(cloud, key):
    """The message names it."""
    with pytest.raises(FleetError, match=f"nobody-{key}"):
        cloud.fleet.adopt(cloud.native(f"nobody-{key}"))
