"""The engine over crashes, outages, withdrawals, lost journals and people: the stories between offer and report."""

from __future__ import annotations

import errno
import logging
from dataclasses import replace
from functools import partial

import msgspec
import pytest

from agent.bootloaders.file import read_environment, write_environment
from agent.cloud.channel import OfferWithdrawn
from agent.ports import Concluded, Idle, Rebooting, Suspended
from agent.slots import BootEnvironmentError, Slot
from agent.update.journal import JournalError, render
from bridge.release.errors import ChannelError, FailureCode, SlotError, UntrustedRoot
from bridge.release.report import Outcome, Phase, Report
from tests.agent.device import FOLDER, JOURNAL_COPIES, SimulatedDevice, image, installed, kit, package
from tests.releases import FULL_NAME, ReleaseKit


class Killed(BaseException):
    """The agent's process is gone; the machine runs on."""


def interrupted(device: SimulatedDevice, error: BaseException, times: int = 1) -> None:
    """The next `times` downloads end with `error` after two thirds."""
    device.link.fault_after = 60_000
    device.link.faults = [error] * times


def in_trial(**fields) -> SimulatedDevice:
    """A device that runs slot b on trial, its agent just started."""
    device = SimulatedDevice.built(**fields)
    device.offer(package(2))
    assert device.work() == Rebooting()
    device.kernel.settle()
    device.power_up()
    return device


def test_a_killed_agent_goes_on_at_its_mark():
    """What is durable is not fetched again."""
    device = SimulatedDevice.built()
    interrupted(device, Killed())
    with pytest.raises(Killed):
        device.run(device.offer(package(2)))

    device.start_agent()
    report = device.run()

    assert report.outcome is Outcome.INSTALLED
    assert device.link.offsets[0] == 0
    assert device.link.offsets[1] > 32_000


def test_an_outage_of_the_cloud_suspends_and_goes_on_at_the_mark():
    """Fresh URLs could not be had: not the release's fault, and no strike; the same offer goes on later."""
    device = SimulatedDevice.built()
    interrupted(device, ChannelError("the broker is gone"))
    offer = device.offer(package(2))

    step = device.work()
    waiting = device.engine.resume(device.cloud)
    report = device.run(offer)

    assert step == Suspended("the broker is gone")
    assert waiting == Idle()
    assert report.outcome is Outcome.INSTALLED
    assert device.link.offsets[1] > 32_000


def test_expired_urls_are_renewed_in_the_middle():
    """The channel is asked for the same offer; the stream goes on."""
    device = SimulatedDevice.built()
    device.link.urls_expire = True

    report = device.run(device.offer(package(2)))

    assert report.outcome is Outcome.INSTALLED
    assert device.cloud.renewals == 1


def test_an_offer_that_is_gone_when_urls_are_renewed_stops_safely():
    """A deleted job shows first where fresh URLs are asked for."""
    device = SimulatedDevice.built()
    device.link.urls_expire = True
    device.engine.resume(device.cloud)
    offer = device.offer(package(2))
    device.cloud.offer = None

    assert device.engine.install(device.cloud, offer) == Idle()
    assert device.cloud.reports == []


def test_a_trial_is_left_even_where_the_environment_cannot_be_written():
    """The boot loader's own count of attempts ends the trial then."""
    device = in_trial()
    device.health.verdicts = ["no route"]
    mark, device.boots.mark_unbootable = device.boots.mark_unbootable, partial(_die, BootEnvironmentError("read-only"))

    step = device.work()

    assert step == Rebooting()
    assert device.boots.trial() is Slot.B
    device.boots.mark_unbootable = mark
    device.kernel.settle()
    device.power_up()
    assert device.run().outcome is Outcome.FELL_BACK


def test_another_release_in_the_middle_starts_from_the_first_byte():
    """A mark belongs to the artifact that it was made in."""
    device = SimulatedDevice.built()
    interrupted(device, ChannelError("the broker is gone"))
    device.offer(package(2))
    device.work()

    report = device.run(device.offer(package(3), "job-2"))

    assert report == installed("b", "3.0.0")
    assert device.link.offsets == [0, 0]
    assert [name for name, _ in device.cloud.reports] == ["job-2"]


