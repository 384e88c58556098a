"""Lets each call to the operating system fail once, or from then on, and looks at what becomes of the update."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path
from random import Random
from typing import TypeVar

from agent.ports import Concluded, Idle, Rebooting, Suspended
from bridge.release.errors import OtabridgeError
from bridge.release.report import Outcome, Report
from tests.agent.device import SimulatedDevice
from tests.agent.power import Inode, Loss, SimulatedKernel
from tests.sweep.scenarios import KNOWN, Scenario, holds

PATIENCE = 3
"""Ends of the agent by an error, before whatever was wrong with the medium is put right."""
Answer = TypeVar("Answer")


class Harm(StrEnum):
    """What is wrong with the call."""

    ONCE = auto()
    """It does nothing and fails, with EIO. A sync gives up what it should have made durable, as Linux does."""
    UNTOLD = auto()
    """It does its work, and fails with EIO all the same."""
    FULL = auto()
    """From here on nothing can be written: ENOSPC."""
    DYING = auto()
    """From here on every call fails with EIO."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Call number `at` of the update, counting all kinds, is harmed."""

    at: int
    harm: Harm


class FaultyKernel(SimulatedKernel):
    """A kernel whose calls fail as `fault` says, until it is `mended`."""

    def __init__(self, before: SimulatedKernel, fault: Fault) -> None:
        super().__init__()
        self.__dict__.update(before.__dict__)
        self.fault = fault
        self.mended = False
        self.asked = 0
        self.harmed = ""

    def open(self, path: Path, flags: int) -> int:
        """See Kernel."""
        return self._do(
            f"open {path.name}", lambda: super(FaultyKernel, self).open(path, flags), writes=bool(flags & os.O_CREAT)
        )

    def write(self, descriptor: int, data: memoryview, offset: int) -> int:
        """See Kernel."""
        return self._do("write", lambda: super(FaultyKernel, self).write(descriptor, data, offset), writes=True)

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """See Kernel."""
        return self._do("read", lambda: super(FaultyKernel, self).read(descriptor, length, offset), writes=False)

    def length(self, descriptor: int) -> int:
        """See Kernel."""
        return self._do("length", lambda: super(FaultyKernel, self).length(descriptor), writes=False)

    def sync(self, descriptor: int) -> None:
        """See Kernel. After a failed one the data is lost, and the next one says that all is well: fsyncgate."""
        opened = self._open[descriptor]
        try:
            self._do("sync", lambda: super(FaultyKernel, self).sync(descriptor), writes=True)
        except OSError:
            if isinstance(opened, Inode) and self.fault.harm is not Harm.UNTOLD:
                self.give_up(opened)
            raise

    def rename(self, old: Path, new: Path) -> None:
        """See Kernel."""
        self._do(f"rename {new.name}", lambda: super(FaultyKernel, self).rename(old, new), writes=True)

    def _do(self, what: str, work: Callable[[], Answer], *, writes: bool) -> Answer:
        self.asked += not self.mended
        if self.mended or not self._is_harmed(writes=writes):
            return work()
        self.harmed = self.harmed or what
        if self.fault.harm is Harm.UNTOLD:
            work()
        number = errno.ENOSPC if self.fault.harm is Harm.FULL else errno.EIO
        raise OSError(number, os.strerror(number))

    def _is_harmed(self, *, writes: bool) -> bool:
        if self.fault.harm in (Harm.ONCE, Harm.UNTOLD):
            return self.asked == self.fault.at
        return self.asked >= self.fault.at and (writes or self.fault.harm is Harm.DYING)


@dataclass(frozen=True, slots=True)
class Finding:
    """One run and all that was wrong with it."""

    scenario: Scenario
    fault: Fault
    harmed: str
    violations: tuple[str, ...]


def every_fault(scenario: Scenario) -> Iterator[Fault]:
    """One of each harm at each call of an undisturbed run."""
    device = scenario.device()
    kernel = disturb(device, Fault(0, Harm.ONCE))
    _play(device, kernel)
    for at in range(1, kernel.asked + 1):
        for harm in Harm:
            yield Fault(at, harm)


def disturb(device: SimulatedDevice, fault: Fault) -> FaultyKernel:
    """Put the device on a medium with `fault`, its agent started anew."""
    kernel = FaultyKernel(device.kernel, fault)
    kernel.mended = True
    device.kernel = kernel
    device.start_agent()
    kernel.mended, kernel.asked = False, 0
    return kernel


def run(scenario: Scenario, fault: Fault) -> Finding:
    """Play `scenario` with `fault` to its end, as a service manager would; then cut the power and look again."""
    device = scenario.device()
    kernel = disturb(device, fault)
    try:
        report = _play(device, kernel)
        kernel.mended = True
        violations = (*_violations(device, report), *_violations_after_loss(device, kernel, report))
    except AssertionError as error:
        violations = (str(error),)
    return Finding(scenario, fault, kernel.harmed, violations)


def _play(device: SimulatedDevice, kernel: FaultyKernel) -> Report | None:
    failures = 0
    while True:
        kernel.mended = kernel.mended or failures >= PATIENCE
        try:
            step = device.work()
        except (OtabridgeError, OSError):
            failures += 1
            _start(device, kernel)
            continue
        match step:
            case Concluded(report, delivered=True):
                return report
            case Idle():
                return device.engine.status().last
            case Rebooting():
                device.kernel.settle()
                _start(device, kernel, device.power_up)
            case Suspended() | Concluded():
                _start(device, kernel)


def _start(device: SimulatedDevice, kernel: FaultyKernel, start: Callable[[], None] | None = None) -> None:
    # The firmware of the simulated board has no other medium to tell the agent which slot it chose.
    mended, kernel.mended = kernel.mended, True
    (start or device.start_agent)()
    kernel.mended = mended


def _violations(device: SimulatedDevice, report: Report | None) -> Iterator[str]:
    if report is None:
        yield "the offer was never concluded"
        return
    status = device.engine.status()
    if report.outcome not in (Outcome.INSTALLED, Outcome.FAILED, Outcome.FELL_BACK):
        yield f"ended {report.outcome}"
    if report.slot != device.booted or report.version != KNOWN.get(device.running_image()):
        yield f"reported {report.version} in slot {report.slot} ({report.detail}), slot {device.booted} runs"
    if {each for _, each in device.cloud.reports} - {report}:
        yield f"different ends were reported: {device.cloud.reports}"
    if status.version != report.version:
        yield f"status shows version {status.version}"


def _violations_after_loss(device: SimulatedDevice, kernel: FaultyKernel, report: Report | None) -> Iterator[str]:
    kernel.mended = True
    kernel.lose(Loss.LOST, Random(0))
    device.power_up()
    step = device.work()
    while step == Rebooting():
        device.power_up()
        step = device.work()
    if holds(kernel, device.booted) is None:
        yield f"slot {device.booted} runs and holds no signed image"
    if report is not None and report.outcome is Outcome.INSTALLED and device.booted != report.slot:
        yield f"slot {report.slot} was reported installed, slot {device.booted} runs"
    if {each for _, each in device.cloud.reports} - {report}:
        yield f"another end was reported later: {device.cloud.reports}"
    status = device.engine.status()
    if {status.default, status.expected} != {device.booted} or status.trial is not None:
        yield f"slot {device.booted} runs, {status}"
