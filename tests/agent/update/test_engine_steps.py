"""Releases of several steps: what comes onto the device, in which order, and what people may do about it."""

from __future__ import annotations

from copy import deepcopy

import pytest

from agent.image.installation import in_turn
from agent.permit.permission import ALLOWED, Answer, Facts, Moment, Refused
from agent.ports import Concluded, Postponed
from agent.slots import Slot
from agent.update.context import Limits
from agent.update.journal import render
from agent.update.machine import State
from agent.update.record import Holding
from bridge.release.errors import DownloadError, FailureCode, SlotError
from bridge.release.report import Outcome, Phase
from tests.agent.device import CHECKPOINT_BYTES, JOURNAL, SimulatedDevice, package, stepped_package
from tests.agent.power import PowerCut
from tests.agent.stepping import BY_HANDLER, IMAGE, IN_PLACE, PARTS, WITH_RESTART, part

STEPS = JOURNAL.with_name("steps")
OLD, NEW = {"boot": "1.0.0", "app": "1.0.0"}, {"boot": "2.0.0", "app": "2.0.0"}


def fitted(**fields) -> SimulatedDevice:
    """A device with the parts of release 1."""
    device = SimulatedDevice.built(**fields)
    device.fit_parts("boot", "app")
    device.kernel.settle()
    device.start_agent()
    device.kernel.log.clear()
    return device


def verbs(device: SimulatedDevice) -> list[str]:
    """What handlers did, and restarts, in order."""
    words = ("installed", "undone", "settled", "reboot")
    return [each for each in device.kernel.log if each.split()[0] in words]


def left(device: SimulatedDevice) -> list[str]:
    """Files of releases that are on the device."""
    return sorted(path.name for path in device.kernel.files() if STEPS in path.parents)


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        (IMAGE, "installed boot, reboot, installed app, settled boot, settled app"),
        (
            BY_HANDLER,
            "installed boot, installed rootfs, reboot, installed app, settled boot, settled rootfs, settled app",
        ),
        (IN_PLACE, "installed boot, installed app, settled boot, settled app"),
        (WITH_RESTART, "installed boot, installed app, reboot, settled boot, settled app"),
    ],
)
def test_steps_are_done_in_their_order(kind, order):
    """Those before the slot's on the old system, those after it on the new one; ways back are dropped at the end."""
    device = fitted()

    report = device.run(device.offer(stepped_package(2, kind)))

    assert (report.outcome, report.version) == (Outcome.INSTALLED, "2.0.0")
    assert ", ".join(verbs(device)) == order
    assert device.parts() == NEW
    assert left(device) == []


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        (IMAGE, "installed boot, reboot, installed app, reboot, undone app, undone boot"),
        (IN_PLACE, "installed boot, installed app, undone app, undone boot"),
        (WITH_RESTART, "installed boot, installed app, reboot, undone app, undone boot, reboot"),
    ],
)
def test_steps_are_undone_in_reverse_order(kind, order):
    """On the old system; and what was in effect after a restart alone is gone after another one."""
    device = fitted()
    device.health.verdicts = ["the radio is silent"]

    report = device.run(device.offer(stepped_package(2, kind)))

    assert (report.outcome, report.code, report.slot, report.version) == (
        Outcome.FELL_BACK,
        FailureCode.UNHEALTHY,
        "a",
        "1.0.0",
    )
    assert ", ".join(verbs(device)) == order
    assert (device.parts(), left(device)) == (OLD, [])


def test_nothing_begins_before_all_files_are_there():
    """The second file does not come: the first one lies on the disk, and no handler was called."""
    device = fitted()
    device.link.faults, device.link.fault_names = [DownloadError("given up")], {"app.bin"}

    report = device.run(device.offer(stepped_package(2, IN_PLACE)))

    assert (report.outcome, report.code) == (Outcome.FAILED, FailureCode.DOWNLOAD)
    assert verbs(device) == []
    assert left(device) == ["app.file", "boot.file"]