def test_an_update_that_keeps_killing_the_agent_is_given_up():
    """A release that the agent dies of, again and again without progress, ends as interrupted."""
    device = SimulatedDevice.built()
    interrupted(device, Killed(), times=100)
    device.link.fault_after = 0
    device.offer(package(2))
    report = None
    while report is None:
        try:
            report = device.run()
        except Killed:
            device.start_agent()

    assert (report.outcome, report.code) == (Outcome.FAILED, FailureCode.INTERRUPTED)
    assert report.detail == "given up after 8 restarts without progress while writing"
    assert device.started == 10


def test_progress_forgives_strikes():
    """A device on a poor power supply gets through, as long as every start brings it further."""
    device = SimulatedDevice.built()
    device.limits = replace(device.limits, checkpoint_bytes=1, strikes=1)
    device.start_agent()
    interrupted(device, Killed(), times=4)
    device.link.fault_after = 20_000
    device.offer(package(2, frame_bytes=16 * 1024))
    report = None
    while report is None:
        try:
            report = device.run()
        except Killed:
            device.start_agent()

    assert report.outcome is Outcome.INSTALLED
    assert len(device.link.offsets) == 5


@pytest.mark.parametrize("phase", [Phase.ACCEPTED, Phase.DOWNLOADING, Phase.CHECKING, Phase.SWITCHING])
def test_a_withdrawal_before_the_switch_stops_safely(phase):
    """Nothing is reported, nothing is on trial, and the next offer is taken."""
    device = SimulatedDevice.built()
    device.cloud.withdraw_at = phase

    ended = device.run(device.offer(package(2)))

    assert ended is None
    assert (device.cloud.reports, device.reboots, device.boots.trial()) == ([], 0, None)
    assert Slot.B in read_environment(FOLDER, device.disk).unbootable
    device.cloud.withdraw_at = ""
    assert device.run(device.offer(package(3), "job-2")).outcome is Outcome.INSTALLED


def test_a_withdrawal_after_the_switch_comes_too_late():
    """The update is finished, and its report goes to nobody."""
    device = SimulatedDevice.built()
    device.cloud.withdraw_at = Phase.PROVING
    device.cloud.refusals = [OfferWithdrawn("the job was deleted")]

    report = device.run(device.offer(package(2)))

    assert (report.outcome, device.cloud.reports) == (Outcome.INSTALLED, [])
    assert device.engine.status().version == "2.0.0"
    assert device.engine.resume(device.cloud) == Idle()


def test_a_report_that_could_not_be_delivered_is_kept_and_told_later():
    """The end outlives the outage and the process."""
    device = in_trial()
    device.cloud.refusals = [ChannelError("offline"), ChannelError("offline")]

    first = device.work()
    device.start_agent()
    second = device.work()
    third = device.work()

    report = installed("b", "2.0.0")
    assert [first, second, third] == [Concluded(report, delivered) for delivered in (False, False, True)]
    assert device.cloud.reports == [("job-1", report)]


def test_a_report_that_the_cloud_refuses_for_good_does_not_block_the_device():
    """One bad answer must not keep every later release away."""
    device = in_trial()
    device.cloud.refusals = [ChannelError("no such job", retryable=False)]

    assert device.work().delivered
    assert device.run(device.offer(package(3), "job-2")).outcome is Outcome.INSTALLED


def test_a_machine_that_never_restarts_ends_the_trial():
    """Asked again and again in vain: the trial is ended before a later restart would make it by surprise."""
    device = SimulatedDevice.built(restarts=False)

    report = device.run(device.offer(package(2)))

    assert (report.outcome, report.code) == (Outcome.FAILED, FailureCode.INTERRUPTED)
    assert "while rebooting" in report.detail
    assert (device.reboots, device.boots.trial()) == (9, None)


def test_a_trial_that_cannot_be_left_is_told_as_it_is():
    """The slot that should not run still does: the report says so instead of claiming a fallback."""
    device = in_trial(restarts=False)
    device.health.verdicts = ["no route"]

    report = device.run()

    assert (report.outcome, report.slot, report.code) == (Outcome.FAILED, "b", FailureCode.INTERRUPTED)
    assert report.detail.endswith("while reverting; before that: no route")


