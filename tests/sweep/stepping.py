"""Devices that are offered releases of several steps, and what must be true of their parts at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.handling import StepError, Work
from agent.ports import Suspended
from agent.slots import Slot
from bridge.release.errors import ChannelError, FailureCode
from bridge.release.report import Report
from tests.agent.device import JOURNAL, SimulatedDevice, package, stepped_package
from tests.agent.stepping import IMAGE, IN_PLACE, WITH_RESTART, ScriptedHandler

STEPS = JOURNAL.with_name("steps")
SPOILED = 1_000
"""Which byte of another step's file a meddling handler overwrites."""


class ToldHandler(ScriptedHandler):
    """One that says what the medium did to it, as handlers have to."""

    def install(self, work: Work) -> None:
        """See Handler."""
        try:
            super().install(work)
        except OSError as error:
            raise StepError(f"step {work.step.name}: {error}") from error

    def undo(self, work: Work) -> None:
        """See Handler."""
        try:
            super().undo(work)
        except OSError as error:
            raise StepError(f"step {work.step.name}: {error}") from error

    def settle(self, work: Work) -> None:
        """See Handler."""
        try:
            super().settle(work)
        except OSError as error:
            raise StepError(f"step {work.step.name}: {error}") from error


class MeddlingHandler(ToldHandler):
    """One whose first step damages what the second one is to be handed."""

    def _begin(self, verb: str, work: Work) -> None:
        super()._begin(verb, work)
        if (verb, work.step.name) == ("install", "boot"):
            file = self.disk.open_slot(work.file.with_name("app.file"))
            file.write(SPOILED, b"?")
            file.sync()
            file.close()


@dataclass
class SteppedDevice(SimulatedDevice):
    """A device with two parts beside its slots."""

    meddles: bool = False
    """Whether one step damages the file of the next."""

    def _handler(self) -> ScriptedHandler:
        kind = MeddlingHandler if self.meddles else ToldHandler
        return kind(self.disk, self.kernel, self.broken, self.unfit, self.spoils)


def offered(kind: str) -> SteppedDevice:
    """Release 2 runs in slot b, its parts beside it; release 3 of steps is offered."""
    device = SteppedDevice.built()
    assert isinstance(device, SteppedDevice)
    device.fit_parts("boot", "app", version="2.0.0")
    device.run(device.offer(package(2), "earlier job"))
    device.cloud.reports.clear()
    device.offer(stepped_package(3, kind))
    return device


def around_an_image() -> SteppedDevice:
    """The image is in the slot, and most of the files are on the disk; the rest comes, and then the steps."""
    device = offered(IMAGE)
    link = device.link
    link.faults, link.fault_names, link.fault_after = [ChannelError("no route to the cloud")], {"app.bin"}, 60_000
    assert isinstance(device.work(), Suspended)
    device.start_agent()
    return device


def unhealthy_around_an_image() -> SteppedDevice:
    """Its health checks fail once all steps are done."""
    device = around_an_image()
    device.health.verdicts = ["no route to the cloud"]
    return device


def dead_around_an_image() -> SteppedDevice:
    """Its image never gets as far as the agent, which has done a step before."""
    device = around_an_image()
    device.dead = {Slot.A}
    return device


def in_place() -> SteppedDevice:
    """Nothing is of the slot."""
    return offered(IN_PLACE)


def meddled() -> SteppedDevice:
    """The same, in effect after a restart; the file of the second step is damaged as the first one is done."""
    device = offered(WITH_RESTART)
    device.meddles = True
    device.start_agent()
    return device


def disagreements(device: SimulatedDevice, version: str | None, report: Report) -> Iterator[str]:
    """Where the parts are not of `version`, which is told to run, and no report says that one could not be undone."""
    for name, found in device.parts().items():
        is_told = report.code is FailureCode.STEP_KEPT and f"step {name} could not be undone" in report.detail
        if found != version and not is_told:
            yield f"part {name} is of {found}, while {version} runs"


def leftovers(device: SimulatedDevice) -> Iterator[str]:
    """Files of releases that no update needs any more."""
    left = [str(path) for path in device.kernel.files() if STEPS in path.parents]
    if left and device.record.update is None:
        yield f"left over: {', '.join(left)}"
