"""Orders made again: after a pause, for devices that failed, for those that joined late, and for the way back.

Each story is told for orders by name and by bucket.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from agent.cloud.channel import Channel
from bridge.fleet import DeviceReport
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Report
from bridge.rollout.model import FleetPart
from bridge.tally import Tally
from tests.conformance.cloud import WAIT
from tests.conformance.conftest import add_devices
from tests.conformance.staged import state_of

INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
FAILED = Report(Outcome.FAILED, "a", "1.0.0", FailureCode.SLOT_WRITE, "disk full")
FELL_BACK = Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.UNHEALTHY, "no network")
NOTHING = 0.3
"""Seconds after which an offer is taken for none."""


def take(channel: Channel, report: Report) -> str:
    """The device takes its offer and ends so; the offer."""
    offer = channel.next_offer(WAIT)
    channel.conclude(offer.id, report)
    return offer.id


def test_a_paused_order_is_made_again_for_the_same_devices(staged, line, devices):
    """Who had ended answers again, who was in the middle finishes once and then answers, the withdrawn one takes it."""
    first = staged.start()
    done, busy, off = (line(device) for device in devices)
    take(done, INSTALLED)
    offer = busy.next_offer(WAIT)
    staged.stop(first)
    assert staged.tally(first) == Tally(installed=1, running=1, withdrawn=1, open=False, cancelled=True)

    again = staged.begin(key=f"{first.key}-2")
    take(done, INSTALLED)
    take(off, INSTALLED)
    assert staged.tally(again) == Tally(installed=2, waiting=1)
    busy.conclude(offer.id, INSTALLED)
    staged.start(key=again.key)
    assert take(busy, INSTALLED) != offer.id

    assert staged.tally(first) == Tally(installed=2, withdrawn=1, open=False, cancelled=True)
    assert staged.tally(again).installed == 3
    staged.stop(again)
    assert staged.tally(again) == Tally(installed=3, open=False)
    assert [line(device).next_offer(NOTHING) for device in devices] == [None] * 3


def test_a_pause_tells_each_failure_once(staged, line, devices):
    """A device that failed before the pause, and again after it, failed once in each order."""
    first = staged.start()
    take(line(devices[0]), FAILED)
    staged.stop(first)
    again = staged.start(key=f"{first.key}-2")
    take(line(devices[0]), FELL_BACK)

    for order, report in ((first, FAILED), (again, FELL_BACK)):
        assert list(staged.fleet.reports(order.key)) == [told(devices[0], report)]
    assert staged.tally(first) == Tally(failed=1, withdrawn=2, open=False, cancelled=True)
    assert staged.tally(again) == Tally(failed=1, waiting=2)


def test_a_failed_device_is_tried_again_while_others_are_away(staged, line, devices):
    """One is switched off, one in the middle; both orders count the device, each once, before and after their end."""
    first = staged.start()
    failed, busy = line(devices[0]), line(devices[1])
    take(failed, FAILED)
    offer = busy.next_offer(WAIT)

    retry = staged.named(f"{first.key}-2", devices[0])
    assert staged.tally(retry) == Tally(waiting=1)
    take(failed, INSTALLED)

    assert staged.tally(first) == Tally(waiting=1, running=1, failed=1)
    assert (staged.tally(retry).installed, staged.tally(retry).total) == (1, 1)
    assert list(staged.fleet.reports(first.key)) == [told(devices[0], FAILED)]
    assert list(staged.fleet.reports(retry.key)) == []
    busy.conclude(offer.id, INSTALLED)
    staged.stop(retry)
    staged.stop(first)
    assert staged.tally(first) == Tally(installed=1, failed=1, withdrawn=1, open=False, cancelled=True)
    assert staged.tally(retry) == Tally(installed=1, open=False)
    assert list(staged.fleet.reports(first.key)) == [told(devices[0], FAILED)]


def test_a_device_may_be_tried_more_than_once(staged, line, devices):
    """Each attempt is an order of its own, while the first one waits for others."""
    first = staged.start()
    channel = line(devices[0])
    take(channel, FAILED)
    retries = []
    for number, report in enumerate((FELL_BACK, FAILED, INSTALLED)):
        retries.append(staged.named(f"{first.key}-{number + 2}", devices[0]))
        take(channel, report)

    assert [staged.tally(order).failed for order in (first, *retries)] == [1, 1, 1, 0]
    assert staged.tally(retries[-1]).installed == 1
    assert staged.tally(first) == Tally(waiting=2, failed=1)


def test_the_customers_group_survives_a_retry(cloud, staged, line, devices, key):
    """Whatever a cloud does with groups meanwhile: the customer's holds the same devices during it and afterwards."""
    cloud.add_group(f"{key}-own", devices)
    first = staged.start()
    take(line(devices[0]), FAILED)
    retry = staged.named(f"{first.key}-2", devices[0])
    part = FleetPart("factory", group=f"{key}-own")
    assert {device.id for device in staged.fleet.devices(part)} == set(devices)
    take(line(devices[0]), INSTALLED)

    staged.stop(retry)
    staged.stop(first)

    assert {device.id for device in staged.fleet.devices(part)} == set(devices)