def test_the_next_offer_goes_on_at_the_byte():
    """What was durable of the files when a download gave up is not fetched again."""
    device = fitted()
    device.link.faults, device.link.fault_names, device.link.fault_after = [DownloadError("no")], {"app.bin"}, 40_000
    device.run(device.offer(stepped_package(2, IN_PLACE)))
    device.link.names.clear()
    device.link.offsets.clear()

    report = device.run(device.offer(stepped_package(2, IN_PLACE), "job-2"))

    assert report.outcome is Outcome.INSTALLED
    assert (device.link.names, device.link.offsets) == (["app.bin"], [40_000])
    assert device.parts() == NEW


def test_a_power_cut_costs_no_more_than_a_checkpoint():
    """Of a file in the middle, what the journal promises is kept."""
    device = fitted()
    device.offer(stepped_package(2, IN_PLACE))
    whole = len(part("app", "2.0.0"))
    device.link.faults, device.link.fault_names, device.link.fault_after = [PowerCut()], {"app.bin"}, 60_000
    with pytest.raises(PowerCut):
        device.work()
    device.kernel.settle()

    device.power_up_and_run()

    assert device.link.offsets[-1] >= 60_000 - CHECKPOINT_BYTES - device.link.chunk_bytes
    assert device.parts() == NEW
    assert device.link.offsets[-1] < whole


def test_another_file_in_the_store_is_refused():
    """One bit of a file is wrong: nothing of the release is done."""
    device = fitted()
    offer = device.offer(stepped_package(2, IN_PLACE))
    digest = next(each.sha256 for each in stepped_package(2, IN_PLACE).release.artifacts if each.step == "app")
    device.link.files[digest] = device.link.files[digest][:-1] + b"?"

    report = device.run(offer)

    assert (report.outcome, report.code) == (Outcome.FAILED, FailureCode.ALTERED)
    assert "artifact app.bin of step app has 70000 bytes with sha256" in report.detail
    assert (verbs(device), device.parts()) == ([], OLD)


def test_a_file_that_goes_on_for_ever_is_cut():
    """The first byte beyond the signed length ends it."""
    device = fitted()
    offer = device.offer(stepped_package(2, IN_PLACE))
    digest = next(each.sha256 for each in stepped_package(2, IN_PLACE).release.artifacts if each.step == "boot")
    device.link.files[digest] += bytes(5_000_000)

    report = device.run(offer)

    assert (report.outcome, report.code) == (Outcome.FAILED, FailureCode.ALTERED)
    assert device.link.served <= device.link.chunk_bytes


def test_a_release_beside_the_image_raises_the_floor():
    """It is remembered like any other: version, sequence and floor, and the image that still runs."""
    device = fitted()
    device.run(device.offer(package(2)))

    device.run(device.offer(stepped_package(3, IN_PLACE, floor=3), "job-2"))

    status = device.engine.status()
    assert (status.booted, status.version) == (Slot.B, "3.0.0")
    assert (status.slots[1].sequence, status.slots[1].sha256) == (3, stepped_package(2, IMAGE).artifact.image.sha256)
    assert device.reboots == 1
    assert device.engine.describe().sequence == 3


def test_a_release_that_is_there_is_not_done_twice():
    """The same release under another job: installed, and no handler is called."""
    device = fitted()
    device.run(device.offer(stepped_package(2, IN_PLACE)))
    device.kernel.log.clear()

    report = device.run(device.offer(stepped_package(2, IN_PLACE), "job-2"))

    assert report.outcome is Outcome.INSTALLED
    assert verbs(device) == []


