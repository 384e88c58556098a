"""A journal that is spoiled, unreadable, or of a newer agent."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from agent.slots import Slot
from agent.update.machine import State
from bridge.release.errors import FailureCode
from tests.agent.cases.case import Case, Fault, Group, Told, fell_back, installed, rejected
from tests.agent.cases.faults import JOURNAL_WRITE, UNHEALTHY, fails, killed, mended, power_cut, started
from tests.agent.cases.paths import FETCHED, GIVEN_UP_BY_BOOT_LOADER, GOOD, PROVED, REFUSED, TOLD, up_to
from tests.agent.cases.paths import UNHEALTHY as BACK
from tests.agent.cases.rows import on_new
from tests.agent.cases.spoiling import journal_spoiled, newer_journal, newest_copy_spoiled
from tests.agent.power import Loss

LOST_RULE = (
    "Both copies are spoiled and the agent starts: they are set aside for a person, and it goes on with what slot and "
    "boot loader tell. Where no trial is on, the offer is begun again. A trial that nobody remembers is not proved: it "
    "is left, and the offer ends, for else it would go on for ever. After the boot loader's commit the release is not "
    "known to be there, and is installed once more, into the other slot."
)
NEWEST_RULE = (
    "The newest copy is spoiled and the agent starts: the other one holds, which is one write older, and every step "
    "can be taken again."
)
READ_RULE = (
    "While the journal can be neither read nor written nothing is done, except that a trial is left; once it can, the "
    "update goes on. An agent that finds the journal of a newer one keeps of it what lasts, and tells that the newer "
    "agent's update has fallen back."
)
INSTALLED = installed("b", "2.0.0")
STRAY = fell_back(FailureCode.JOURNAL, "a", "1.0.0", words="the journal did not survive into its trial boot")
LEFT = fell_back(FailureCode.FELL_BACK, "a", "1.0.0", words="the boot loader gave slot b up")
NEWER = fell_back(FailureCode.FELL_BACK, "a", "1.0.0", words="whose agent cannot read the journal of the newer one")
TWICE = installed("a", "2.0.0")
"""Installed once more, into the slot that the release before was in."""
SICK = fell_back(FailureCode.UNHEALTHY, "a", "1.0.0")
BELOW = rejected(FailureCode.ROLLED_BACK, "a", "1.0.0", words="below this device's floor 3")
SWITCHING, REVERTING = up_to(GOOD, State.SWITCHING), up_to(BACK, State.REVERTING)
NO_READ = ("read journal", errno.EIO, "journal cannot be read")
LATER = mended("error", 2)


def spoiled(moment: str, steps: str, end: Told, *, power: bool = False, also: tuple[Fault, ...] = ()) -> Case:
    """Both copies, and the agent or the power gone in the same moment."""
    fault, start = journal_spoiled(moment), power_cut(moment, Loss.KEPT) if power else killed(moment)
    return on_new(f"{fault.words}; {start.words}", steps, end, faults=(*also, fault, start))


NOT_ON_TRIAL = (
    State.JUDGING,
    State.PREPARING,
    State.WRITING,
    State.CHECKING,
    State.SWITCHING,
    State.REBOOTING,
)
LOST = (
    on_new(
        "both copies of the journal spoiled before the offer",
        f"+ {GOOD}",
        INSTALLED,
        faults=(journal_spoiled(), started()),
    ),
    *(spoiled(f"before {state}", f"{up_to(GOOD, state)} + resume idle, {GOOD}", INSTALLED) for state in NOT_ON_TRIAL),
    spoiled("after switching", f"{SWITCHING} + resume idle, {GOOD}", INSTALLED),
    spoiled("after switching", f"{SWITCHING} / resume idle / {REFUSED}", STRAY, power=True),
    spoiled("before rebooting", f"{FETCHED} / resume idle / {REFUSED}", STRAY, power=True),
    spoiled("before proving", f"{up_to(GOOD, State.PROVING)} + resume idle / {REFUSED}", STRAY),
    spoiled("before proving", f"{up_to(GOOD, State.PROVING)} / resume idle / {REFUSED}", STRAY, power=True),
    spoiled("before committing", f"{up_to(GOOD, State.COMMITTING)} + resume idle / {REFUSED}", STRAY),
    spoiled("after committing", f"{up_to(GOOD, State.COMMITTING)} + resume idle, {GOOD}", TWICE),
    spoiled("before reverting", f"{REVERTING} + resume idle / {REFUSED}", STRAY, also=(UNHEALTHY,)),
    spoiled("after reverting", f"{REVERTING} / + resume idle, {BACK}", SICK, also=(UNHEALTHY,)),
    spoiled("before reporting", f"{up_to(GOOD, State.REPORTING)} + resume idle, {GOOD}", TWICE),
)
ONE_WRITE_OLDER = {
    State.JUDGING: (f"+ resume idle, {GOOD}", 1),
    State.PREPARING: (f"+ resume idle, {GOOD}", 1),
    State.WRITING: (f"+ resume idle, {GOOD}", 1),
    State.CHECKING: (f"+ resume idle, {GOOD}", 1),
    State.SWITCHING: (f"+ resume idle, {GOOD}", 1),
    State.REBOOTING: (f"+ resume switching, switched rebooting / {PROVED}", 1),
    State.PROVING: (f"+ resume rebooting, {PROVED}", 1),
    State.COMMITTING: (f"+ resume rebooting, {PROVED}", 1),
    State.REPORTING: (f"+ resume committing, committed reporting, {TOLD}", 1),
    State.IDLE: (f"+ resume reporting, {TOLD}", 2),
}
"""How it goes on where the newest copy is lost as this state begins, and how often the end is told."""


def newest() -> Iterator[Case]:
    """The newest copy, in every state."""
    for state, (steps, times) in ONE_WRITE_OLDER.items():
        fault, start = newest_copy_spoiled(f"before {state}"), killed(f"before {state}")
        way = GOOD if state is State.IDLE else up_to(GOOD, state)
        told = (INSTALLED,) * times
        yield on_new(f"{fault.words}; {start.words}", f"{way} {steps}", *told, faults=(fault, start))
    fault, cut = newest_copy_spoiled("after switching"), power_cut("after switching", Loss.KEPT)
    # One write older is CHECKING: nobody remembers that the slot is on trial, which is left before anything is begun.
    steps = f"{SWITCHING} / resume checking / resume idle, {GOOD}"
    yield on_new(f"{fault.words}; {cut.words}", steps, INSTALLED, faults=(fault, cut))


FAILS, STARTED = fails(*NO_READ), started()
UNREADABLE = (
    on_new("journal cannot be read, for a while", f"+ + + {GOOD}", INSTALLED, faults=(FAILS, STARTED, LATER)),
    on_new(
        "journal cannot be read, for ever",
        "+ + + +",
        faults=(FAILS, STARTED),
        slot=Slot.A,
        stuck="nothing is done without a journal",
    ),
    on_new(
        "journal cannot be read in the trial boot, for a while",
        f"{up_to(GOOD, State.PROVING)} + / + + resume rebooting, {GIVEN_UP_BY_BOOT_LOADER}",
        LEFT,
        faults=(fails(*NO_READ, "before proving"), killed("before proving"), LATER),
    ),
    on_new(
        "journal cannot be read after the commit, for a while",
        f"{up_to(GOOD, State.REPORTING)} + + + {TOLD}",
        INSTALLED,
        faults=(fails(*NO_READ, "before reporting"), killed("before reporting"), LATER),
    ),
    on_new(
        "journal spoiled in the trial boot, and no room for another",
        f"{up_to(GOOD, State.PROVING)} + / + + resume idle, {GOOD}",
        INSTALLED,
        faults=(
            journal_spoiled("before proving"),
            fails(JOURNAL_WRITE, errno.ENOSPC, "journal: no room", "before proving"),
            killed("before proving"),
            LATER,
        ),
    ),
    on_new(
        "journal of a newer agent, nothing under way", f"+ {GOOD}", INSTALLED, faults=(newer_journal("offer"), STARTED)
    ),
    on_new(
        "journal of a newer agent, whose floor is above the offer",
        f"+ {REFUSED}",
        BELOW,
        faults=(newer_journal("offer", floor=3), STARTED),
    ),
)
FOUND_BY_OLDER = {
    State.WRITING: "+ resume reporting",
    State.REBOOTING: "+ resume reporting",
    State.PROVING: "+ / resume reporting",
    State.COMMITTING: "+ / resume reporting",
}


def newer() -> Iterator[Case]:
    """Written by an agent that knows more; in a trial boot that one does not run any more."""
    for state, steps in FOUND_BY_OLDER.items():
        fault, start = newer_journal(f"before {state}"), killed(f"before {state}")
        way = f"{up_to(GOOD, state)} {steps}, {TOLD}"
        yield on_new(f"{fault.words}; {start.words}", way, NEWER, faults=(fault, start))


GROUPS = (
    Group("Journal lost, in every state", LOST_RULE, LOST),
    Group("Journal: newest copy lost, in every state", NEWEST_RULE, tuple(newest())),
    Group("Journal unreadable, or a newer agent's", READ_RULE, (*UNREADABLE, *newer())),
)
