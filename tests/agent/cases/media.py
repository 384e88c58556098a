"""A journal, a boot environment or a slot whose medium is full, failing or read-only, from each state on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace

from agent.slots import Slot
from agent.update.machine import State
from bridge.release.errors import FailureCode
from tests.agent.cases.case import EVERY, Case, Group, failed, fell_back, installed
from tests.agent.cases.faults import (
    ENVIRONMENT_WRITE,
    JOURNAL_WRITE,
    UNHEALTHY,
    fails,
    mended,
    restart_refused,
    told_as_failed,
)
from tests.agent.cases.paths import (
    FETCHED,
    GIVEN_UP_BY_BOOT_LOADER,
    GOOD,
    JUDGED,
    PROVED,
    RETURNED,
    TOLD,
    WRITTEN,
    up_to,
)
from tests.agent.cases.paths import UNHEALTHY as BACK
from tests.agent.cases.rows import TWO_JOBS, by_delta, on_new
from tests.agent.cases.spoiling import slot_gone, slot_spoiled

JOURNAL_RULE = (
    "Before the switch an update that cannot be journalled ends as failed, and nothing was switched. From the switch "
    "on the agent never commits what it could not write down: a trial boot is left for the old slot; after the boot "
    "loader's commit the agent stops, and goes on when it can write. What cannot go on ends the agent, which is "
    "started again; the medium takes writes again after two such ends."
)
ENVIRONMENT_RULE = (
    "The boot environment cannot be written until the machine restarts. Before the switch the update fails and the old "
    "slot runs on. A commit that the boot loader does not take ends the trial, and the report says so."
)
COMMIT_RULE = (
    "What the boot loader did counts, not what it said; a restart that is refused is asked for again, or not made."
)
BEFORE_SWITCH = (State.JUDGING, State.PREPARING, State.WRITING, State.CHECKING)
NO_ROOM = (JOURNAL_WRITE, errno.ENOSPC, "journal: no room")
NO_SYNC = ("sync journal", errno.EIO, "journal: sync fails")
NO_RENAME = ("rename journal", errno.EIO, "journal: rename fails")
LATER = mended("error", 2)
NOT_JOURNALLED = failed(FailureCode.JOURNAL, "a", "1.0.0", words="cannot be written")
INSTALLED = installed("b", "2.0.0")
LEFT = fell_back(FailureCode.FELL_BACK, "a", "1.0.0", words="the boot loader gave slot b up")
SICK = fell_back(FailureCode.UNHEALTHY, "a", "1.0.0", words="no route to the cloud")
UNCOMMITTED = fell_back(FailureCode.BOOT_ENVIRONMENT, "a", "1.0.0", words="cannot be written")
UNSWITCHED = failed(FailureCode.BOOT_ENVIRONMENT, "a", "1.0.0", words="cannot be written")
COMMITTING, REVERTING = up_to(GOOD, State.COMMITTING), up_to(BACK, State.REVERTING)
WITHOUT_JOURNAL = {
    State.SWITCHING: (f"+ + switched rebooting / {PROVED}", (INSTALLED,)),
    State.REBOOTING: (f"/ / + + {GIVEN_UP_BY_BOOT_LOADER}", (LEFT,)),
    State.PROVING: (f"/ + + resume rebooting, {GIVEN_UP_BY_BOOT_LOADER}", (LEFT,)),
    State.COMMITTING: (f"+ + committed reporting, {TOLD}", (INSTALLED,)),
    State.REVERTING: (f"/ + + {RETURNED}", (SICK,)),
    State.REPORTING: (f"+ + {TOLD}", (INSTALLED,) * 3),
}
"""From the switch on: how it goes on, and what is told, where the journal fails as this state begins."""
TRIED = f"{up_to(GOOD, State.SWITCHING)}, failed reverting, failed reporting, {TOLD}"
PREPARED = f"{JUDGED}, failed reporting, {TOLD}"
WAY_BACK = f"{COMMITTING}, failed reverting / / {RETURNED}"
WITHOUT_ENVIRONMENT = {
    State.JUDGING: (PREPARED, UNSWITCHED),
    State.PREPARING: (PREPARED, UNSWITCHED),
    State.WRITING: (TRIED, UNSWITCHED),
    State.CHECKING: (TRIED, UNSWITCHED),
    State.SWITCHING: (TRIED, UNSWITCHED),
    State.REBOOTING: (GOOD, INSTALLED),
    State.PROVING: (WAY_BACK, UNCOMMITTED),
    State.COMMITTING: (WAY_BACK, UNCOMMITTED),
    State.REVERTING: (f"{REVERTING} / / {RETURNED}", SICK),
    State.REPORTING: (GOOD, INSTALLED),
}
"""The chain, and what is told, where the boot environment cannot be written from the beginning of this state on."""


def journal_fails(harm: tuple[str, int, str]) -> Iterator[Case]:
    """From the beginning of each state on."""
    yield from not_begun(harm)
    for state, (steps, told) in WITHOUT_JOURNAL.items():
        fault = fails(*harm, f"before {state}")
        path, also = (BACK, (UNHEALTHY,)) if state is State.REVERTING else (GOOD, ())
        yield on_new(fault.words, f"{up_to(path, state)} {steps}", *told, faults=(*also, fault, LATER))


def not_begun(harm: tuple[str, int, str]) -> Iterator[Case]:
    """Before the switch the end is told, and the journal on the medium stays as it was."""
    first = fails(*harm)
    yield on_new(f"{first.words} before the offer", "", NOT_JOURNALLED, faults=(first,))
    for state in BEFORE_SWITCH:
        fault = fails(*harm, f"before {state}")
        yield on_new(fault.words, up_to(GOOD, state), NOT_JOURNALLED, faults=(fault,))


def environment_fails() -> Iterator[Case]:
    """From the beginning of each state on, until the machine restarts."""
    for state, (steps, told) in WITHOUT_ENVIRONMENT.items():
        fault = fails(ENVIRONMENT_WRITE, errno.EROFS, "boot environment read-only", f"before {state}")
        also = (UNHEALTHY,) if state is State.REVERTING else ()
        yield on_new(fault.words, steps, told, faults=(*also, fault, mended("boot", EVERY)))


REFUSED_BACK = replace(restart_refused(1), moment="before reverting")
COMMITS = (
    on_new("the commit is told as failed, and was made", GOOD, INSTALLED, faults=(told_as_failed(1),)),
    on_new(
        "the commit is told as failed, again and again, and was made",
        f"{COMMITTING}, failed reverting, failed reporting, {TOLD}",
        failed(FailureCode.BOOT_ENVIRONMENT, "b", "2.0.0", words="slot b is the default already"),
        faults=(told_as_failed(9),),
    ),
    on_new(
        "the restart into the trial is refused",
        f"{FETCHED}, failed reverting, {RETURNED}",
        failed(FailureCode.SLOT_WRITE, "a", "1.0.0", words="systemctl is busy"),
        faults=(restart_refused(1),),
    ),
    on_new("the restart back is refused", f"{REVERTING} / {RETURNED}", SICK, faults=(UNHEALTHY, REFUSED_BACK)),
)
IN_WRITING = f"{JUDGED}, prepared writing, failed reporting, {TOLD}"
IN_CHECKING = f"{JUDGED}, {WRITTEN}, failed reporting, {TOLD}"
BROKEN = failed(FailureCode.SLOT_WRITE, "a", "1.0.0", words="b.img")
NO_WRITE = (
    fails("write b.img", errno.ENOSPC, "slot b is full"),
    fails("write b.img", errno.EIO, "slot b cannot be written"),
    fails("write b.img", errno.EROFS, "slot b is read-only"),
    fails("sync b.img", errno.EIO, "slot b cannot be synced"),
)
NO_READ = fails("read b.img", errno.EIO, "slot b cannot be read back")
FAILS_FIRST = fails("sync b.img", errno.EIO, "slot b fails", "before writing")
GONE = slot_gone(Slot.B)
SLOTS = (
    *(on_new(fault.words, IN_WRITING, BROKEN, faults=(fault,)) for fault in NO_WRITE),
    on_new(NO_READ.words, IN_CHECKING, BROKEN, faults=(NO_READ,)),
    on_new(GONE.words, f"offered judging, failed reporting, {TOLD}", BROKEN, faults=(GONE,)),
    on_new(
        "slot b gives back other bytes than were written",
        IN_CHECKING,
        failed(FailureCode.SLOT_MISMATCH, "a", "1.0.0", words="its medium may be failing"),
        faults=(slot_spoiled(Slot.B, "before checking"),),
    ),
    on_new(
        "slot b fails, and is mended before the cloud tries again",
        f"{IN_WRITING}, {GOOD}",
        BROKEN,
        installed("b", "2.0.0", offer="job-2"),
        faults=(FAILS_FIRST, mended("before idle", words="until the update has ended")),
        offers=TWO_JOBS,
    ),
    by_delta(
        "slot a is full, and the release has a delta",
        IN_WRITING,
        failed(FailureCode.SLOT_WRITE, "b", "2.0.0", words="a.img"),
        faults=(fails("write a.img", errno.ENOSPC, "slot a is full"),),
    ),
)
SLOT_RULE = "The update ends as failed where it was found out; nothing is on trial, and the slot that ran runs on."
GROUPS = (
    Group("Journal: no room, from each state on", JOURNAL_RULE, tuple(journal_fails(NO_ROOM))),
    Group("Journal: input/output error, from each state on", JOURNAL_RULE, tuple(journal_fails(NO_SYNC))),
    Group("Journal: its name cannot be changed, from each state on", JOURNAL_RULE, tuple(journal_fails(NO_RENAME))),
    Group("Boot environment read-only, from each state on", ENVIRONMENT_RULE, tuple(environment_fails())),
    Group("Commits and restarts that are refused", COMMIT_RULE, COMMITS),
    Group("Slot: full, failing, read-only", SLOT_RULE, SLOTS),
)