def test_an_agent_that_dies_in_the_proof_is_not_committed():
    """A health check that kills the agent every time is no proof of health."""
    device = in_trial()
    prove = device.health.prove
    device.health.prove = partial(_die, Killed())
    report = None
    while report is None:
        try:
            report = device.run()
        except Killed:
            device.start_agent()

    assert (report.outcome, report.slot, report.code) == (Outcome.FELL_BACK, "a", FailureCode.INTERRUPTED)
    device.health.prove = prove


def _die(error: BaseException, _names) -> None:
    raise error


def test_a_trial_whose_journal_is_full_is_left():
    """A commit that could not be remembered is not made: back to the old slot, which tells once it can write again."""
    device = in_trial()
    device.kernel.faults["write journal"] = OSError(errno.ENOSPC, "No space left on device")

    step = device.work()
    device.kernel.faults.clear()
    device.kernel.settle()
    device.power_up()
    report = device.run()

    assert step == Rebooting()
    assert (report.outcome, report.slot, report.code) == (Outcome.FELL_BACK, "a", FailureCode.FELL_BACK)


def test_a_commit_that_is_made_but_not_remembered_is_made_again():
    """After the boot loader's commit there is no way back: the agent stops, and goes on when it can write."""
    device = in_trial()
    commit = device.boots.commit

    def commit_then_fill(slot: Slot) -> None:
        commit(slot)
        device.kernel.faults["write journal"] = OSError(errno.ENOSPC, "No space left on device")

    device.boots.commit = commit_then_fill
    with pytest.raises(JournalError, match="cannot be written"):
        device.work()
    device.kernel.faults.clear()
    device.start_agent()

    assert device.run() == installed("b", "2.0.0")


def test_a_boot_loader_that_cannot_commit_is_left():
    """The trial is good and cannot be kept: that is a failure of the board, told as such."""
    device = in_trial()

    def refuse(_: Slot) -> None:
        raise BootEnvironmentError("the boot environment is read-only")

    device.boots.commit = refuse
    report = device.run()

    assert (report.outcome, report.slot) == (Outcome.FELL_BACK, "a")
    assert (report.code, report.detail) == (FailureCode.BOOT_ENVIRONMENT, "the boot environment is read-only")


def test_a_journal_lost_in_a_trial_leads_back_to_the_old_slot(caplog):
    """Nobody remembers why slot b is on trial, so it is not kept; and the offer ends, or it would go on for ever."""
    device = in_trial()
    device.spoil_journal()
    device.start_agent()
    with caplog.at_level(logging.ERROR):
        step = device.work()
    device.kernel.settle()
    device.power_up()

    assert step == Rebooting()
    assert device.booted is Slot.A
    assert "is not usable: its digest does not match" in caplog.text
    served = device.link.served
    report = device.run()
    assert (report.outcome, report.code, report.fallbacks) == (Outcome.FELL_BACK, FailureCode.JOURNAL, 1)
    assert report.detail == "slot b holds it and was tried, but the journal did not survive into its trial boot"
    assert device.link.served == served
    assert device.run(device.offer(package(2), "job-2")) == installed("b", "2.0.0", fallbacks=1)


def test_an_unusable_journal_is_shown_and_set_aside():
    """The device works on with what it can know, and keeps the file for a person."""
    device = SimulatedDevice.built()
    device.run(device.offer(package(2)))
    device.spoil_journal()
    spoiled = [device.kernel.content(path) for path in JOURNAL_COPIES]
    device.start_agent()
    trouble = device.engine.status().trouble

    assert "its digest does not match" in trouble
    assert device.engine.resume(device.cloud) == Idle()
    assert device.engine.status().trouble == ""
    assert [device.kernel.content(path.with_name(f"{path.name}.unusable")) for path in JOURNAL_COPIES] == spoiled
    assert device.run(device.offer(package(3), "job-2")) == installed("a", "3.0.0")