def test_an_image_that_is_there_is_not_fetched_again():
    """The slot that does not run was committed with it: the other steps are done all the same."""
    device = fitted()
    device.run(device.offer(stepped_package(2, IMAGE)))
    device.run(device.offer(package(3), "job-2"))
    device.link.names.clear()
    device.kernel.log.clear()

    report = device.run(device.offer(stepped_package(2, IMAGE), "job-3"))

    assert (report.outcome, report.slot) == (Outcome.INSTALLED, "b")
    assert device.link.names == ["boot.bin", "app.bin"]
    assert verbs(device) == ["installed boot", "reboot", "installed app", "settled boot", "settled app"]


class Consent:
    """agent.permit.permission.Permission: says what it is told to say, and remembers when it was asked."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.asked: list[tuple[Moment, int]] = []
        self.device: SimulatedDevice | None = None

    def ask(self, moment: Moment, facts: Facts) -> Answer:  # noqa: ARG002 - the port's face
        """See Permission."""
        assert self.device is not None
        self.asked.append((moment, len(left(self.device))))
        return self.answers.get(moment.value, ALLOWED)


def test_permission_to_install_is_asked_when_the_files_are_there():
    """Before the download there is none, before the first step there are both, and nothing was done yet."""
    consent = Consent(install=Refused("driver", "not while the lift runs"))
    device = fitted(permission=consent)
    consent.device = device

    report = device.run(device.offer(stepped_package(2, IN_PLACE)))

    assert consent.asked == [(Moment.DOWNLOAD, 0), (Moment.INSTALL, 2)]
    assert (report.code, verbs(device)) == (FailureCode.VETOED, [])


def test_a_metered_link_keeps_files_off():
    """An update that may wait for another link waits, and says for what."""
    limits = Limits(CHECKPOINT_BYTES, install=in_turn, full_over_metered=False, wait_for_link=True)
    device = fitted(metered=True, limits=limits)
    device.offer(stepped_package(2, IN_PLACE))

    step = device.work()

    assert isinstance(step, Postponed)
    assert "keeps the files of the steps of 73000 bytes off it; they come whole" in step.reason
    device.metered = False
    assert device.run().outcome is Outcome.INSTALLED


def test_the_cloud_hears_of_progress_over_all_files():
    """One download to its cloud, however many files: percents of all bytes."""
    device = fitted()

    device.run(device.offer(stepped_package(2, IN_PLACE)))

    percents = [each.percent for each in device.cloud.seen if each.phase is Phase.DOWNLOADING]
    assert percents == sorted(percents)
    assert percents[-1] >= 90


def in_finishing() -> SimulatedDevice:
    """A device in its trial boot, killed before the step that is left."""
    device = fitted()
    device.offer(stepped_package(2, IMAGE))
    device.broken["install app"] = 0
    device.work()
    device.kernel.settle()
    device.power_up()
    device.kernel.cut_at = next_moment(device, "install app")
    with pytest.raises(PowerCut):
        device.work()
    device.kernel.cut_at = None
    device.start_agent()
    return device


def next_moment(device: SimulatedDevice, what: str) -> int:
    """The number of the kernel's call that will be `what`, found out on a copy of the device."""
    copy = deepcopy(device)
    copy.start_agent()
    start = len(copy.kernel.log)
    copy.work()
    return device.kernel.calls + copy.kernel.log[start:].index(what) + 1


def test_nobody_commits_half_of_a_release():
    """A person who is content with the trial boot is told what is missing."""
    device = in_finishing()

    with pytest.raises(SlotError, match="steps of the release are still to be done"):
        device.engine.commit()

    assert device.run().outcome is Outcome.INSTALLED
    assert device.parts() == NEW


def test_a_person_may_leave_a_trial_whose_steps_are_not_done():
    """Back to the old slot, where all that was begun is undone."""
    device = in_finishing()

    device.engine.rollback()
    device.kernel.settle()
    device.power_up()
    report = device.run()

    assert (report.outcome, report.detail) == (Outcome.FELL_BACK, "rolled back by hand")
    assert (device.parts(), left(device)) == (OLD, [])