def test_late_joiners_get_an_order_of_their_own(cloud, staged, line, devices, key):
    """While stragglers of the last stage are away; the stage's own counts are as they were."""
    first = staged.start()
    take(line(devices[0]), INSTALLED)
    (joiner,) = add_devices(cloud, 1)
    if first.buckets:
        line(joiner).state(state_of(key))

    late = staged.named(f"{first.key}-2", joiner)
    take(line(joiner), INSTALLED)

    assert (staged.tally(late).installed, staged.tally(late).total) == (1, 1)
    assert staged.tally(first) == Tally(waiting=2, installed=1)


def test_the_way_back_reaches_everybody(staged, kit, tmp_path, line, devices):
    """The previous release for who has the new one, who failed, and who never took it; and for who was in the middle,
    once it has ended.
    """
    first = staged.start()
    has, failed, busy = (line(device) for device in devices)
    take(has, INSTALLED)
    take(failed, FAILED)
    offer = busy.next_offer(WAIT)
    staged.stop(first)
    old = put(staged.fleet, kit, tmp_path)

    back = staged.begin(key=f"{first.key}-2", release=old.document)
    for channel in (has, failed):
        assert channel.next_offer(WAIT).release == old.document
        take(channel, INSTALLED)
    busy.conclude(offer.id, INSTALLED)
    staged.start(key=back.key, release=old.document)
    take(busy, INSTALLED)

    assert staged.tally(back).installed == 3
    assert staged.tally(first) == Tally(installed=2, failed=1, open=False, cancelled=True)
    assert list(staged.fleet.reports(first.key)) == [told(devices[1], FAILED)]


def test_the_way_back_reaches_who_never_took_it(staged, kit, tmp_path, line, devices):
    """A device that was switched off gets the previous release, and the new one never."""
    first = staged.start()
    staged.stop(first)
    old = put(staged.fleet, kit, tmp_path)

    back = staged.start(key=f"{first.key}-2", release=old.document)

    assert line(devices[2]).next_offer(WAIT).release == old.document
    assert staged.tally(back) == Tally(waiting=2, running=1)
    assert staged.tally(first) == Tally(withdrawn=3, open=False, cancelled=True)


@pytest.mark.parametrize("counted", [1, 9])
@pytest.mark.parametrize("staged", ["buckets"], indirect=True)
def test_an_order_by_bucket_is_for_the_devices_that_there_are(staged, line, devices, counted):
    """Fewer or more than the plan counted: the tally adds up to those that were found."""
    order = staged.start(size=counted)
    take(line(devices[0]), INSTALLED)

    assert staged.tally(order) == Tally(waiting=2, installed=1)


def test_stopping_is_done_once(staged, line, devices):
    """Again, also by a controller that restarted, and of an order that nobody knows, is nothing."""
    order = staged.start()
    take(line(devices[0]), INSTALLED)
    for _ in range(3):
        staged.stop(order)
    staged.stop(replace(order, key=f"{order.key}-unknown"))

    assert staged.tally(order) == Tally(installed=1, withdrawn=2, open=False, cancelled=True)
    assert staged.fleet.tally(f"{order.key}-unknown") is None
    staged.start()
    assert line(devices[1]).next_offer(NOTHING) is None


def told(device: str, report: Report) -> DeviceReport:
    """What the control plane reads back of `report`."""
    return DeviceReport(device, report.outcome, report.code, report.detail, report.slot)


def put(fleet, kit, folder):
    """A previous release, whose artifact the fleet holds; of a version that no account has seen."""
    package = kit.package(secrets.token_bytes(3000), version=f"1.0.{secrets.randbelow(1 << 31)}", sequence=1)
    source = folder / "previous"
    source.write_bytes(package.files[package.artifact.name])
    fleet.put_artifact(package.artifact, source, lambda _: None)
    return package