def test_a_trial_that_nobody_ordered_is_called_off_before_it_is_made():
    """A journal lost between switch and restart: the old slot still runs, and goes on to."""
    device = SimulatedDevice.built()
    device.boots.try_slot(Slot.B)

    assert device.work() == Idle()
    assert device.boots.trial() is None


def test_a_fallback_weeks_later_is_counted_and_kept():
    """The boot loader left a committed slot by itself: the slot that runs becomes the default, and the truth shows."""
    device = SimulatedDevice.built()
    device.run(device.offer(package(2)))
    write_environment(FOLDER, device.disk, replace(read_environment(FOLDER, device.disk), booted=Slot.A))
    device.start_agent()

    step = device.work()

    detail = "the boot loader left slot b, which had been committed; slot a runs again"
    report = Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.FELL_BACK, detail, 1, FULL_NAME)
    status = device.engine.status()
    assert step == Concluded(report, delivered=True)
    assert device.cloud.reports[-1] == ("job-1", report)
    assert (status.booted, status.default, status.expected) == (Slot.A, Slot.A, Slot.A)
    assert (status.fallbacks, status.version, status.last) == (1, "1.0.0", report)
    assert device.run(device.offer(package(2))) == report


def test_a_slot_that_was_never_proved_does_not_become_the_default_by_accident():
    """The boot loader runs a slot that the agent knows nothing good of: it is left to a person."""
    device = SimulatedDevice.built()
    device.work()
    write_environment(FOLDER, device.disk, replace(read_environment(FOLDER, device.disk), booted=Slot.B))
    device.start_agent()

    report = device.run(device.offer(package(2)))

    assert (report.outcome, report.code) == (Outcome.FAILED, FailureCode.BOOT_ENVIRONMENT)
    assert "slot a is the default" in report.detail


def test_a_rotated_root_is_followed_and_remembered():
    """Keys that a root revoked are refused from then on, also when the cloud leaves the new root out."""
    owner = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))
    old = owner.package(image(2), sequence=2)
    device = SimulatedDevice.built(pinned=owner.pinned)
    owner.rotate()

    first = device.run(device.offer(owner.package(image(3), version="3.0.0", sequence=3), "job-1", owner.later_roots))
    second = device.run(device.offer(old, "job-2"))

    assert first == installed("b", "3.0.0")
    assert (second.outcome, second.code) == (Outcome.REJECTED, FailureCode.ALTERED)
    assert device.engine.status().root_version == 2


def test_a_root_counts_even_when_its_release_is_refused():
    """A revocation must not hang on the release that brought it."""
    owner = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))
    device = SimulatedDevice.built(pinned=owner.pinned)
    owner.rotate()

    report = device.run(device.offer(owner.package(image(2), signers=[]), roots=owner.later_roots))

    assert report.code is FailureCode.UNSIGNED
    assert device.engine.status().root_version == 2


def test_remembered_roots_of_a_former_owner_are_left_out(caplog):
    """A device that was pinned anew starts from its new root."""
    owner = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))
    device = SimulatedDevice.built(pinned=owner.pinned)
    owner.rotate()
    device.run(device.offer(owner.package(image(2)), roots=owner.later_roots))
    device.pinned = kit().pinned
    device.start_agent()

    assert device.run(device.offer(package(3), "job-2")).outcome is Outcome.INSTALLED
    assert device.engine.status().root_version == 1
    assert "do not follow from the pinned root" in caplog.text


def test_a_pinned_root_that_is_none_is_refused_at_the_start():
    """A wrong file in the configuration is found before any offer."""
    with pytest.raises(UntrustedRoot, match="root is not TUF metadata"):
        SimulatedDevice.built(pinned=b"no root")


def test_the_floor_rises_at_commit_and_never_above_the_other_slot():
    """Going back to the slot that ran before stays possible."""
    device = SimulatedDevice.built()
    floors = []
    for sequence in (2, 3, 4):
        device.run(device.offer(package(sequence, floor=sequence), f"job-{sequence}"))
        floors.append(device.engine.status().floor)

    assert floors == [1, 2, 3]


