"""Bugs planted in the agent: the state cases find every one of them."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import msgspec
import pytest

from agent.update import driver, startup, trial, undoing
from agent.update.applying import Applying
from agent.update.context import Context
from agent.update.machine import RESUME, Event, State
from agent.update.record import Record, StepPlan
from agent.update.steps import Steps
from agent.update.trial import Trial
from agent.update.undoing import Undoing
from agent.update.writing import Writing
from bridge.release.errors import FailureCode
from tests.agent.cases.runner import disagreements
from tests.agent.cases.table import GROUPS

Plant = Callable[[pytest.MonkeyPatch], None]


def proves_everything(patch: pytest.MonkeyPatch) -> None:
    """The trial is committed whatever the health checks say."""
    patch.setattr(Trial, "prove", lambda self: self._context.journal.move(Event.PROVEN, self._context.record))


def checks_nothing(patch: pytest.MonkeyPatch) -> None:
    """The slot is not read back."""
    patch.setattr(Writing, "_read_back", lambda _: None)


def commits_what_does_not_run(patch: pytest.MonkeyPatch) -> None:
    """After a restart nobody asks which slot runs."""
    patch.setattr(Trial, "_arrived", property(lambda _: True))


def resumes_in_the_proof(patch: pytest.MonkeyPatch) -> None:
    """A proof that was interrupted goes on, also where the boot loader has fallen back meanwhile."""
    table = MappingProxyType({**RESUME, State.PROVING: State.PROVING})
    for module in (driver, startup):
        patch.setattr(module, "RESUME", table)


def forgets_ends(patch: pytest.MonkeyPatch) -> None:
    """An offer that has ended is begun again when the cloud repeats it."""
    patch.setattr(Record, "concluding", lambda self, _: self)


def counts_no_starts(patch: pytest.MonkeyPatch) -> None:
    """An update that kills the agent goes on for ever."""
    patch.setattr(driver.Driver, "_restart", lambda _: None)


def counts_no_fallbacks(patch: pytest.MonkeyPatch) -> None:
    """A fallback is an end like any other."""
    patch.setattr(Context, "end_fallen_back", lambda self, event, report, *_: self.end(event, report))


def leaves_no_trial(patch: pytest.MonkeyPatch) -> None:
    """A trial that nobody remembers is taken for what should run."""
    patch.setattr(startup.Startup, "_leave_unremembered", lambda *_: None)
    patch.setattr(startup.Startup, "_end_stray_trial", lambda *_: None)


def keeps_the_target_bootable(patch: pytest.MonkeyPatch) -> None:
    """The slot may be booted while it is written."""
    patch.setattr(Writing, "prepare", lambda self: self._context.journal.move(Event.PREPARED, self._context.record))


def tells_one_slot_for_the_other(patch: pytest.MonkeyPatch) -> None:
    """The report after a fallback is the one that was made before it."""
    patch.setattr(
        trial.Trial,
        "_record_return",
        lambda self: self._context.end_fallen_back(Event.RETURNED, msgspec.convert(self._ending, type(self._ending))),
    )


def lets_a_wrong_end_stand(patch: pytest.MonkeyPatch) -> None:
    """What was told from a trial boot that could not be left stays told when it has ended after all."""
    patch.setattr(startup, "_told_of_trial", lambda *_: None)


def begins_before_it_is_journalled(patch: pytest.MonkeyPatch) -> None:
    """A step is journalled as begun once it has ended."""
    install = Applying._install

    def at_last(self: Applying, planned: StepPlan) -> None:
        context = self._context
        begun = context.update.begun
        context.journal.keep(context.changed(begun=begun - 1))
        install(self, planned)
        context.journal.keep(context.changed(begun=begun))

    patch.setattr(Applying, "_install", at_last)


def believes_the_handler_of_the_slot(patch: pytest.MonkeyPatch) -> None:
    """What a handler has written is not read back."""
    patch.setattr(Steps, "check_slot", lambda _: None)


def leaves_the_boot_loader_to_the_handler(patch: pytest.MonkeyPatch) -> None:
    """What a handler has told the boot loader stands."""
    patch.setattr(Steps, "take_slot_back", lambda _: None)


def hands_over_what_lies_there(patch: pytest.MonkeyPatch) -> None:
    """A file that was fetched is not looked at again."""
    patch.setattr(Steps, "require_file", lambda *_: None)


def owes_nothing(patch: pytest.MonkeyPatch) -> None:
    """Only the journal knows which steps were begun."""
    patch.setattr(Steps, "owe", lambda _: None)


def undoes_in_the_order_of_installing(patch: pytest.MonkeyPatch) -> None:
    """The first step first: what a power cut leaves is undone as if it were the last ones."""
    patch.setattr(undoing, "reversed", list, raising=False)


def stops_at_a_step_that_is_kept(patch: pytest.MonkeyPatch) -> None:
    """What comes before a step that cannot be undone stays, too."""
    undo = Undoing._undo

    def unless_kept(self: Undoing, number: int, planned: StepPlan) -> None:
        if self._ending.code is not FailureCode.STEP_KEPT:
            undo(self, number, planned)

    patch.setattr(Undoing, "_undo", unless_kept)


def drops_ways_back_too_early(patch: pytest.MonkeyPatch) -> None:
    """Handlers are told that their steps stay before the trial is proved."""
    prove = Trial.prove

    def settle_first(self: Trial) -> None:
        for planned in self._context.plan.steps:
            self._steps.handler(planned).settle(self._steps.work(planned))
        prove(self)

    patch.setattr(Trial, "prove", settle_first)


PLANTS: dict[Plant, str] = {
    proves_everything: "Releases in quarantine",
    checks_nothing: "Slot: full, failing, read-only",
    commits_what_does_not_run: "Falling back",
    resumes_in_the_proof: "Health that changes",
    forgets_ends: "One offer, and several",
    counts_no_starts: "Health that changes",
    counts_no_fallbacks: "Falling back",
    leaves_no_trial: "Journal lost, in every state",
    keeps_the_target_bootable: "Deltas",
    tells_one_slot_for_the_other: "Falling back",
    lets_a_wrong_end_stand: "Killed again and again",
    begins_before_it_is_journalled: "Steps that are undone",
    believes_the_handler_of_the_slot: "Steps that are undone",
    leaves_the_boot_loader_to_the_handler: "Steps that are undone",
    hands_over_what_lies_there: "Steps that are undone",
    owes_nothing: "Steps that the journal has forgotten",
    undoes_in_the_order_of_installing: "Interrupted in a handler that undoes, or by the boot loader",
    stops_at_a_step_that_is_kept: "Steps that cannot be undone",
    drops_ways_back_too_early: "Steps that are undone",
}
"""Each bug, and the title of a group that finds it."""
BY_TITLE = {group.title: group.cases for group in GROUPS}


def is_found(case) -> bool:
    """Whether the device does otherwise than `case` says, or stops with a bug of its own."""
    try:
        return bool(disagreements(case))
    except (AssertionError, RuntimeError, LookupError):
        return True


@pytest.mark.parametrize(("plant", "title"), PLANTS.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_a_planted_bug_is_found(plant, title, monkeypatch):
    """At least one case of the group goes otherwise."""
    plant(monkeypatch)

    assert any(is_found(case) for case in BY_TITLE[title])
