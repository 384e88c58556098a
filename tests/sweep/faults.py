"""Lets each call to the operating system fail once, or from then on, and looks at what becomes of the update."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum, auto
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TypeVar

from agent.ports import Concluded, Idle, Rebooting, Suspended
from bridge.release.errors import FailureCode, OtabridgeError
from bridge.release.report import Outcome, Report
from tests.agent.device import JOURNAL, SimulatedDevice
from tests.agent.power import Inode, Loss, SimulatedKernel
from tests.sweep.scenarios import Scenario, holds
from tests.sweep.stepping import disagreements, leftovers

PATIENCE = 3
"""Ends of the agent by an error, before whatever was wrong with the medium is put right."""
Answer = TypeVar("Answer")


class Kind(StrEnum):
    """What a call does to the medium."""

    READ = auto()
    OPEN = auto()
    """For writing what is there already."""
    CHANGE = auto()
    """Creates, renames or syncs."""
    WRITE = auto()
    REMOVE = auto()


class Harm(StrEnum):
    """What is wrong with the call."""

    ONCE = auto()
    """It does nothing and fails, with EIO. A sync gives up what it should have made durable, as Linux does; the next
    one says that all is well."""
    UNTOLD = auto()
    """It does its work, and fails with EIO all the same."""
    SHORT = auto()
    """It writes the first half, and says so."""
    OVERFLOWING = auto()
    """So it does, and from there on nothing more can be written: ENOSPC."""
    FULL = auto()
    """From here on nothing can be written: ENOSPC."""
    JOURNAL_FULL = auto()
    """From here on nothing can be written where the journal lies; slots and boot environment can."""
    READ_ONLY = auto()
    """From here on nothing can be opened for writing or written: EROFS, as after a file system found an error."""
    DYING = auto()
    """From here on every call fails with EIO."""


LASTING = frozenset({Harm.OVERFLOWING, Harm.FULL, Harm.JOURNAL_FULL, Harm.READ_ONLY, Harm.DYING})
ERRORS = {Harm.OVERFLOWING: errno.ENOSPC, Harm.FULL: errno.ENOSPC, Harm.JOURNAL_FULL: errno.ENOSPC}
ERRORS |= {Harm.READ_ONLY: errno.EROFS}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the operating system."""

    what: str
    kind: Kind
    path: Path

    @property
    def is_beside_journal(self) -> bool:
        """Whether the journal, a draft of it, its folder or what else lies there is meant."""
        return JOURNAL.parent in (self.path, *self.path.parents)

    def suffers(self, harm: Harm) -> bool:
        """Whether the call fails where the medium has `harm`. A full one lets what is there be opened, and removed."""
        match harm:
            case Harm.OVERFLOWING | Harm.FULL:
                return self.kind in (Kind.CHANGE, Kind.WRITE)
            case Harm.JOURNAL_FULL:
                return self.kind in (Kind.CHANGE, Kind.WRITE) and self.is_beside_journal
            case Harm.READ_ONLY:
                return self.kind is not Kind.READ
            case _:
                return True

    def harms(self, before: Call | None) -> Iterator[Harm]:
        """Those that show at this very call, after `before`, and not as well at the next one."""
        for harm in Harm:
            halved = harm in (Harm.SHORT, Harm.OVERFLOWING) and self.kind is not Kind.WRITE
            done = harm is Harm.UNTOLD and self.kind in (Kind.READ, Kind.OPEN)
            dead = harm is Harm.DYING and self.kind is Kind.READ and before is not None and before.kind is Kind.READ
            if self.suffers(harm) and not (halved or done or dead):
                yield harm


@dataclass(frozen=True, slots=True)
class Fault:
    """Call number `at` of the update, counting all kinds, is harmed."""

    at: int
    harm: Harm