def test_a_person_commits_a_trial():
    """What the person decided is reported when the cloud can be told."""
    device = in_trial()

    step = device.engine.commit()
    report = device.run()

    assert step == Concluded(report, delivered=False)
    assert report == installed("b", "2.0.0")
    assert device.health.asked == []


def test_a_person_rolls_a_trial_back():
    """The old slot runs again and the cloud learns by whose hand."""
    device = in_trial()

    step = device.engine.rollback()
    device.kernel.settle()
    device.power_up()
    report = device.run()

    assert step == Rebooting()
    detail = "rolled back by hand"
    assert report == Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.FELL_BACK, detail, 1, FULL_NAME)


def test_a_person_goes_back_to_the_release_before():
    """A committed release is left the way that it came: checked, tried, proved, committed; nothing is reported."""
    device = SimulatedDevice.built()
    device.run(device.offer(package(2)))
    device.run(device.offer(package(3), "job-2"))
    device.cloud.reports.clear()

    step = device.engine.rollback()
    device.kernel.settle()
    device.power_up()
    report = device.run()

    assert step == Rebooting()
    assert report == installed("b", "2.0.0", artifact="")
    assert (device.booted, device.boots.default(), device.cloud.reports) == (Slot.B, Slot.B, [])


def test_a_person_goes_back_to_the_factory_image():
    """It has no signed sha256; its trial boot proves it."""
    device = SimulatedDevice.built()
    device.run(device.offer(package(2)))

    device.engine.rollback()
    device.kernel.settle()
    device.power_up()

    assert device.run() == installed("a", "1.0.0", artifact="")


def test_a_rollback_onto_a_spoiled_slot_is_not_tried():
    """The old slot is read back before it is booted."""
    device = SimulatedDevice.built()
    device.run(device.offer(package(2)))
    device.run(device.offer(package(3), "job-2"))
    device.kernel.spoil(device.boots.device(Slot.B), 7)

    step = device.engine.rollback()

    assert (step.report.outcome, step.report.code) == (Outcome.FAILED, FailureCode.SLOT_MISMATCH)
    assert device.boots.trial() is None


def test_what_a_person_cannot_have_is_refused():
    """Nothing on trial, nothing to go back to, a slot below the floor, another update under way: said so, not done."""
    device = SimulatedDevice.built()
    with pytest.raises(SlotError, match="slot a is not on trial: there is nothing to commit"):
        device.engine.commit()
    with pytest.raises(SlotError, match="slot b holds nothing that was ever committed"):
        device.engine.rollback()
    device.offer(package(2))
    device.work()
    with pytest.raises(SlotError, match="an update is rebooting: a rollback has to wait"):
        device.engine.rollback()


def test_a_rollback_below_the_floor_is_refused():
    """The floor holds for people, too."""
    device = SimulatedDevice.built()
    device.run(device.offer(package(2)))
    device.run(device.offer(package(3), "job-2"))
    device.write_journal(render(msgspec.structs.replace(device.record, floor=3)))
    device.start_agent()

    with pytest.raises(SlotError, match="slot b holds sequence 2, below the floor 3"):
        device.engine.rollback()


def test_a_person_commits_a_trial_that_the_journal_knows_nothing_of():
    """After a lost journal a person may still keep what runs; it is not counted as a fallback."""
    device = in_trial()
    device.spoil_journal()
    device.start_agent()

    device.cloud.offer = None

    assert device.engine.commit() == Idle()
    assert device.work() == Idle()
    status = device.engine.status()
    assert (status.booted, status.default, status.trial, status.fallbacks) == (Slot.B, Slot.B, None, 0)


def test_the_status_tells_all_three_sources():
    """Slot, boot loader and journal of a device in its trial boot."""
    device = in_trial()

    status = device.engine.status()

    assert (status.booted, status.default, status.trial, status.expected) == (Slot.B, Slot.A, Slot.B, Slot.A)
    assert (status.state, status.offer, status.last) == ("rebooting", "job-1", None)
    assert [slot.committed for slot in status.slots] == [True, False]
    assert (status.floor, status.root_version, status.fallbacks, status.trouble) == (1, 1, 0, "")
