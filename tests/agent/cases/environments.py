"""A boot environment that is spoiled or cannot be read."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from agent.slots import Slot
from agent.update.machine import State
from bridge.release.errors import FailureCode
from tests.agent.cases.case import EVERY, Case, Group, failed, fell_back, installed
from tests.agent.cases.devices import release
from tests.agent.cases.faults import UNHEALTHY, fails, machine_started, mended, power_cut, verdicts
from tests.agent.cases.paths import FAILS_HEALTH, FETCHED, GIVEN_UP_BY_BOOT_LOADER, GOOD, RETURNED, TOLD, up_to
from tests.agent.cases.paths import UNHEALTHY as BACK
from tests.agent.cases.rows import on_2, on_new
from tests.agent.cases.spoiling import environment_spoiled
from tests.agent.power import Loss

RULE = (
    "One spoiled copy costs nothing. While both are, the agent cannot tell which slot runs and does nothing more; an "
    "update on its way ends as failed, or leaves its trial. When the machine restarts, the boot loader begins another "
    "environment and starts slot a; a device that had run slot b tells that it fell back."
)
RESTARTED, UNTIL_RESTART = machine_started("error", 2), mended("boot", EVERY)
NO_READ = ("read boot.env", errno.EIO, "boot environment cannot be read")
INSTALLED = installed("b", "2.0.0")
UNTRIED = failed(FailureCode.BOOT_ENVIRONMENT, "a", "1.0.0", words="boot environment")
UNCOMMITTED = fell_back(FailureCode.BOOT_ENVIRONMENT, "a", "1.0.0", words="boot environment")
SICK = fell_back(FailureCode.UNHEALTHY, "a", "1.0.0")
LATE = fell_back(FailureCode.FELL_BACK, "a", "1.0.0", words="the boot loader left slot b, which had been committed")
BLANK = "the new environment knows nothing of slot b"
NOT_SWITCHED = f"failed reverting, failed reporting, {TOLD} + /"
NOT_CHECKED = f"{up_to(GOOD, State.CHECKING)}, failed reporting, {TOLD} + /"
NOT_TRIED = {
    State.WRITING: NOT_CHECKED,  # the boot loader of this board also names the boot
    State.CHECKING: NOT_CHECKED,
    State.SWITCHING: f"{up_to(GOOD, State.SWITCHING)}, {NOT_SWITCHED}",
    State.REBOOTING: f"{FETCHED}, {NOT_SWITCHED}",
}
AROUND = (State.PREPARING, State.SWITCHING, State.REBOOTING, State.PROVING, State.COMMITTING)
COMMITTING = up_to(GOOD, State.COMMITTING)


def one_copy() -> Iterator[Case]:
    """Either of the two, around each moment at which the boot loader matters."""
    for copy in (0, 1):
        for state in AROUND:
            fault = environment_spoiled(f"before {state}", (copy,))
            yield on_new(fault.words, GOOD, INSTALLED, faults=(fault,))
        fault = environment_spoiled("before reverting", (copy,))
        yield on_new(fault.words, BACK, SICK, faults=(UNHEALTHY, fault))


def both_copies() -> Iterator[Case]:
    """In every state where it is seen."""
    for state, steps in NOT_TRIED.items():
        fault = environment_spoiled(f"before {state}")
        yield on_new(fault.words, steps, UNTRIED, faults=(fault, RESTARTED))
    for state in (State.PROVING, State.COMMITTING):
        fault = environment_spoiled(f"before {state}")
        yield on_new(fault.words, f"{COMMITTING}, failed reverting / {RETURNED}", UNCOMMITTED, faults=(fault,))
        fault = fails(*NO_READ, f"before {state}")
        steps = f"{COMMITTING}, failed reverting / / {RETURNED}"
        yield on_new(fault.words, steps, UNCOMMITTED, faults=(fault, UNTIL_RESTART))


OTHERS = (
    on_new(
        "both copies spoiled before the offer",
        f"+ / {GOOD}",
        INSTALLED,
        faults=(environment_spoiled("offer"), RESTARTED),
    ),
    on_new(
        "both copies spoiled as preparing begins",
        f"{up_to(GOOD, State.PREPARING)}, failed reporting, {TOLD} + /",
        UNTRIED,
        faults=(environment_spoiled("before preparing"), RESTARTED),
        blank=BLANK,
    ),
    on_new(
        "both copies spoiled as it falls back", BACK, SICK, faults=(UNHEALTHY, environment_spoiled("before reverting"))
    ),
    on_new(
        "both copies spoiled after the commit",
        f"{GOOD} + / {GIVEN_UP_BY_BOOT_LOADER}",
        INSTALLED,
        LATE,
        faults=(environment_spoiled("after committing"), RESTARTED),
    ),
    on_2(
        "both copies spoiled on a device that runs slot b",
        f"+ / {GIVEN_UP_BY_BOOT_LOADER}, {GOOD}",
        fell_back(FailureCode.FELL_BACK, "a", "1.0.0", offer="earlier-2", words="the boot loader left slot b"),
        installed("b", "3.0.0", fallbacks=1),
        faults=(environment_spoiled("offer"), RESTARTED),
    ),
    on_2(
        "both copies spoiled before the restart into slot a, which the boot loader then starts by itself",
        GOOD,
        installed("a", "3.0.0"),
        faults=(environment_spoiled("before rebooting"), power_cut("before rebooting", Loss.KEPT)),
    ),
    on_2(
        "both copies spoiled before the restart into slot a, which is not healthy: told as it is, then the next",
        f"{FETCHED} / {FAILS_HEALTH}, failed reporting, {TOLD}, {GOOD}",
        failed(FailureCode.BOOT_ENVIRONMENT, "a", "3.0.0", words="slot a is the default already: no route"),
        installed("b", "4.0.0", offer="job-2"),
        faults=(
            verdicts("no route", None),
            environment_spoiled("before rebooting"),
            power_cut("before rebooting", Loss.KEPT),
        ),
        offers=(release(3), release(4, "job-2")),
    ),
    on_new(
        "cannot be read as switching begins",
        f"{up_to(GOOD, State.SWITCHING)}, {NOT_SWITCHED}",
        UNTRIED,
        faults=(fails(*NO_READ, "before switching"), UNTIL_RESTART, RESTARTED),
    ),
    on_new("cannot be read, for a while", f"+ + {GOOD}", INSTALLED, faults=(fails(*NO_READ), mended("error", 2))),
    on_new(
        "cannot be read, for ever",
        "+ + +",
        faults=(fails(*NO_READ),),
        slot=Slot.A,
        stuck="nobody can tell which slot runs",
    ),
)
GROUPS = (
    Group("Boot environment: one copy spoiled", RULE, tuple(one_copy())),
    Group("Boot environment: both copies spoiled, or unreadable", RULE, (*both_copies(), *OTHERS)),
)
