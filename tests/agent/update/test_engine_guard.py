"""The engine in a trial boot that a hardware watchdog guards: what hangs or dies in it ends on the old slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from agent.proof.guard import GuardedHealth, HardwareGuard, WatchdogSettings
from agent.proof.watchdog_device import WatchdogDevice
from agent.slots import BootEnvironmentError, Slot
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Report
from tests.agent.device import SimulatedCloud, SimulatedDevice, installed, package
from tests.agent.dog import PATH, SimulatedWatchdog


class Gone(BaseException):
    """The agent does nothing any more: it hangs, or was killed."""


@dataclass
class GuardedDevice(SimulatedDevice):
    """A device with a watchdog. `hangs` counts the proofs in which the agent hangs before it finds out the verdict."""

    dog: SimulatedWatchdog = field(default_factory=SimulatedWatchdog)
    hangs: int = 0
    proving: list[float | None] = field(default_factory=list)
    """When the watchdog was to bite, at the beginning of each proof."""

    def start_agent(self) -> None:
        """A new agent process, with a guard of its own."""
        self.dog.die()
        guard = self._guard()
        self.guards = lambda: guard
        self.health = GuardedHealth(Hanging(self), guard)
        super().start_agent()

    def _guard(self) -> HardwareGuard:
        return HardwareGuard(
            WatchdogSettings(device=PATH),
            PATH,
            900.0,
            lambda: self.dog.now,
            opened=lambda path: WatchdogDevice(path, self.dog),
            require_stoppable=lambda _: None,
        )

    def bite(self) -> None:
        """The time of the watchdog passes: the machine restarts, and its watchdog says so."""
        assert self.dog.bites_at is not None
        self.dog.now = self.dog.bites_at
        self.dog = SimulatedWatchdog(now=self.dog.now + 20)
        self.bitten = True
        self.kernel.settle()
        self.power_up()


@dataclass
class Hanging:
    """Health that hangs as often as the device says, and is good then."""

    device: GuardedDevice

    def prove(self, _: Sequence[str]) -> str | None:
        """See Health."""
        self.device.proving.append(self.device.dog.bites_at)
        if self.device.hangs:
            self.device.hangs -= 1
            raise Gone
        return None


@dataclass
class Listening(SimulatedCloud):
    """A cloud that notes whether the watchdog ran when it heard the end."""

    device: GuardedDevice | None = None
    running: list[bool] = field(default_factory=list)

    def conclude(self, offer_id: str, report: Report) -> None:
        """See Channel."""
        assert self.device is not None
        self.running.append(self.device.dog.bites_at is not None)
        super().conclude(offer_id, report)


def test_the_watchdog_runs_in_the_trial_boot_alone():
    """It is armed before the first check, and handed back with the commit: telling the cloud may take long."""
    cloud = Listening()
    device = GuardedDevice.built(cloud=cloud)
    cloud.device = device

    assert device.run(device.offer(package(2))) == installed("b", "2.0.0")
    assert device.proving == [device.dog.now + 60]
    assert (cloud.running, device.dog.bites_at, device.dog.taken) == ([False], None, False)


def test_no_trial_no_watchdog():
    """Nothing opens it while a release is fetched, written and switched to, nor after the commit."""
    device = GuardedDevice.built()
    device.offer(package(2))
    device.work()
    assert device.dog.fed == []

    device.run()
    fed = len(device.dog.fed)
    device.start_agent()
    device.work()
    assert len(device.dog.fed) == fed


@pytest.mark.parametrize("how", ["hangs", "is killed"])
def test_an_agent_that_is_gone_in_the_middle_of_the_proof(how):
    """Nobody beats, nobody writes the letter: the machine restarts. When all trial boots end so, the old slot runs."""
    device = GuardedDevice.built(hangs=3)
    device.offer(package(2))
    for _ in range(3):
        with pytest.raises(Gone):
            device.run()
        if how == "is killed":
            device.dog.die()
        assert device.dog.bites_at is not None
        device.bite()
    report = device.run()

    assert (report.outcome, report.code, report.slot, report.version) == (
        Outcome.FELL_BACK,
        FailureCode.FELL_BACK,
        "a",
        "1.0.0",
    )
    assert device.record.reset == "watchdog"
    assert device.record.boots(Slot.B).watchdog_resets == 3
    assert device.record.boots(Slot.A).watchdog_resets == 0


def test_one_hang_is_survived():
    """The next trial boot is proved, and guarded like the first."""
    device = GuardedDevice.built(hangs=1)
    device.offer(package(2))
    with pytest.raises(Gone):
        device.run()
    device.bite()

    assert device.run() == installed("b", "2.0.0")
    assert all(when is not None for when in device.proving)
    assert device.dog.bites_at is None


def test_an_agent_that_is_restarted_in_the_trial_feeds_on():
    """The service manager starts it again within the watchdog's time."""
    device = GuardedDevice.built(hangs=1)
    device.offer(package(2))
    with pytest.raises(Gone):
        device.run()
    device.dog.now += 20
    device.start_agent()

    assert device.run() == installed("b", "2.0.0")
    assert device.dog.bites_at is None


def test_a_watchdog_that_belongs_to_another_ends_the_trial():
    """The release is not kept, and the report says what to write into the configuration."""
    device = GuardedDevice.built()
    device.dog.die = lambda: None  # what has it open is no process of ours
    device.dog.taken = True
    report = device.run(device.offer(package(2)))

    assert (report.outcome, report.code, report.slot) == (Outcome.FELL_BACK, FailureCode.UNHEALTHY, "a")
    assert report.detail.startswith("the trial boot is not guarded: watchdog.device /dev/watchdog0 is in use")


def test_a_commit_that_was_made_and_told_as_failed_is_no_trial_any_more():
    """The slot is the default and stays: a watchdog that nobody hands back would restart a machine that is well."""
    device = GuardedDevice.built()
    device.offer(package(2))
    device.work()
    device.kernel.settle()
    device.power_up()
    commit = device.boots.commit

    def stumble(slot: Slot) -> None:
        commit(slot)
        raise BootEnvironmentError("Input/output error")

    device.boots.commit = stumble
    report = device.run()

    assert (report.outcome, report.slot) == (Outcome.FAILED, "b")
    assert device.dog.bites_at is None


def test_a_person_commits_where_the_agent_was_stopped():
    """The watchdog still runs from the agent before: the command hands it back."""
    device = GuardedDevice.built(hangs=1)
    device.offer(package(2))
    with pytest.raises(Gone):
        device.run()
    device.start_agent()
    assert device.dog.bites_at is not None
    device.engine.commit()

    assert device.boots.default() is Slot.B
    assert device.dog.bites_at is None


def test_a_person_commits_a_trial_that_the_journal_knows_nothing_of():
    """The journal was lost, and the watchdog still runs from the agent that had it."""
    device = GuardedDevice.built(hangs=1)
    device.offer(package(2))
    with pytest.raises(Gone):
        device.run()
    device.spoil_journal()
    device.start_agent()
    device.engine.commit()

    assert device.boots.default() is Slot.B
    assert device.dog.bites_at is None
