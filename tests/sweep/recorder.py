"""Records every call by which a device changes its medium, while its real agent runs, and what was promised by then.

recording = Recording(scenario)
wrong = recording.run()
recording.tape()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.bootloaders.file import environment_paths
from agent.bootloaders.file import parse as parse_environment
from agent.disk import SystemDisk
from agent.slots import Slot
from agent.update.journal import parse, serial_of
from agent.update.record import Record
from bridge.release.report import Outcome, Report
from tests.agent.device import FOLDER, JOURNAL_COPIES, SimulatedCloud, SimulatedHealth
from tests.agent.power import Inode, Naming, PowerCut, SimulatedKernel, Write
from tests.sweep.cuts import violations_at_end
from tests.sweep.scenarios import Scenario


@dataclass(frozen=True, slots=True)
class Known:
    """What must be true after a power cut from now on, for somebody was told or relies on it.

    `record` with `serial` is the last one that the journal said to have kept, `environment` the serial of the last
    boot environment that was; `good` are the slots that may be the default: the one told installed last, and those
    proved healthy since.
    """

    record: Record = field(default_factory=Record)
    serial: int = -1
    environment: int = -1
    good: frozenset[Slot] = frozenset()


@dataclass(frozen=True, slots=True)
class Synced:
    """All that was written to `inode` is on the medium."""

    inode: Inode


@dataclass(frozen=True, slots=True)
class SyncedNames:
    """So are the names in `folder`."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Settled:
    """So is everything: an orderly shutdown."""


Act = Write | Naming | Synced | SyncedNames | Settled | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One step: what was done, at which of the kernel's calls, and what is known after it. Without an act something was
    learned."""

    call: int
    moment: str
    act: Act
    known: Known


@dataclass(frozen=True, slots=True)
class Tape:
    """All steps after the moment at which `files` were the whole medium."""

    files: Mapping[Path, tuple[Inode, bytes]]
    entries: Sequence[Entry]


class RecordingKernel(SimulatedKernel):
    """A kernel that writes down what changes its medium, from `begin` on."""

    def begin(self, known: Known) -> None:
        """The recording begins: the medium is at rest, and this much is known."""
        self.known = known
        self._files = {path: (inode, bytes(inode.live)) for path, inode in self._names.items()}
        self._entries: list[Entry] = []

    def take(self) -> Tape:
        """The recording so far."""
        return Tape(self._files, tuple(self._entries))

    def write(self, descriptor: int, data: memoryview, offset: int) -> int:
        """See Kernel."""
        inode = self._inode(descriptor)
        self._note(self.calls + 1, f"write {self._name(inode)}", Write(inode, offset, bytes(data)))
        return super().write(descriptor, data, offset)

    def flush(self, inode: Inode) -> None:
        """See SimulatedKernel."""
        self._note(self.calls, f"sync {self._name(inode)}", Synced(inode))
        super().flush(inode)

    def settle(self) -> None:
        """See SimulatedKernel."""
        self._note(self.calls, "shutdown", Settled())
        super().settle()

    def learn(self, moment: str, **known: object) -> None:
        """From here on more must be true."""
        self.known = replace(self.known, **known)  # type: ignore[arg-type] # fields of Known, as the caller names them
        self._note(self.calls, moment, None)

    def _name_it(self, naming: Naming) -> None:
        verb = "remove" if naming.inode is None else "create" if naming.gone is None else "rename"
        self._note(self.calls + 1, f"{verb} {naming.path.name}", naming)
        super()._name_it(naming)

    def _sync_names(self, folder: Path) -> None:
        self._note(self.calls, f"sync folder {folder.name}", SyncedNames(folder))
        super()._sync_names(folder)

    def _note(self, call: int, moment: str, act: Act) -> None:
        self._entries.append(Entry(call, moment, act, self.known))


class RecordingDisk(SystemDisk):
    """The real disk code over a recording kernel; what `replace` has returned from is relied on."""

    def __init__(self, kernel: SimulatedKernel) -> None:
        assert isinstance(kernel, RecordingKernel)
        super().__init__(kernel)
        self._recorder = kernel

    def replace(self, path: Path, data: bytes) -> None:
        """See Disk."""
        super().replace(path, data)
        if path in JOURNAL_COPIES:
            self._recorder.learn("journal kept", record=parse(data), serial=serial_of(data))
        if path in environment_paths(FOLDER):
            self._recorder.learn("environment written", environment=parse_environment(data).serial)


@dataclass
class WitnessedCloud(SimulatedCloud):
    """A cloud that says when it was told an end."""

    told: Callable[[Report], None] = field(kw_only=True)

    def conclude(self, offer_id: str, report: Report) -> None:
        """See Channel."""
        super().conclude(offer_id, report)
        self.told(report)


@dataclass
class WitnessedHealth(SimulatedHealth):
    """Health checks that say when a slot was proved."""

    proved: Callable[[], None] = field(kw_only=True)

    def prove(self, names: Sequence[str]) -> str | None:
        """See Health."""
        verdict = super().prove(names)
        if verdict is None:
            self.proved()
        return verdict


class Recording:
    """The device of a scenario, its agent started anew, on a recording kernel."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._ended_with: Tape | None = None
        self.device = scenario.device()
        self.offer = self.device.cloud.offer
        self.device.kernel.settle()
        files = self.device.kernel.files()
        self._put_on(files, _known(scenario, files))
        self.device.make_disk = RecordingDisk
        self.device.cloud = WitnessedCloud(**vars(self.device.cloud), told=self._hear)
        self.device.health = WitnessedHealth(**vars(self.device.health), proved=self._witness)
        self.device.start_agent()

    def run(self) -> list[str]:
        """Work on the offer to its end; what is wrong with that."""
        return self._ended(self.device.run)

    def run_to(self, call: int) -> None:
        """Work on it until the power is cut at this call of the kernel."""
        self.kernel.cut_at = call
        with suppress(PowerCut):
            self.device.run()

    def go_on(self, files: Mapping[Path, bytes], known: Known) -> list[str]:
        """The power comes back, and the medium holds `files`: another recording begins, up to the end of the offer."""
        self._put_on(files, known)
        return self._ended(self.device.power_up_and_run)

    def tape(self) -> Tape:
        """The recording so far; after the end of the offer, up to there."""
        return self._ended_with or self.kernel.take()

    def _put_on(self, files: Mapping[Path, bytes], known: Known) -> None:
        self.kernel = RecordingKernel.holding(files)
        self.kernel.begin(known)
        self.device.kernel = self.kernel

    def _ended(self, work: Callable[[], Report | None]) -> list[str]:
        try:
            work()
            self._ended_with = self.kernel.take()
            return list(violations_at_end(self.device, self.scenario, self.offer))
        except AssertionError as error:
            return [str(error)]

    def _hear(self, report: Report) -> None:
        if report.outcome is Outcome.INSTALLED:
            self.kernel.learn(f"told: {report.outcome} in slot {report.slot}", good=frozenset({Slot(report.slot)}))

    def _witness(self) -> None:
        good = self.kernel.known.good | {self.device.booted}
        self.kernel.learn(f"slot {self.device.booted} proved", good=good)


def _known(scenario: Scenario, files: Mapping[Path, bytes]) -> Known:
    """What a device can rely on whose medium is at rest."""
    firmware = scenario.board.firmware(files)
    assert firmware is not None
    known = Known(environment=firmware.serial, good=frozenset({firmware.default}))
    kept = [files[path] for path in JOURNAL_COPIES if path in files]
    if kept:
        newest = max(kept, key=serial_of)
        known = replace(known, record=parse(newest), serial=serial_of(newest))
    return known
