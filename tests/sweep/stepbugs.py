"""Planted bugs of releases with steps: each breaks one rule of all or nothing."""

from __future__ import annotations

import os

import msgspec
import pytest

from agent.disk import SystemDisk
from agent.ports import Rebooting
from agent.update import undoing
from agent.update.applying import Applying
from agent.update.machine import Event
from agent.update.owed import NOTE, Debts, Owed, folder_of
from agent.update.record import Record, StepPlan
from agent.update.staging import Arriving
from agent.update.steps import Steps
from agent.update.trial import Trial
from agent.update.undoing import Undoing


def begun_after_it_was_installed(patch: pytest.MonkeyPatch) -> None:
    """The journal hears of a step when it is in effect already."""
    keep_begun = Applying._begun

    def install_and_begin(self: Applying, number: int, planned: StepPlan) -> Record:
        self._install(planned)
        return keep_begun(self, number, planned)

    patch.setattr(Applying, "_begun", install_and_begin)


def handed_over_unread(patch: pytest.MonkeyPatch) -> None:
    """A handler gets what lies there, which was signed when it was fetched."""

    def require_file(_self: Steps, _planned: StepPlan) -> None:
        return

    patch.setattr(Steps, "require_file", require_file)


def undone_from_the_first_on(patch: pytest.MonkeyPatch) -> None:
    """Steps are undone in the order in which they were done; the journal counts as if in reverse."""
    patch.setattr(undoing, "reversed", tuple, raising=False)


def settled_before_the_verdict(patch: pytest.MonkeyPatch) -> None:
    """Ways back are dropped as soon as the release is proved, and then the commit is journalled."""
    commit = Trial.commit

    def settle_and_commit(self: Trial) -> None:
        for planned in self._context.plan.steps:
            self._steps.handler(planned).settle(self._steps.work(planned))
        commit(self)

    patch.setattr(Trial, "commit", settle_and_commit)


def note_never_synced(patch: pytest.MonkeyPatch) -> None:
    """What is owed is written, and left in the cache."""

    def note(self: Debts, owed: Owed) -> None:
        disk = self._disk
        assert isinstance(disk, SystemDisk)
        file = disk._open(folder_of(self._steps, owed.digest) / NOTE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        file.write(0, msgspec.json.encode(owed))
        file.close()

    patch.setattr(Debts, "note", note)


def note_taken_away_before_undoing(patch: pytest.MonkeyPatch) -> None:
    """What is owed is forgotten as soon as somebody begins to pay."""
    undo = Undoing.undo

    def forget_and_undo(self: Undoing) -> Rebooting | None:
        self._steps.owe_nothing()
        return undo(self)

    patch.setattr(Undoing, "undo", forget_and_undo)


def staged_before_the_sync(patch: pytest.MonkeyPatch) -> None:
    """The journal says that bytes of a file are durable before they are."""
    patch.setattr(Arriving, "settle", Arriving.keep)


def steps_left_to_the_new_system(patch: pytest.MonkeyPatch) -> None:
    """The boot loader fell back, and nobody undoes what was begun."""

    def way_back(_self: Trial, done: Event, _owing: Event) -> Event:
        return done

    patch.setattr(Trial, "_way_back", way_back)


STEP_BUGS = (
    begun_after_it_was_installed,
    handed_over_unread,
    undone_from_the_first_on,
    settled_before_the_verdict,
    note_never_synced,
    note_taken_away_before_undoing,
    staged_before_the_sync,
    steps_left_to_the_new_system,
)
