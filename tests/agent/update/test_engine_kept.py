"""A release that the slot which does not run still holds: nothing is fetched, all of it is read back and proved."""

from __future__ import annotations

import errno

import msgspec
import pytest

from agent.bootloaders.file import image_path
from agent.slots import Slot
from agent.update.record import Boots
from bridge.release.report import Outcome, Phase
from tests.agent.device import FOLDER, SimulatedDevice, image, package
from tests.agent.power import Loss
from tests.sweep import cuts, faults
from tests.sweep.cuts import every_cut
from tests.sweep.faults import Harm, every_fault
from tests.sweep.scenarios import Scenario


def before_the_way_back() -> SimulatedDevice:
    """Release 3 runs in slot a, release 2 is still in slot b and is offered again."""
    device = SimulatedDevice.built()
    device.run(device.offer(package(2), "job-1"))
    device.run(device.offer(package(3), "job-2"))
    device.cloud.reports.clear()
    device.cloud.seen.clear()
    device.link.offsets.clear()
    device.offer(package(2), "job-3")
    return device


def unhealthy() -> SimulatedDevice:
    """The release before does not prove healthy any more."""
    device = before_the_way_back()
    device.health.verdicts = ["no route to the cloud"]
    return device


SAMPLE = 7
"""Every seventh place: it shares no divisor with the kinds of loss or harm, so that each of them comes up."""
BACK = Scenario("way back", before_the_way_back, Outcome.INSTALLED, Slot.B)
BACK_IN_VAIN = Scenario("way back in vain", unhealthy, Outcome.FELL_BACK, Slot.A)


def test_going_back_fetches_nothing():
    """The slot is checked, tried, proved and committed as ever; only the download is spared."""
    device = before_the_way_back()
    report = device.run()

    assert (report.outcome, report.slot, report.version) == (Outcome.INSTALLED, "b", "2.0.0")
    assert device.link.offsets == []
    assert device.running_image() == image(2)
    phases = list(dict.fromkeys(progress.phase for progress in device.cloud.seen))
    assert phases == [Phase.ACCEPTED, Phase.CHECKING, Phase.SWITCHING, Phase.PROVING]
    assert (device.record.expected, device.engine.status().default) == (Slot.B, Slot.B)


def test_its_boots_go_on():
    """The same bytes in the same slot: what was counted of them stays."""
    device = before_the_way_back()
    before = device.record.boots(Slot.B)
    device.run()

    assert device.record.boots(Slot.B) == Boots(before.count + 1)


def test_a_slot_that_was_changed_by_hand_is_written_anew(caplog):
    """The journal is not believed without the bytes."""
    device = before_the_way_back()
    device.kernel.spoil(image_path(FOLDER, Slot.B), 50_000)
    report = device.run()

    assert (report.outcome, report.version) == (Outcome.INSTALLED, "2.0.0")
    assert device.link.offsets == [0]
    assert device.running_image() == image(2)
    assert "slot b does not hold any more what it did, and is written anew" in caplog.text


def test_a_slot_that_cannot_be_read_is_no_slot_that_holds_it():
    """It is written and read back like any other, and the fault shows there."""
    device = before_the_way_back()
    device.kernel.faults["read b.img"] = OSError(errno.EIO, "Input/output error")
    report = device.run()

    assert report.outcome is Outcome.FAILED
    assert device.link.offsets == [0]
    assert "Input/output error" in report.detail
    assert device.record.holding(Slot.B) is None


@pytest.mark.parametrize("change", [{"committed": False}, {"health": ("other",)}, {"sequence": 1}, {"image": None}])
def test_only_what_was_committed_as_it_is_offered_counts(change):
    """Anything else in the journal, and the release is fetched."""
    device = before_the_way_back()
    held = msgspec.structs.replace(device.record.holding(Slot.B), **change)
    device.engine._journal.keep(device.record.with_holding(Slot.B, held))
    report = device.run()

    assert report.outcome is Outcome.INSTALLED
    assert device.link.offsets == [0]


def test_a_way_back_that_is_not_healthy_falls_back():
    """The slot held it all right; it does not work all the same."""
    device = unhealthy()
    report = device.run()

    assert (report.outcome, report.slot, report.version) == (Outcome.FELL_BACK, "a", "3.0.0")
    assert device.running_image() == image(3)


def test_a_withdrawal_during_the_check_stops_safely():
    """Nothing was changed: the slot still holds it, and the next offer finds it."""
    device = before_the_way_back()
    device.cloud.withdraw_at = Phase.CHECKING
    assert device.run() is None
    device.cloud.withdraw_at = ""

    assert device.run(device.offer(package(2), "job-4")).outcome is Outcome.INSTALLED
    assert device.link.offsets == []


@pytest.mark.parametrize("scenario", [BACK, BACK_IN_VAIN], ids=lambda scenario: scenario.name)
def test_no_power_cut_does_harm(scenario):
    """At writes, syncs, renames and restarts all the way, with every kind of loss."""
    sample = list(every_cut(scenario))[::SAMPLE]
    bad = [found for cut in sample if (found := cuts.run(scenario, cut)).violations]

    assert {cut.loss for cut in sample} == set(Loss)
    assert bad == []


def test_no_failing_call_does_harm():
    """Calls to the operating system fail once, or from then on, all the way."""
    sample = list(every_fault(BACK))[::SAMPLE]
    bad = [found for fault in sample if (found := faults.run(BACK, fault)).violations]

    assert {fault.harm for fault in sample} == set(Harm)
    assert bad == []
