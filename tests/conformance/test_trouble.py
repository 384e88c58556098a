"""One device on a bad line: whatever is lost, late or repeated, the offer arrives once and its end is told truly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.cloud.channel import OfferWithdrawn
from bridge.fleet import DeviceReport
from bridge.release.errors import ChannelError, FailureCode
from bridge.release.report import Outcome, Phase, Progress, Report
from bridge.tally import Tally
from tests.conformance.cloud import SIMULATED, WAIT, Trouble

CLOUDS = SIMULATED

TRIES = 20
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
FAILED = Report(Outcome.FAILED, "a", "1.0.0", FailureCode.SLOT_WRITE, "disk full")
ON_OFFER = [Trouble.OFFER_LOST, Trouble.OFFER_DROPPED, Trouble.OFFER_THROTTLED]
ON_REPORT = [Trouble.REPORT_UNHEARD, Trouble.REPORT_LOST, Trouble.REPORT_DROPPED, Trouble.REPORT_THROTTLED]


def patiently(act):
    """`act` as the agent's service does it: again after each error that may pass."""
    for _ in range(TRIES):
        try:
            return act()
        except ChannelError as error:
            if not error.retryable:
                raise
    raise AssertionError("the line never recovered")


@pytest.mark.parametrize("trouble", ON_OFFER)
def test_an_offer_arrives_over_a_bad_line(cloud, line, order, devices, trouble):
    """Asked again until it is there; the cloud counts one device that runs, once."""
    cloud.fleet.start(order)
    cloud.disturb(trouble, devices[0], times=2)
    channel = line(devices[0])

    offer = patiently(lambda: channel.next_offer(WAIT))

    assert offer.release == order.release
    assert cloud.fleet.tally(order.key) == Tally(waiting=2, running=1)


@pytest.mark.parametrize("report", [INSTALLED, FAILED], ids=["installed", "failed"])
@pytest.mark.parametrize("trouble", ON_REPORT)
def test_a_report_arrives_over_a_bad_line(cloud, line, order, trouble, report):
    """Told again until the cloud holds it, and never as something else."""
    cloud.fleet.start(order)
    channel = line(order.devices[0])
    offer = channel.next_offer(WAIT)
    cloud.disturb(trouble, order.devices[0], times=2)

    patiently(lambda: channel.conclude(offer.id, report))

    tally = cloud.fleet.tally(order.key)
    assert (tally.installed, tally.failed) == ((1, 0) if report is INSTALLED else (0, 1))
    told = (
        [] if report is INSTALLED else [DeviceReport(order.devices[0], Outcome.FAILED, report.code, "disk full", "a")]
    )
    assert list(cloud.fleet.reports(order.key)) == told


def test_an_offer_that_is_delivered_twice_is_one(cloud, line, order, devices):
    """After its end nothing is offered again."""
    channel = line(devices[0])
    assert channel.next_offer(0.2) is None
    cloud.disturb(Trouble.OFFER_TWICE, devices[0])
    cloud.fleet.start(order)
    offer = channel.next_offer(WAIT)

    assert channel.next_offer(0).id == offer.id
    channel.conclude(offer.id, INSTALLED)

    assert channel.next_offer(0.5) is None
    assert cloud.fleet.tally(order.key) == Tally(waiting=2, installed=1)


@pytest.mark.parametrize("step", range(6))
def test_the_link_may_drop_at_every_step(cloud, line, order, devices, step):
    """Whichever message it takes with it."""
    cloud.fleet.start(order)
    cloud.disturb(Trouble.ANY_DROPPED, devices[0], skip=step)
    channel = line(devices[0])

    offer = patiently(lambda: channel.next_offer(WAIT))
    channel.progress(offer.id, Progress(Phase.DOWNLOADING, 50))
    channel.progress(offer.id, Progress(Phase.PROVING))
    patiently(lambda: channel.conclude(offer.id, INSTALLED))

    assert patiently(lambda: channel.next_offer(0.2)) is None
    assert cloud.fleet.tally(order.key) == Tally(waiting=2, installed=1)


def test_the_agent_may_restart_at_every_step(cloud, line, order, devices):
    """Each word is said by a process of its own; it is one offer all the way."""
    cloud.fleet.start(order)
    ids = []
    for phase in Phase:
        channel = line(devices[0])
        offer = channel.next_offer(WAIT)
        channel.progress(offer.id, Progress(phase))
        ids.append(offer.id)
        channel.close()

    line(devices[0]).conclude(ids[0], INSTALLED)

    assert set(ids) == {ids[0]}
    assert line(devices[0]).next_offer(0.5) is None
    assert cloud.fleet.tally(order.key) == Tally(waiting=2, installed=1)


def test_an_offer_that_was_stopped_before_it_was_taken_is_gone(cloud, line, order, devices):
    """A device that was switched off meanwhile gets nothing when it comes back."""
    cloud.fleet.start(order)
    cloud.fleet.stop(order.key, "changed our mind")

    assert line(devices[0]).next_offer(0.5) is None
    assert cloud.fleet.tally(order.key) == Tally(withdrawn=3, open=False, cancelled=True)


def test_a_stop_after_the_end_changes_no_end(cloud, line, order, devices):
    """What was installed stays installed, for the fleet and for the device."""
    cloud.fleet.start(order)
    channel = line(devices[0])
    offer = channel.next_offer(WAIT)
    channel.conclude(offer.id, INSTALLED)

    cloud.fleet.stop(order.key, "enough")

    assert cloud.fleet.tally(order.key) == Tally(installed=1, withdrawn=2, open=False, cancelled=True)
    assert line(devices[0]).next_offer(0.5) is None


def test_a_newer_release_replaces_the_one_that_is_being_installed(cloud, line, kit, order, devices):
    """The device hears that its offer is gone, and gets the newer one."""
    cloud.fleet.start(order)
    channel = line(devices[0])
    offer = channel.next_offer(WAIT)
    newer = kit.package(b"newer image" * 99, version="9.0.0", sequence=9)

    cloud.offer(devices[0], newer)

    with pytest.raises(OfferWithdrawn):
        channel.renew(offer.id)
    with pytest.raises(OfferWithdrawn):
        channel.conclude(offer.id, INSTALLED)
    again = patiently(lambda: channel.next_offer(WAIT))
    assert again.id != offer.id
    assert again.release == newer.document


def test_the_next_stage_order_of_a_device_comes_after_the_first(cloud, line, order, devices):
    """However the cloud brings it about: no device is ever asked to install two things at once."""
    cloud.fleet.start(order)
    channel = line(devices[0])
    first = channel.next_offer(WAIT)
    channel.conclude(first.id, INSTALLED)
    cloud.fleet.stop(order.key, "complete")

    following = replace(order, key=f"{order.key}-next", devices=devices[:1])
    cloud.fleet.start(following)

    second = patiently(lambda: channel.next_offer(WAIT))
    assert second.id != first.id
    assert cloud.fleet.tally(following.key) == Tally(running=1)