class FaultyKernel(SimulatedKernel):
    """A kernel whose calls fail as `fault` says, until it is `mended`; `asked` has those made until then."""

    def __init__(self, before: SimulatedKernel, fault: Fault) -> None:
        super().__init__()
        self.__dict__.update(before.__dict__)
        self.fault = fault
        self.mended = False
        self.asked: list[Call] = []
        self.harmed = ""

    def open(self, path: Path, flags: int) -> int:
        """See Kernel."""
        to_write = Kind.OPEN if flags & (os.O_WRONLY | os.O_RDWR) else Kind.READ
        call = Call(f"open {path.name}", Kind.CHANGE if flags & os.O_CREAT else to_write, path)
        return self._do(call, lambda: super(FaultyKernel, self).open(path, flags))

    def write(self, descriptor: int, data: memoryview, offset: int) -> int:
        """See Kernel."""
        call = Call("write", Kind.WRITE, self._path(descriptor))
        halved = len(self.asked) + 1 == self.fault.at and self.fault.harm in (Harm.SHORT, Harm.OVERFLOWING)
        taken = data[: max(1, len(data) // 2)] if halved and not self.mended else data
        return self._do(call, lambda: super(FaultyKernel, self).write(descriptor, taken, offset))

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """See Kernel."""
        call = Call("read", Kind.READ, self._path(descriptor))
        return self._do(call, lambda: super(FaultyKernel, self).read(descriptor, length, offset))

    def length(self, descriptor: int) -> int:
        """See Kernel."""
        call = Call("length", Kind.READ, self._path(descriptor))
        return self._do(call, lambda: super(FaultyKernel, self).length(descriptor))

    def sync(self, descriptor: int) -> None:
        """See Kernel. After a failed one the data is lost, and the next one says that all is well: fsyncgate."""
        opened = self._open[descriptor]
        try:
            call = Call("sync", Kind.CHANGE, self._path(descriptor))
            self._do(call, lambda: super(FaultyKernel, self).sync(descriptor))
        except OSError:
            if isinstance(opened, Inode) and self.fault.harm is not Harm.UNTOLD:
                self.give_up(opened)
            raise

    def rename(self, old: Path, new: Path) -> None:
        """See Kernel."""
        call = Call(f"rename {new.name}", Kind.CHANGE, new)
        self._do(call, lambda: super(FaultyKernel, self).rename(old, new))

    def make_folder(self, path: Path) -> None:
        """See Kernel."""
        call = Call(f"make {path.name}", Kind.CHANGE, path)
        self._do(call, lambda: super(FaultyKernel, self).make_folder(path))

    def names(self, folder: Path) -> list[str]:
        """See Kernel."""
        call = Call(f"list {folder.name}", Kind.READ, folder)
        return self._do(call, lambda: super(FaultyKernel, self).names(folder))

    def remove(self, path: Path) -> None:
        """See Kernel."""
        call = Call(f"remove {path.name}", Kind.REMOVE, path)
        self._do(call, lambda: super(FaultyKernel, self).remove(path))

    def remove_folder(self, path: Path) -> None:
        """See Kernel."""
        call = Call(f"remove {path.name}", Kind.REMOVE, path)
        self._do(call, lambda: super(FaultyKernel, self).remove_folder(path))

    def free(self, folder: Path) -> int:
        """See Kernel."""
        call = Call(f"free {folder.name}", Kind.READ, folder)
        return self._do(call, lambda: super(FaultyKernel, self).free(folder))

    def _path(self, descriptor: int) -> Path:
        opened = self._open[descriptor]
        return opened if isinstance(opened, Path) else Path(self.opened(descriptor) or "?")

    def _do(self, call: Call, work: Callable[[], Answer]) -> Answer:
        if self.mended:
            return work()
        self.asked.append(call)
        if not self._is_harmed(call):
            return work()
        self.harmed = self.harmed or call.what
        if self.fault.harm in (Harm.SHORT, Harm.OVERFLOWING) and len(self.asked) == self.fault.at:
            return work()
        if self.fault.harm is Harm.UNTOLD:
            work()
        number = ERRORS.get(self.fault.harm, errno.EIO)
        raise OSError(number, os.strerror(number))

    def _is_harmed(self, call: Call) -> bool:
        if self.fault.harm in LASTING:
            return len(self.asked) >= self.fault.at and call.suffers(self.fault.harm)
        return len(self.asked) == self.fault.at


@dataclass(frozen=True, slots=True)
class Finding:
    """One run and all that was wrong with it."""

    scenario: Scenario
    fault: Fault
    harmed: str
    violations: tuple[str, ...]


def every_fault(scenario: Scenario) -> Iterator[Fault]:
    """One of each harm at each call of an undisturbed run where it shows first."""
    device = scenario.device()
    kernel = disturb(device, Fault(0, Harm.ONCE))
    _play(device, kernel)
    for at, (before, call) in enumerate(pairwise([None, *kernel.asked]), start=1):
        if call is not None:
            yield from (Fault(at, harm) for harm in call.harms(before))


def disturb(device: SimulatedDevice, fault: Fault) -> FaultyKernel:
    """Put the device on a medium with `fault`, its agent started anew."""
    kernel = FaultyKernel(device.kernel, fault)
    kernel.mended = True
    device.kernel = kernel
    device.start_agent()
    kernel.mended, kernel.asked = False, []
    return kernel


def run(scenario: Scenario, fault: Fault) -> Finding:
    """Play `scenario` with `fault` to its end, as a service manager would; then cut the power and look again."""
    device = scenario.device()
    kernel = disturb(device, fault)
    try:
        report = _play(device, kernel)
        kernel.mended = True
        at_end = _violations(scenario, device, report)
        violations = (*at_end, *_violations_after_loss(device, kernel, report))
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


def _violations(scenario: Scenario, device: SimulatedDevice, report: Report | None) -> Iterator[str]:
    if report is None:
        yield "the offer was never concluded"
        return
    status = device.engine.status()
    if report.outcome not in (Outcome.INSTALLED, Outcome.FAILED, Outcome.FELL_BACK):
        yield f"ended {report.outcome}"
    yield from disagreements(device, report.version, report)
    if report.slot != device.booted or report.version != _told_version(scenario, device, report):
        yield f"reported {report.version} in slot {report.slot} ({report.detail}), slot {device.booted} runs"
    if {each for _, each in device.cloud.reports} - {report}:
        yield f"different ends were reported: {device.cloud.reports}"
    if status.version != report.version:
        yield f"status shows version {status.version}"


def _told_version(scenario: Scenario, device: SimulatedDevice, report: Report) -> str | None:
    """The version that the device runs; beside parts of which one could not be undone it is that of the others."""
    if scenario.in_place and report.code is FailureCode.STEP_KEPT:
        return report.version
    return scenario.running_version(device)


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
    yield from leftovers(device)
    if report is not None and report.version == device.engine.status().version:
        yield from disagreements(device, report.version, report)
    if report is not None and report.outcome is Outcome.INSTALLED and device.booted != report.slot:
        yield f"slot {report.slot} was reported installed, slot {device.booted} runs"
    if {each for _, each in device.cloud.reports} - {report}:
        yield f"another end was reported later: {device.cloud.reports}"
    status = device.engine.status()
    if {status.default, status.expected} != {device.booted} or status.trial is not None:
        yield f"slot {device.booted} runs, {status}"
