"""What the engine remembers across agents, clocks, clouds and people, and how it copes where it cannot."""

from __future__ import annotations

import errno
import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from agent.ports import Concluded, Idle, Rebooting
from agent.slots import BootEnvironmentError, Slot
from agent.update.context import Limits
from agent.update.journal import VERSION, _digest, render
from agent.update.machine import State
from agent.update.record import Record, Update
from bridge.release.errors import ChannelError, DownloadError, FailureCode, SlotError
from bridge.release.report import Outcome, Report
from tests.agent.device import JOURNAL_COPIES, SimulatedDevice, image, installed, kit, package
from tests.releases import EXPIRES, NOW

FOLDER_OFFER = "folder:0123456789abcdef"


def newer(record: Record) -> bytes:
    """`record` as an agent of the next version might write it: with states and fields of its own."""
    fields = {**msgspec.to_builtins(record), "state": "levitating", "mood": "good"}
    document = msgspec.json.encode(fields)
    return b"otabridge-journal %d 99 %s\n%s" % (VERSION + 1, _digest(VERSION + 1, 99, document), document)


def in_trial(**fields) -> SimulatedDevice:
    """A device that runs slot b on trial, its agent just started."""
    device = SimulatedDevice.built(**fields)
    device.offer(package(2))
    assert device.work() == Rebooting()
    device.kernel.settle()
    device.power_up()
    return device


def restart(device: SimulatedDevice) -> None:
    """An orderly restart of the machine."""
    device.kernel.settle()
    device.power_up()


def test_an_older_agent_on_trial_leaves_the_journal_to_the_newer_one():
    """It cannot prove what it cannot read: back to the slot whose agent can, which then tells the end."""
    device = in_trial()
    before = device.record
    device.write_journal(newer(before))
    device.start_agent()
    untouched = [device.kernel.content(path) for path in JOURNAL_COPIES]

    step = device.work()

    assert step == Rebooting()
    assert device.boots.trial() is None
    assert [device.kernel.content(path) for path in JOURNAL_COPIES] == untouched
    device.write_journal(render(before))  # the newer agent, in the old slot again, reads it
    restart(device)
    report = device.run()
    assert (report.outcome, report.slot, report.code) == (Outcome.FELL_BACK, "a", FailureCode.FELL_BACK)


def test_an_older_agent_after_a_fallback_keeps_floor_roots_and_the_end_of_the_offer():
    """The newer agent wrote in its trial boot and the boot loader fell back: the offer ends, not to begin again."""
    device = in_trial()
    lasting = msgspec.structs.replace(device.record, floor=2, fallbacks=4, seen=NOW)
    device.write_journal(newer(lasting))
    device.boots.mark_unbootable(Slot.B)
    restart(device)
    written = [device.kernel.content(path) for path in JOURNAL_COPIES]
    trouble = device.engine.status().trouble
    served = device.link.served

    report = device.run()

    detail = "slot a runs again, whose agent cannot read the journal of the newer one"
    assert "a newer agent wrote it" in trouble
    assert report == Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.FELL_BACK, detail, fallbacks=5)
    assert device.cloud.reports == [("job-1", report)]
    assert [device.kernel.content(path.with_name(f"{path.name}.unusable")) for path in JOURNAL_COPIES] == written
    assert (device.engine.status().floor, device.record.seen, device.link.served) == (2, NOW, served)
    refused = device.run(device.offer(package(1), "job-2"))
    assert refused.code is FailureCode.ROLLED_BACK


def test_a_person_commits_a_trial_whose_journal_is_a_newer_agents():
    """The person knows better than the fallback that an older agent would take it for."""
    device = in_trial()
    device.write_journal(newer(device.record))
    device.cloud.offer = None
    device.start_agent()

    assert device.engine.commit() == Idle()
    assert device.work() == Idle()
    assert (device.boots.default(), device.cloud.reports) == (Slot.B, [])


def test_one_spoiled_copy_of_the_journal_costs_nothing():
    """In the trial boot the other copy, one step older, leads to the same end."""
    for number in range(2):
        device = in_trial()
        device.kernel.spoil(JOURNAL_COPIES[number], 120)
        device.start_agent()

        assert device.run() == installed("b", "2.0.0")


def test_a_clock_that_was_set_back_revives_no_expired_release():
    """Time is never earlier than when a release was last accepted."""
    device = SimulatedDevice.built()
    device.run(device.offer(package(2)))
    old = kit().package(image(3), version="3.0.0", sequence=3, expires=NOW - timedelta(days=1))
    device.now = datetime(1970, 1, 1, tzinfo=UTC)

    report = device.run(device.offer(old, "job-2"))

    assert (report.outcome, report.code) == (Outcome.REJECTED, FailureCode.EXPIRED)
    assert device.run(device.offer(package(3), "job-3")).outcome is Outcome.INSTALLED


def test_a_clock_far_ahead_is_not_remembered():
    """What expires by a wrong clock is refused, and nothing is learnt of it: with the right time all is well again."""
    device = SimulatedDevice.built(now=EXPIRES + timedelta(days=9999))
    refused = device.run(device.offer(package(2)))
    device.now = NOW

    report = device.run(device.offer(package(2), "job-2"))

    assert refused.code is FailureCode.EXPIRED
    assert report.outcome is Outcome.INSTALLED
    assert device.record.seen == NOW


def test_a_device_without_a_clock_takes_its_first_release():
    """1970 is before every expiry."""
    device = SimulatedDevice.built(now=datetime(1970, 1, 1, tzinfo=UTC))

    assert device.run(device.offer(package(2))).outcome is Outcome.INSTALLED