def test_an_older_agent_reads_a_journal_without_steps_alone():
    """With steps under way it has another version, so that no agent commits a release of which it knows a part."""
    device = fitted()
    device.cloud.offer = device.offer(stepped_package(2, IMAGE))
    device.work()

    assert device.record.state is State.REBOOTING
    assert render(device.record).startswith(b"otabridge-journal 2 ")
    device.kernel.settle()
    device.power_up_and_run()
    assert render(device.record).startswith(b"otabridge-journal 1 ")


def test_a_release_that_never_left_its_trial_is_undone_in_the_old_slot():
    """The restart out of the trial is refused until the agent gives up; when the machine starts at last, the steps that
    nobody had undone are, and the cloud hears that it fell back after all."""
    device = fitted(restarts=False)
    device.health.verdicts = ["the radio is silent"]
    device.offer(stepped_package(2, IMAGE))
    device.work()
    device.kernel.settle()
    device.power_up()
    first = device.run()
    assert (first.outcome, first.code, first.slot) == (Outcome.FAILED, FailureCode.INTERRUPTED, "b")
    assert device.parts() == NEW

    device.kernel.settle()
    device.power_up()
    halt = device.engine.resume(device.cloud)

    assert isinstance(halt, Concluded)
    assert (halt.report.outcome, halt.report.slot, halt.report.version) == (Outcome.FELL_BACK, "a", "1.0.0")
    assert (device.parts(), left(device)) == (OLD, [])


def test_a_boot_loader_that_refuses_to_leave_the_target_keeps_the_steps():
    """Once the target is the default nothing is undone: parts go with the system that runs, and the report says so."""
    device = fitted()
    device.health.verdicts = ["the radio is silent"]
    device.offer(stepped_package(2, IMAGE))
    device.work()
    device.kernel.settle()
    device.power_up()
    device.boots.commit(Slot.B)  # a person, by the boot loader's own tool

    report = device.run()

    assert (report.outcome, report.slot) == (Outcome.FAILED, "b")
    assert "slot b is the default already, and the steps stay as they are" in report.detail
    assert (device.parts(), left(device)) == (NEW, [])


def test_files_of_earlier_releases_are_swept():
    """What a release has left that was withdrawn goes at the next start; the one that waits keeps its own."""
    device = fitted()
    device.cloud.withdraw_at = Phase.SWITCHING
    device.run(device.offer(stepped_package(2, IN_PLACE)))
    assert left(device) == ["app.file", "boot.file"]

    device.start_agent()
    device.run()

    assert left(device) == []


def test_a_part_that_was_absent_is_absent_again():
    """The handler's way back holds that there was nothing."""
    device = SimulatedDevice.built()
    device.health.verdicts = ["the radio is silent"]

    device.run(device.offer(stepped_package(2, IN_PLACE)))

    assert device.parts() == {}
    assert device.disk.read(PARTS / "app") is None


def test_a_guard_watches_the_proof_beside_the_image():
    """No trial boot has armed it: it is armed for the proof, and released with the verdict, whichever that is."""
    for verdicts, told in (([None], ["armed", "released"]), (["silent"], ["armed", "released"])):
        guard = Recorded()
        device = fitted(guards=lambda guard=guard: guard)
        device.health.verdicts = verdicts

        device.run(device.offer(stepped_package(2, IN_PLACE)))

        assert guard.told == told


class Recorded:
    """agent.ports.Guard that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def arm(self) -> None:
        """See Guard."""
        self.told.append("armed")

    def release(self) -> None:
        """See Guard."""
        self.told.append("released")


def test_what_the_factory_put_there_stays_known_as_that():
    """A release beside an image that nobody has a sha256 of: its version is that of the release from then on."""
    device = fitted()
    device.run(device.offer(stepped_package(2, IN_PLACE)))

    holding = device.record.holding(Slot.A)
    assert isinstance(holding, Holding)
    assert (holding.image, holding.version, holding.is_original) == (None, "2.0.0", False)
    assert device.engine.status().version == "2.0.0"
