"""A release that falls back again and again: tried a few times, then refused until a newer one or a person comes."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import msgspec
import pytest

from agent.slots import Slot
from agent.update.journal import VERSION
from agent.update.quarantine import MAX_FAILURES, with_failure
from agent.update.record import Holding, Record
from bridge.release.errors import FailureCode
from bridge.release.image import Image
from bridge.release.report import Outcome
from tests.agent.device import SLOT_BYTES, SimulatedDevice, image, installed, kit, package
from tests.releases import EXPIRES, Package

UNHEALTHY = "the modem does not come up"


def tried(device: SimulatedDevice, packed: Package, job: str):
    """What came of `packed`, offered as `job`."""
    return device.run(device.offer(packed, job))


def fell_back(times: int, verdict: str | None = UNHEALTHY) -> SimulatedDevice:
    """A device on which release 2 has fallen back so often, each time under another job."""
    device = SimulatedDevice.built()
    device.health.verdicts = [verdict]
    for number in range(times):
        assert tried(device, package(2), f"job-{number}").outcome is Outcome.FELL_BACK
    return device


def test_a_release_that_keeps_falling_back_is_refused_without_a_download():
    """The fourth job brings a refusal of its own number: not one byte is fetched, and nothing restarts."""
    device = fell_back(3)
    fetched, restarts = device.link.served, device.reboots
    report = tried(device, package(2), "job-4")

    assert (report.outcome, report.code, report.slot) == (Outcome.REJECTED, FailureCode.QUARANTINED, "a")
    assert report.detail == (
        "release gateway-os 2.0.0 is in quarantine: it fell back here 3 times, last because the modem does not come "
        "up; publish a newer one, or mend the device and run `otabridge-agent lift`"
    )
    assert (device.link.served, device.reboots) == (fetched, restarts)


def test_the_quarantine_outlives_restarts():
    """It is in the journal, as the fallbacks are."""
    device = fell_back(3)
    device.kernel.settle()
    device.power_up()

    assert tried(device, package(2), "job-4").code is FailureCode.QUARANTINED
    status = device.engine.status()
    assert [(each.version, each.count, each.detail) for each in status.quarantined] == [("2.0.0", 3, UNHEALTHY)]


def test_the_same_release_signed_anew_begins_no_new_count():
    """Another expiry, another release.json: what would come into the slot is what fell back three times."""
    device = fell_back(3)
    anew = package(2, expires=EXPIRES + timedelta(days=30))
    assert anew.document != package(2).document

    assert tried(device, anew, "job-4").code is FailureCode.QUARANTINED


def test_a_newer_release_is_tried():
    """It is another one; and what is held against the old one stays."""
    device = fell_back(3)
    device.health.verdicts = [None]

    assert tried(device, package(3), "job-4") == installed("b", "3.0.0", fallbacks=3)
    assert tried(device, package(2), "job-5").code is FailureCode.QUARANTINED


def test_a_person_lifts_it():
    """The device was mended: the release is tried again, also under the very job that was refused."""
    device = fell_back(3)
    assert tried(device, package(2), "job-4").code is FailureCode.QUARANTINED
    lifted = device.engine.lift()
    device.health.verdicts = [None]

    assert [(each.release, each.version, each.count) for each in lifted] == [("gateway-os", "2.0.0", 3)]
    assert tried(device, package(2), "job-4") == installed("b", "2.0.0", fallbacks=3)
    assert device.engine.status().failures == ()


def test_a_commit_ends_the_count():
    """Two bad trials and a good one: what fell back then was not the release."""
    device = fell_back(2)
    device.health.verdicts = [None]
    assert tried(device, package(2), "job-3").outcome is Outcome.INSTALLED

    assert device.record.failures == ()


def test_a_release_that_does_not_even_boot_is_counted():
    """The boot loader gives it up each time."""
    device = SimulatedDevice.built(dead={Slot.B})
    for number in range(3):
        assert tried(device, package(2), f"job-{number}").code is FailureCode.FELL_BACK

    assert tried(device, package(2), "job-4").code is FailureCode.QUARANTINED


def test_a_release_that_is_left_after_its_commit_is_counted():
    """It was proved, and died later: the boot loader left it."""
    device = SimulatedDevice.built()
    assert tried(device, package(2), "job-1").outcome is Outcome.INSTALLED
    device.dead = {Slot.B}
    device.kernel.settle()
    device.power_up()
    device.run()

    assert [(each.version, each.count) for each in device.record.failures] == [("2.0.0", 1)]


def test_failures_before_the_switch_are_not_counted():
    """The release was never tried: a slot that cannot be written says nothing of it."""
    device = SimulatedDevice.built()
    oversized = kit().package(image(2, SLOT_BYTES + 1), version="2.0.0", sequence=2)
    for number in range(4):
        assert tried(device, oversized, f"job-{number}").code is FailureCode.TOO_LARGE

    assert device.record.failures == ()


def test_the_count_survives_a_newer_agents_journal():
    """A release whose agent writes a journal that ours cannot read falls back each time: counted nevertheless."""
    device = SimulatedDevice.built()
    device.offer(package(2))
    device.work()
    document = msgspec.json.encode(device.record)
    digest = hashlib.sha256(b"%d 1000\n%s" % (VERSION + 1, document)).hexdigest().encode()
    device.write_journal(b"otabridge-journal %d 1000 %s\n%s" % (VERSION + 1, digest, document))
    device.boots.mark_unbootable(Slot.B)
    device.kernel.settle()
    device.power_up()
    device.run()

    assert [(each.version, each.count) for each in device.record.failures] == [("2.0.0", 1)]


@pytest.mark.parametrize("count", [MAX_FAILURES - 1, MAX_FAILURES, MAX_FAILURES + 5])
def test_few_releases_are_remembered(count):
    """The journal stays small; the one that fell back longest ago is forgotten."""
    record = Record()
    for number in range(count):
        goal = Holding("gateway", f"{number}.0.0", number, image=Image(length=1, sha256=f"{number:064x}"))
        record = with_failure(record, goal, "x" * 1000)

    assert [each.sequence for each in record.failures] == list(range(max(0, count - MAX_FAILURES), count))
    assert len(record.failures[-1].detail) == 200
