"""More planted bugs: an act left out, or two in the wrong order. Each breaks a rule, which a power cut then shows.

Those in `bugs` show in full recoveries as well; with these the medium is wrong for a moment that is easily missed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from agent.bootloaders import file, grubenv
from agent.bootloaders.file import Environment, environment_paths, read_environment, render
from agent.bootloaders.grub import Environment as GrubEnvironment
from agent.bootloaders.grub import Grub, variables_of
from agent.bootloaders.grubenv import Block
from agent.bootloaders.sdboot import SystemFolder
from agent.disk import Disk, SystemDisk
from agent.image.imagewriter import ImageWriter
from agent.slots import Slot
from agent.update.judging import Judging
from agent.update.machine import Event
from agent.update.record import Plan, Record
from agent.update.trial import Trial
from agent.update.writing import Writing
from bridge.release.delta.checkpoint import Checkpoint
from bridge.release.report import Outcome
from tests.sweep.bugs import BUGS
from tests.sweep.crashes import BLOCK, Breadth
from tests.sweep.exploring import inspected, recorded
from tests.sweep.scenarios import DEAD_STEPS, EXPLORED, STEPPED, Scenario
from tests.sweep.stepbugs import STEP_BUGS

Plant = Callable[[pytest.MonkeyPatch], None]
COARSE = Breadth(all_up_to=64, grain=BLOCK, draws=8)
"""What shows a mutant soon; the sweep looks closer."""


def environment_truncated(patch: pytest.MonkeyPatch) -> None:
    """The boot environment is one file, truncated and then written, as grub-editenv does."""

    def write(directory: Path, disk: Disk, environment: Environment) -> None:
        assert isinstance(disk, SystemDisk)
        known = read_environment(directory, disk) or Environment()
        data = render(replace(environment, serial=known.serial + 2))
        for path in environment_paths(directory):
            opened = disk._open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            opened.write(0, data)
        opened.sync()

    patch.setattr(file, "write_environment", write)


def grubenv_truncated(patch: pytest.MonkeyPatch) -> None:
    """The same with GRUB's block."""

    def write(self: Grub, environment: GrubEnvironment) -> None:
        disk, data = self._disk, grubenv.render(self._block().with_variables(variables_of(environment)))
        assert isinstance(disk, SystemDisk)
        opened = disk._open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        opened.write(0, data)
        opened.sync()

    patch.setattr(Grub, "_write", write)


def grub_variables_last(patch: pytest.MonkeyPatch) -> None:
    """Ours lie behind those of others in GRUB's block, across two sectors, which GRUB does not write as one."""

    def with_variables(self: Block, changes: dict[str, str]) -> Block:
        merged = {**self.variables, **changes}
        return Block(self.comments, {name: value for name, value in merged.items() if value})

    patch.setattr(Block, "with_variables", with_variables)


def entries_never_synced(patch: pytest.MonkeyPatch) -> None:
    """The name of systemd-boot's entry is changed, and the change left in the cache."""

    def rename(self: SystemFolder, old: str, new: str) -> None:
        self._kernel.rename(self._path / old, self._path / new)

    patch.setattr(SystemFolder, "rename", rename)


def environment_renamed_before_sync(patch: pytest.MonkeyPatch) -> None:
    """Both copies of the boot environment get their names while their data is on the way."""

    def write(directory: Path, disk: Disk, environment: Environment) -> None:
        assert isinstance(disk, SystemDisk)
        path = environment_paths(directory)[environment.serial % 2]
        draft = path.with_name(path.name + ".new")
        disk._open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC).write(0, render(environment))
        disk._kernel.rename(draft, path)
        disk._sync_folder(directory)

    patch.setattr(file, "_write_copy", write)


def marked_after_writing(patch: pytest.MonkeyPatch) -> None:
    """The slot is made unbootable, but only once it was written."""
    write = Writing.write

    def prepare(self: Writing) -> None:
        self._context.journal.move(Event.PREPARED, self._context.record)

    def write_and_mark(self: Writing) -> None:
        write(self)
        self._context.ports.boots.mark_unbootable(self._context.plan.target)

    patch.setattr(Writing, "prepare", prepare)
    patch.setattr(Writing, "write", write_and_mark)