def test_the_status_shows_what_runs_on_trial():
    """Until the commit the version is that of the trial, afterwards that of the slot."""
    device = in_trial()
    on_trial = device.engine.status()
    device.run()

    assert (on_trial.version, on_trial.booted, on_trial.expected) == ("2.0.0", Slot.B, Slot.A)
    assert device.engine.status().version == "2.0.0"


def test_a_person_with_a_folder_does_not_wait_for_the_cloud():
    """An end that the cloud has not heard of is kept, and told in its turn when the cloud can be reached."""
    device = in_trial()
    device.cloud.refusals = [ChannelError("offline")] * 3
    undelivered = device.work()
    third = device.offer(package(3), FOLDER_OFFER)

    step = device.engine.install(device.cloud, third)
    unsent = device.engine.status().unsent
    restart(device)
    device.cloud.refusals = []
    ends = [device.work(), device.work()]

    first = installed("b", "2.0.0")
    second = installed("a", "3.0.0")
    assert undelivered == Concluded(first, delivered=False)
    assert (step, unsent) == (Rebooting(), 1)
    assert ends == [Concluded(second, delivered=True), Concluded(first, delivered=True)]
    assert device.cloud.reports == [(FOLDER_OFFER, second), ("job-1", first)]
    assert device.engine.status().unsent == 0


def test_a_new_attempt_of_a_job_goes_on_at_the_mark():
    """The cloud counts its attempts; the bytes in the slot are the same release's, also after a link that gave up."""
    device = SimulatedDevice.built()
    device.link.fault_after = 60_000
    device.link.faults = [DownloadError("the server stopped answering")]
    first = device.run(device.offer(package(2), "job-1"))

    second = device.run(device.offer(package(2), "job-1#2"))

    assert (first.outcome, second.outcome) == (Outcome.FAILED, Outcome.INSTALLED)
    assert device.link.offsets[1] > 32_000
    assert [name for name, _ in device.cloud.reports] == ["job-1", "job-1#2"]


def test_bytes_that_were_not_those_signed_are_not_gone_on_from():
    """Only a fault of the link leaves something worth keeping."""
    device = SimulatedDevice.built()
    offer = device.offer(package(2))
    device.kernel.faults["sync b.img"] = OSError(errno.EIO, "Input/output error")
    device.run(offer)
    device.kernel.faults.clear()

    device.run(device.offer(package(2), "job-1#2"))

    assert device.link.offsets == [0, 0]


def test_a_slow_link_is_marked_by_time():
    """A device that is only on for minutes gets through, however few bytes it fetches in one go."""
    device = SimulatedDevice.built()
    device.limits = Limits(10**9, checkpoint_seconds=0.0, strikes=8)
    device.start_agent()
    device.link.fault_after = 60_000
    device.link.faults = [ChannelError("the broker is gone")]
    device.offer(package(2))
    device.work()

    device.run()

    assert device.link.offsets[1] > 32_000


def test_a_commit_that_was_made_and_told_as_failed_counts():
    """The boot loader has made the slot the default: it is made sure of, and the end is told as it is."""
    device = in_trial()
    commit, calls = device.boots.commit, []

    def stumble(slot: Slot) -> None:
        commit(slot)
        calls.append(slot)
        if len(calls) == 1:
            raise BootEnvironmentError("Input/output error")

    device.boots.commit = stumble

    assert device.run() == installed("b", "2.0.0")
    assert calls == [Slot.B, Slot.B]


def test_a_commit_that_is_made_and_never_said_so_is_told_as_it_is():
    """There is no way back from a default slot: the report names the slot and version that run, and what went wrong."""
    device = in_trial()
    commit = device.boots.commit

    def stumble(slot: Slot) -> None:
        commit(slot)
        raise BootEnvironmentError("Input/output error")

    device.boots.commit = stumble
    report = device.run()

    assert (report.outcome, report.slot, report.version) == (Outcome.FAILED, "b", "2.0.0")
    assert report.detail == "slot b is the default already: Input/output error"
    assert device.work() == Idle()
    assert device.engine.status().version == "2.0.0"


def test_a_restart_that_is_refused_is_asked_for_again():
    """An unhealthy slot is left at last, and the report is about the slot that runs then."""
    device = in_trial()
    device.health.verdicts = ["no route"]
    reboot, refusals = device.reboot, [SlotError("systemctl is busy")]

    def stumble() -> None:
        if refusals:
            raise refusals.pop()
        reboot()

    device.reboot = stumble
    first = device.work()
    device.start_agent()

    assert first == Rebooting()
    report = device.run()
    assert (report.outcome, report.slot, report.detail) == (Outcome.FELL_BACK, "a", "no route")


def test_a_trial_whose_journal_can_be_neither_read_nor_written_is_left():
    """A medium that died under the state directory must not keep the device in a slot that nobody proves."""
    device = in_trial()
    device.spoil_journal()
    device.kernel.faults["write journal"] = OSError(errno.EROFS, "Read-only file system")
    device.start_agent()

    assert device.work() == Rebooting()
    restart(device)
    assert device.booted is Slot.A


@pytest.mark.parametrize("state", [State.WRITING, State.CHECKING])
def test_a_late_fallback_in_the_middle_of_the_next_update_is_told(state):
    """The slot that was left is the truth that matters; the update that was under way begins again with its offer."""
    device = SimulatedDevice.built()
    device.run(device.offer(package(2)))
    digest = hashlib.sha256(package(3).document).hexdigest()
    record = msgspec.structs.replace(device.record, state=state, expected=Slot.B, update=Update("job-2", digest))
    device.write_journal(render(msgspec.structs.replace(record, expected=Slot.A)))
    device.start_agent()

    step = device.work()

    assert (step.report.outcome, step.report.fallbacks) == (Outcome.FELL_BACK, 1)
    assert device.run(device.offer(package(3), "job-2")).outcome is Outcome.INSTALLED
