"""No failing call of the operating system leaves a device without a verified bootable slot, or with a false report.

A sample of the calls and kinds of harm; `make sweep` lets every call fail in every way.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from agent.bootloaders import file
from agent.bootloaders.file import Environment, FileBootLoader, _write_copy, read_environment
from agent.disk import Disk
from agent.image.slotfile import SlotFile
from agent.slots import BootEnvironmentError
from agent.update.journal import Journal
from agent.update.record import Record
from tests.sweep.faults import Fault, Harm, every_fault, run
from tests.sweep.scenarios import SCENARIOS, prepare_anew

FIRST = SCENARIOS[0]
SAMPLE = 11
"""One fault in so many, other ones in each scenario."""


@pytest.mark.parametrize(("number", "scenario"), [*enumerate(SCENARIOS)], ids=[scenario.name for scenario in SCENARIOS])
def test_any_failing_call_leaves_a_bootable_slot_and_one_truth(number, scenario):
    """EIO, ENOSPC or EROFS, once or from then on, before the call or after it, or a write that is done by half: the
    update comes to an end that is true.

    Of the list of faults, which is whole, one in eleven.
    """
    faults = list(every_fault(scenario))

    findings = [run(scenario, fault) for fault in faults[number % SAMPLE :: SAMPLE]]

    assert len(faults) > 300
    assert {fault.harm for fault in faults} == set(Harm)
    assert all(finding.harmed for finding in findings)
    assert [finding for finding in findings if finding.violations] == []


def sync_error_ignored(patch: pytest.MonkeyPatch) -> None:
    """The next sync says that all is well, so why not go on."""

    def sync(self: SlotFile) -> None:
        with suppress(OSError):
            self._file.sync()

    patch.setattr(SlotFile, "sync", sync)


def older_copy_believed(patch: pytest.MonkeyPatch) -> None:
    """A copy of the boot environment that cannot be read is passed over, and no spare one is kept."""

    def read(self: FileBootLoader) -> Environment:
        environment = read_environment(self._directory, self._disk)
        if environment is None:
            raise BootEnvironmentError("there is none")
        return environment

    def write(directory: Path, disk: Disk, environment: Environment) -> None:
        known = read_environment(directory, disk) or Environment()
        _write_copy(directory, disk, replace(environment, serial=known.serial + 1))

    patch.setattr(FileBootLoader, "_read", read)
    patch.setattr(file, "write_environment", write)


def reported_without_the_journal(patch: pytest.MonkeyPatch) -> None:
    """An end is told although the file may hold that the update goes on."""

    def forget_update(self: Journal) -> None:
        self.record = Record()

    patch.setattr(Journal, "forget_update", forget_update)


BUGS = (sync_error_ignored, older_copy_believed, reported_without_the_journal)


@pytest.fixture
def planted(monkeypatch):
    """For a bug: no device was prepared without it, and none that was prepared with it remains."""
    prepare_anew()
    yield monkeypatch
    prepare_anew()


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_caught(plant, planted):
    """Each shows as a violation at some fault."""
    plant(planted)

    assert run(FIRST, Fault(0, Harm.ONCE)).violations == ()
    assert any(run(FIRST, fault).violations for fault in every_fault(FIRST))