def switched_before_the_check(patch: pytest.MonkeyPatch) -> None:
    """The boot loader is told to try the slot before it was read back."""
    check = Writing.check

    def switch_and_check(self: Writing) -> None:
        self._context.ports.boots.try_slot(self._context.plan.target)
        check(self)

    patch.setattr(Writing, "check", switch_and_check)


def switched_before_the_sync(patch: pytest.MonkeyPatch) -> None:
    """The boot loader is told to try the slot while its last bytes are on their way."""
    finish = ImageWriter.finish
    install = Writing._install

    def install_and_switch(self: Writing, artifact: object) -> Checkpoint:
        def switch_and_finish(writer: ImageWriter) -> Checkpoint:
            self._context.ports.boots.try_slot(self._context.plan.target)
            return finish(writer)

        patch.setattr(ImageWriter, "finish", switch_and_finish)
        return install(self, artifact)  # type: ignore[arg-type] # whatever it was given

    patch.setattr(Writing, "_install", install_and_switch)


def switched_before_it_is_journalled(patch: pytest.MonkeyPatch) -> None:
    """The effect comes before the state that announces it."""
    check = Writing.check

    def check_and_switch(self: Writing) -> None:
        journal = self._context.journal
        move = journal.move

        def switch_and_move(event: Event, record: Record) -> None:
            if event is Event.MATCHED:
                self._context.ports.boots.try_slot(self._context.plan.target)
            move(event, record)

        journal.move = switch_and_move  # type: ignore[method-assign] # that is the bug
        check(self)
        journal.move = move  # type: ignore[method-assign] # as it was

    patch.setattr(Writing, "check", check_and_switch)


def committed_before_health(patch: pytest.MonkeyPatch) -> None:
    """The slot becomes the default as soon as it runs; the health checks come after that."""
    prove = Trial.prove

    def commit_and_prove(self: Trial) -> None:
        self._context.ports.boots.commit(self._context.plan.target)
        prove(self)

    patch.setattr(Trial, "prove", commit_and_prove)


def told_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """The cloud hears of the installation before the boot loader does."""
    commit = Trial.commit

    def tell_and_commit(self: Trial) -> None:
        self._context.reporter.conclude(self._context.report(Outcome.INSTALLED))
        commit(self)

    patch.setattr(Trial, "commit", tell_and_commit)


def floor_raised_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """The floor rises when the release is accepted, above what the device still runs."""
    accept = Judging._accept

    def raise_and_accept(self: Judging, release: object, plan: Plan, now: object) -> None:
        raised = msgspec.structs.replace(self._context.record, floor=plan.goal.floor)
        self._context.journal.keep(raised)
        accept(self, release, plan, now)  # type: ignore[arg-type] # whatever it was given

    patch.setattr(Judging, "_accept", raise_and_accept)


def slot_not_forgotten(patch: pytest.MonkeyPatch) -> None:
    """The journal says what the slot held until something else is installed there."""

    def emptied(self: Record, _slot: Slot) -> Record:
        return self

    patch.setattr(Record, "emptied", emptied)


MUTANTS: tuple[Plant, ...] = (
    *BUGS,
    environment_truncated,
    grubenv_truncated,
    grub_variables_last,
    entries_never_synced,
    environment_renamed_before_sync,
    marked_after_writing,
    switched_before_the_check,
    switched_before_the_sync,
    switched_before_it_is_journalled,
    committed_before_health,
    told_before_the_commit,
    floor_raised_before_the_commit,
    slot_not_forgotten,
    *STEP_BUGS,
)


def hunted(number: int) -> tuple[str, str]:
    """The name of a mutant, and what shows it: the end of an undisturbed run or a state of a power cut in it; "" if it
    is not caught."""
    plant = MUTANTS[number]
    return plant.__name__, next(_traces(plant), "")


def _traces(plant: Plant) -> Iterator[str]:
    for scenario in _grounds(plant):
        with pytest.MonkeyPatch.context() as patch:
            plant(patch)
            tape, wrong = recorded(scenario)
        yield from (f"{scenario.name}: {text}" for text in wrong)
        for _, _, found in inspected(scenario, tape, COARSE):
            yield from (f"{scenario.name}: {text}" for text in found)


def _grounds(plant: Plant) -> Iterator[Scenario]:
    """Where it can show at all, the likeliest first."""
    has_steps = plant in STEP_BUGS
    return (scenario for scenario in reversed(EXPLORED) if (scenario in (*STEPPED, DEAD_STEPS)) is has_steps)
