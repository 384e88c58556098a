"""The engine and those on the device who may be in the way: a veto ends an update, "later" makes it wait and costs
nothing, and the trial boot is only committed where nobody objects."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from agent.bootloaders.file import ATTEMPTS, image_path
from agent.permit.permission import ALLOWED, Answer, Later, Moment, Refused
from agent.ports import Idle, Postponed, Rebooting
from agent.slots import Slot
from agent.update.machine import State
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Phase
from tests.agent.device import FOLDER, MAX_STARTS, SimulatedDevice, image, installed, package
from tests.agent.owner import Owner
from tests.agent.power import Loss, PowerCut

BUSY = Later("hook 10-busy", "a patient is connected", 300)
NO = Refused("consent", "somebody on the device said no to 2.0.0")


def asking(**answers: list[Answer]) -> tuple[SimulatedDevice, Owner]:
    """A device with release 2 on offer, and its owner with answers before `download`, `install` and `commit`."""
    owner = Owner({Moment(name): list(given) for name, given in answers.items()})
    device = SimulatedDevice.built(permission=owner)
    device.offer(package(2))
    return device, owner


def target(device: SimulatedDevice) -> bytes:
    """What slot b holds."""
    return device.kernel.content(image_path(FOLDER, Slot.B))


def test_permission_is_asked_three_times():
    """Before the download, before the switch, before the commit: each time with what it is about."""
    device, owner = asking()

    assert device.run() == installed("b", "2.0.0")
    assert owner.asked == [Moment.DOWNLOAD, Moment.INSTALL, Moment.COMMIT]
    assert {(each.offer, each.version, each.target, each.ordered) for each in owner.facts} == {
        ("job-1", "2.0.0", "b", False)
    }
    assert [each.running for each in owner.facts] == ["a", "a", "b"]


def test_what_a_person_installs_from_a_folder_is_told_apart():
    """Whoever stands before the device need not be asked for consent."""
    device, owner = asking()
    offer = replace(device.cloud.offer, id="folder:0123")

    assert isinstance(device.engine.install(device.cloud, offer), Rebooting)
    assert {each.ordered for each in owner.facts} == {True}


def test_a_veto_before_the_download_ends_the_update_untouched():
    """Nothing is fetched or written, and the cloud hears who refused, with a code of its own."""
    device, _ = asking(download=[NO])
    before = target(device)

    report = device.run()

    assert (report.outcome, report.code, report.slot) == (Outcome.FAILED, FailureCode.VETOED, "a")
    assert report.detail == "consent: somebody on the device said no to 2.0.0"
    assert (device.link.names, target(device), device.record.update) == ([], before, None)


def test_after_a_veto_before_the_switch_the_bytes_are_kept():
    """A new attempt, once the owner has changed his mind, fetches nothing again."""
    device, owner = asking(install=[NO, ALLOWED])

    first = device.run()
    served = device.link.served
    second = device.run(replace(device.offer(package(2)), id="job-1#2"))

    assert (first.code, device.reboots) == (FailureCode.VETOED, 1)
    assert (second, device.link.served) == (installed("b", "2.0.0"), served)
    assert owner.asked.count(Moment.INSTALL) == 2


@pytest.mark.parametrize("answer", [NO, Later("hook 90-test", "the self-test runs", 60)])
def test_whoever_objects_to_the_commit_sends_the_device_back(answer):
    """A trial boot cannot wait for ever: what is not allowed there falls back, with the reason in the report."""
    device, _ = asking(commit=[answer])

    report = device.run()

    assert (report.outcome, report.code, report.slot) == (Outcome.FELL_BACK, FailureCode.UNHEALTHY, "a")
    assert f"not to be committed: {answer.by}: {answer.reason}" in report.detail
    assert device.boots.trial() is None


def test_later_before_the_download_touches_nothing():
    """The agent is idle, the offer comes again, and the status says what is waited for."""
    device, _ = asking(download=[BUSY, ALLOWED])
    before = target(device)

    step = device.work()
    status = device.engine.status()

    assert step == Postponed(Moment.DOWNLOAD, "hook 10-busy: a patient is connected", 300)
    assert (status.state, status.offer, device.link.names, target(device)) == ("idle", "job-1", [], before)
    assert (status.waiting.moment, status.waiting.by, status.waiting.version) == ("download", "hook 10-busy", "2.0.0")
    assert device.run() == installed("b", "2.0.0")
    assert device.engine.status().waiting is None


def test_later_before_the_switch_keeps_what_is_there():
    """The slot was read back, and is again once permission is given; not a byte is fetched or written twice."""
    device, _ = asking(install=[BUSY, BUSY, ALLOWED])

    first = device.work()
    served, after = device.link.served, target(device)
    second = device.work()

    assert (first, second) == (Postponed(Moment.INSTALL, "hook 10-busy: a patient is connected", 300),) * 2
    assert (device.record.state, device.boots.trial(), device.reboots) == (State.IDLE, None, 0)
    assert device.run() == installed("b", "2.0.0")
    assert (device.link.served, len(device.link.names)) == (served, 1)
    assert target(device)[: len(image(2))] == after[: len(image(2))] == image(2)


def test_waiting_writes_next_to_nothing():
    """Each question costs three small writes of the journal and none of a slot: flash memory survives months of it."""
    device, owner = asking(install=[BUSY])
    device.work()
    device.work()
    known = len(device.kernel.log)
    device.work()
    writes = [call for call in device.kernel.log[known:] if call.startswith("write")]

    assert owner.asked == [Moment.DOWNLOAD, Moment.INSTALL, Moment.INSTALL, Moment.INSTALL]
    assert len(writes) == 3
    assert all("journal" in call for call in writes)


def test_the_cloud_hears_once_that_the_device_waits():
    """Not with each question: a device that waits for weeks would send thousands of messages."""
    busier = Later("hook 10-busy", "two patients are connected", 300)
    device, _ = asking(download=[BUSY, BUSY, busier, ALLOWED], install=[Later("window", "opens Sunday"), ALLOWED])

    for _ in range(5):
        device.work()
    waits = [(each.phase, each.detail) for each in device.cloud.seen if each.phase is Phase.WAITING]

    assert waits == [
        (Phase.WAITING, "download: hook 10-busy: a patient is connected"),
        (Phase.WAITING, "install: window: opens Sunday"),
    ]
    assert [each.phase for each in device.cloud.seen].count(Phase.ACCEPTED) == 1


def test_a_slot_that_spoils_while_it_waits_is_fetched_anew():
    """What was read back weeks ago is read back before the switch; the boot loader is never told of a bad image."""
    device, _ = asking(install=[BUSY, ALLOWED])
    device.work()
    device.kernel.spoil(image_path(FOLDER, Slot.B), 5_000)

    assert device.run() == installed("b", "2.0.0")
    assert len(device.link.names) == 2
    assert device.running_image() == image(2)


def test_another_release_takes_the_place_of_the_one_that_waits():
    """What waited is forgotten, and the newer one is fetched whole."""
    device, _ = asking(install=[BUSY, ALLOWED])
    device.work()
    device.cloud.offer = None
    device.start_agent()

    assert device.run(device.offer(package(3), "job-2")) == installed("b", "3.0.0")


def test_an_offer_withdrawn_while_it_waits():
    """The cloud takes it back at the sign of life that tells of the wait: nothing is left of it."""
    device, _ = asking(download=[BUSY])
    device.cloud.withdraw_at = Phase.WAITING

    assert device.work() == Idle()
    assert (device.record.state, device.record.update) == (State.IDLE, None)


def test_waiting_is_no_strike():
    """However often the agent is killed or restarted while it waits, the update is not given up."""
    device, _ = asking(install=[BUSY] * 30 + [ALLOWED])

    for _ in range(30):
        assert isinstance(device.work(), Postponed)
        device.start_agent()
    assert device.record.update.strikes == 0
    assert device.run() == installed("b", "2.0.0")


@pytest.mark.parametrize("loss", [Loss.LOST, Loss.KEPT, Loss.TORN])
@pytest.mark.parametrize("moment", ["download", "install"])
def test_a_power_cut_at_any_line_while_it_waits(moment, loss):
    """Wherever the power is cut, the device ends on the release once it is allowed, without a fallback."""
    answers = {moment: [BUSY, BUSY, ALLOWED]}
    for at in range(1, calls_of(answers) + 1, 5):
        device, _ = asking(**answers)
        device.kernel.cut_at = device.kernel.calls + at
        with pytest.raises(PowerCut):
            wait_thrice(device)
        device.kernel.lose(loss, Random(at))

        assert device.power_up_and_run() == installed("b", "2.0.0"), f"cut at call {at}"


def calls_of(answers) -> int:
    """Calls of the kernel until the restart that follows two questions in vain."""
    device, _ = asking(**answers)
    before = device.kernel.calls
    wait_thrice(device)
    return device.kernel.calls - before


def wait_thrice(device: SimulatedDevice) -> None:
    """To the restart into the trial boot."""
    assert [type(device.work()) for _ in range(3)] == [Postponed, Postponed, Rebooting]


def test_a_rollback_by_a_person_asks_nobody():
    """Whoever orders it at the device has decided."""
    device, owner = asking()
    device.run()
    owner.answers, owner.asked = {Moment.DOWNLOAD: [NO], Moment.INSTALL: [NO]}, []

    assert isinstance(device.engine.rollback(), Rebooting)
    assert owner.asked == []


class Stopped(BaseException):
    """The service manager stops the agent."""


def restarts_survived(device: SimulatedDevice, most: int) -> int:
    """How often somebody restarts the machine in the middle of the health checks until the trial is given up."""

    def prove(names):  # noqa: ARG001 - the port's signature
        raise Stopped

    device.health.prove = prove
    assert isinstance(device.work(), Rebooting)
    for count in range(MAX_STARTS):
        device.kernel.settle()
        device.power_up()
        if device.booted is Slot.A:
            return count
        with pytest.raises(Stopped):
            device.work()
        device.engine.excuse_restart(most)
        device.engine.excuse_restart(most)  # a service that is stopped twice in one boot
    pytest.fail("a trial that never ends")


@pytest.mark.parametrize("most", [0, 1, 3])
def test_planned_restarts_in_a_trial_are_excused_so_many_times(most):
    """The boot is given back to the trial while somebody restarts the machine; an endless loop of that falls back."""
    device, _ = asking()

    assert restarts_survived(device, most) == ATTEMPTS + most
    assert device.run().outcome is Outcome.FELL_BACK


def test_outside_a_trial_no_restart_needs_an_excuse():
    """Nothing is written."""
    device, _ = asking()
    device.engine.excuse_restart(3)

    assert device.record.update is None
