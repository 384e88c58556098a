"""One release on one device, from the stage order to the report: the same story in every cloud."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import urllib3

from agent.cloud.channel import OfferWithdrawn
from bridge.fleet import DeviceReport
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Phase, Progress, Report
from bridge.tally import Tally
from tests.conformance.cloud import WAIT

INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
ENDS = [
    (INSTALLED, Tally(waiting=2, installed=1), None),
    (
        Report(Outcome.REJECTED, "a", "1.0.0", FailureCode.INCOMPATIBLE, "for model gateway-4"),
        Tally(waiting=2, rejected=1),
        (Outcome.REJECTED, FailureCode.INCOMPATIBLE, "for model gateway-4", "a"),
    ),
    (
        Report(Outcome.FAILED, "a", "1.0.0", FailureCode.SLOT_WRITE, "disk full"),
        Tally(waiting=2, failed=1),
        (Outcome.FAILED, FailureCode.SLOT_WRITE, "disk full", "a"),
    ),
    (
        Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.UNHEALTHY, "no network", fallbacks=3),
        Tally(waiting=2, failed=1),
        (Outcome.FELL_BACK, FailureCode.UNHEALTHY, "no network", "a"),
    ),
]


def test_an_offer_carries_the_signed_bytes_and_urls_that_work(cloud, line, order, package, devices):
    """The device gets release.json and the later roots byte for byte, and can fetch the artifact in ranges."""
    cloud.fleet.start(order)

    offer = line(devices[0]).next_offer(WAIT)

    assert (offer.release, offer.roots) == (order.release, order.roots)
    data = package.files[package.artifact.name]
    tail = urllib3.request("GET", offer.urls[package.artifact.name], headers={"Range": "bytes=10-"})
    assert (tail.status, tail.data) == (206, data[10:])


def test_a_started_stage_waits_for_its_devices(cloud, order):
    """Every device of the order is counted before any of them has connected."""
    cloud.fleet.start(order)

    assert cloud.fleet.tally(order.key) == Tally(waiting=3)


def test_no_work_is_no_offer(line, devices):
    """A device that nobody wants anything of waits, and then knows."""
    channel = line(devices[0])

    assert [channel.next_offer(0.2), channel.next_offer(0)] == [None, None]


def test_a_device_that_took_the_offer_is_running(cloud, line, order, devices):
    """The cloud sees who has begun, and signs of life change nothing about that."""
    cloud.fleet.start(order)
    channel = line(devices[0])

    channel.progress(channel.next_offer(WAIT).id, Progress(Phase.DOWNLOADING, 40))

    assert cloud.fleet.tally(order.key) == Tally(waiting=2, running=1)


def test_a_device_that_waits_for_permission_is_running(cloud, line, order, devices):
    """However long it waits, and whatever for: it has not failed."""
    cloud.fleet.start(order)
    channel = line(devices[0])
    offer = channel.next_offer(WAIT)

    for what in ("download: consent: nobody has said yes", "install: window: opens Sunday"):
        channel.progress(offer.id, Progress(Phase.WAITING, 0, what))

    assert cloud.fleet.tally(order.key) == Tally(waiting=2, running=1)
    assert channel.next_offer(WAIT).id == offer.id


@pytest.mark.parametrize("end", ENDS, ids=[end[0].outcome for end in ENDS])
def test_every_end_is_counted_and_told(cloud, line, order, devices, end):
    """The control plane reads back what the device said, word for word."""
    report, tally, told = end
    cloud.fleet.start(order)
    channel = line(devices[0])

    channel.conclude(channel.next_offer(WAIT).id, report)

    assert cloud.fleet.tally(order.key) == tally
    assert list(cloud.fleet.reports(order.key)) == ([DeviceReport(devices[0], *told)] if told else [])


def test_the_same_end_can_be_told_twice(cloud, line, order, devices):
    """An agent that lost power after its report repeats it, from a new process, and is at peace."""
    cloud.fleet.start(order)
    first = line(devices[0])
    offer = first.next_offer(WAIT)
    first.conclude(offer.id, INSTALLED)
    first.close()

    line(devices[0]).conclude(offer.id, INSTALLED)

    assert cloud.fleet.tally(order.key) == Tally(waiting=2, installed=1)


@pytest.mark.parametrize("first", [INSTALLED, Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.UNHEALTHY)])
def test_another_end_than_the_one_told_is_too_late(cloud, line, order, devices, first):
    """The first end stands; the agent learns that the offer is closed."""
    cloud.fleet.start(order)
    channel = line(devices[0])
    offer = channel.next_offer(WAIT)
    channel.conclude(offer.id, first)
    told = cloud.fleet.tally(order.key)

    with pytest.raises(OfferWithdrawn, match=offer.id):
        channel.conclude(offer.id, Report(Outcome.FAILED, "a", "1.0.0", FailureCode.DOWNLOAD))
    assert cloud.fleet.tally(order.key) == told
    assert told.ended == 1


def test_a_restarted_agent_gets_the_same_offer_again(cloud, line, order, devices):
    """Also with a report of progress in between; the offer keeps its id, so the journal finds it."""
    cloud.fleet.start(order)
    first = line(devices[0])
    before = first.next_offer(WAIT)
    first.progress(before.id, Progress(Phase.PROVING))
    first.close()

    after = line(devices[0]).next_offer(WAIT)

    assert (after.id, after.release, after.roots) == (before.id, before.release, before.roots)


def test_an_offer_is_renewed_under_its_id(cloud, line, order, package, devices):
    """Fresh URLs for the same bytes."""
    cloud.fleet.start(order)
    channel = line(devices[0])
    offer = channel.next_offer(WAIT)

    again = channel.renew(offer.id)

    assert (again.id, again.release) == (offer.id, offer.release)
    body = urllib3.request("GET", again.urls[package.artifact.name])
    assert body.data == package.files[package.artifact.name]


def test_a_waiting_device_hears_of_a_new_offer(cloud, line, order, devices):
    """It need not poll: the offer arrives while the agent waits."""
    channel = line(devices[0])
    assert channel.next_offer(0.5) is None
    begin = threading.Timer(0.3, cloud.fleet.start, (order,))
    begin.start()

    offer = channel.next_offer(WAIT)

    begin.join()
    assert offer.release == order.release


def test_offers_come_one_after_the_other(cloud, line, order, devices):
    """The second stage is offered when the first has ended, the oldest first."""
    cloud.fleet.start(order)
    cloud.fleet.start(replace(order, key=f"{order.key}-next"))
    channel = line(devices[0])
    first = channel.next_offer(WAIT)
    assert channel.next_offer(0).id == first.id
    channel.conclude(first.id, INSTALLED)

    second = channel.next_offer(WAIT)

    assert second.id != first.id
    assert cloud.fleet.tally(f"{order.key}-next") == Tally(waiting=2, running=1)


def test_foreign_work_is_rejected_and_the_queue_goes_on(cloud, line, order, devices):
    """A document of another program never reaches the agent and never blocks it."""
    cloud.offer_foreign(devices[0])
    cloud.fleet.start(order)

    offer = line(devices[0]).next_offer(WAIT)

    assert offer.release == order.release


def test_what_was_taken_back_by_force_is_withdrawn(cloud, line, order, devices):
    """Whatever the agent says next, it hears that the offer is gone; and the next question gets nothing."""
    cloud.fleet.start(order)
    channel = line(devices[0])
    offer = channel.next_offer(WAIT)
    cloud.take_back(devices[0], offer.id)

    with pytest.raises(OfferWithdrawn):
        channel.renew(offer.id)
    with pytest.raises(OfferWithdrawn):
        channel.progress(offer.id, Progress(Phase.DOWNLOADING, 50))
    with pytest.raises(OfferWithdrawn):
        channel.conclude(offer.id, INSTALLED)
    assert channel.next_offer(0.5) is None
    assert cloud.fleet.tally(order.key) == Tally(waiting=2, withdrawn=1)
