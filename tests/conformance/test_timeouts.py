"""Devices that begin and fall silent: the cloud's clock ends their attempt, and they may be tried again."""

from __future__ import annotations

import pytest

from bridge.release.report import Outcome, Report
from bridge.tally import Tally
from tests.conformance.cloud import SIMULATED, WAIT
from tests.conformance.staged import eventually

CLOUDS = SIMULATED
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
MINUTES = 2


@pytest.fixture
def silent(cloud, staged, line, devices):
    """An order whose first device began, and said nothing for longer than it may."""
    order = staged.start(timeout_minutes=MINUTES)
    line(devices[0]).next_offer(WAIT)
    assert staged.tally(order) == Tally(waiting=2, running=1)
    for _ in range(MINUTES + 1):
        cloud.pass_minute()
    eventually(lambda: staged.tally(order).timed_out == 1)
    return order


def test_a_silent_device_is_timed_out_and_named(staged, silent, devices):
    """Nobody knows how it ended."""
    assert staged.tally(silent) == Tally(waiting=2, timed_out=1)
    (report,) = staged.fleet.reports(silent.key)
    assert (report.device, report.outcome, report.code) == (devices[0], None, None)


def test_a_silent_device_is_tried_again(staged, silent, line, devices):
    """While others of its order are away; for that order it stays timed out, once, whatever it says later."""
    retry = staged.named(f"{silent.key}-2", devices[0], timeout_minutes=MINUTES)
    channel = line(devices[0])
    channel.conclude(channel.next_offer(WAIT).id, INSTALLED)

    assert (staged.tally(retry).installed, staged.tally(retry).total) == (1, 1)
    assert staged.tally(silent) == Tally(waiting=2, timed_out=1)
    assert [report.device for report in staged.fleet.reports(silent.key)] == [devices[0]]


def test_a_silent_device_keeps_no_order_open(staged, silent, line, devices):
    """The order can be stopped, and made again for all."""
    staged.stop(silent)
    again = staged.start(key=f"{silent.key}-2")

    for device in devices:
        channel = line(device)
        channel.conclude(channel.next_offer(WAIT).id, INSTALLED)
    assert staged.tally(silent) == Tally(timed_out=1, withdrawn=2, open=False, cancelled=True)
    assert staged.tally(again).installed == len(devices)
