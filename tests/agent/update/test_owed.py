"""What is owed is found again, and only that."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from agent.disk import SystemDisk
from agent.handling import StepError
from agent.slots import Slot
from agent.update.owed import Debts, Owed
from agent.update.record import Holding, Plan, StepPlan
from bridge.release.image import Image
from bridge.release.manifest import Artifact, Codec
from tests.agent.power import SimulatedKernel
from tests.agent.stepping import APP

STEPS = Path("/state/steps")
DIGEST, OTHER = "ab" * 32, "cd" * 32
FILE = Artifact("app.bin", 3, "ef" * 32, Image(3, "ef" * 32), Codec.FILE, step="app")
OWED = Owed("job-1", DIGEST, Plan(Slot.B, Holding(version="2.0.0"), steps=(StepPlan(APP, FILE),), before=1))


def test_what_is_owed_is_found_until_it_is_forgotten():
    """By another process, from the disk alone."""
    disk = SystemDisk(SimulatedKernel())
    assert Debts(disk, STEPS).found() is None

    Debts(disk, STEPS).note(OWED)
    assert Debts(disk, STEPS).found() == OWED

    Debts(disk, STEPS).forget(DIGEST)
    assert Debts(disk, STEPS).found() is None


def test_sweeping_spares_what_is_owed_and_what_waits():
    """The folder of a release of which nothing is owed goes, whatever is in it."""
    kernel = SimulatedKernel()
    disk, debts = SystemDisk(kernel), Debts(SystemDisk(kernel), STEPS)
    debts.note(OWED)
    for name in (OTHER[:16], "01" * 8):
        disk.replace(STEPS / name / "app.file", b"bin")
        disk.replace(STEPS / name / "app" / "before", b"old")

    debts.sweep(OTHER)

    assert disk.names(STEPS) == sorted([DIGEST[:16], OTHER[:16]])
    debts.forget(DIGEST)
    debts.sweep()
    assert disk.names(STEPS) == []


def test_a_note_that_is_not_understood_is_left_and_said(caplog):
    """Nothing is undone by it, and nothing removed: a person may look at it."""
    disk = SystemDisk(SimulatedKernel())
    disk.replace(STEPS / DIGEST[:16] / "owed.json", b'{"offer": 5}')

    assert Debts(disk, STEPS).found() is None
    Debts(disk, STEPS).sweep()

    assert disk.names(STEPS) == [DIGEST[:16]]
    assert "owed.json is not understood, and nothing is undone by it" in caplog.text


def test_without_the_note_no_step_begins():
    """A full disk is an error that says so."""
    kernel = SimulatedKernel()
    kernel.faults["write owed.json"] = OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StepError, match=r"owed.json cannot be written: No space left on device; no step was begun"):
        Debts(SystemDisk(kernel), STEPS).note(OWED)


def test_a_disk_that_fails_forgets_nothing_and_stops_nothing(caplog):
    """Neither sweeping nor looking for debts is worth an end of the agent."""
    kernel = SimulatedKernel()
    debts = Debts(SystemDisk(kernel), STEPS)
    debts.note(OWED)
    kernel.faults.update({"list": OSError(errno.EIO, "Input/output error"), "remove": OSError(errno.EIO, "broken")})

    debts.sweep()
    debts.forget(DIGEST)

    assert debts.found() is None
    assert "what is owed is not known" in caplog.text
    kernel.faults.clear()
    assert debts.found() == OWED
