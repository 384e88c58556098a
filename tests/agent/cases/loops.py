"""An agent that dies again and again at the same place, and a machine that resets again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agent.update.machine import State
from bridge.release.errors import FailureCode
from tests.agent.cases.case import EVERY, Case, Fault, Group, Told, failed, fell_back, installed
from tests.agent.cases.faults import EXCUSED, UNHEALTHY, killed, planned, power_cut, reset
from tests.agent.cases.paths import FETCHED, GIVEN_UP_BY_BOOT_LOADER, GOOD, PROVED, RETURNED, TOLD, up_to
from tests.agent.cases.paths import UNHEALTHY as BACK
from tests.agent.cases.rows import on_2, on_new

STRIKES = 8
"""Starts without progress that the devices of the table allow; the next one ends the update."""
RULE = (
    f"After {STRIKES} starts of the agent without progress in the middle of one update, the next one gives it up: "
    "before the switch nothing is on trial and the old slot runs on; from the switch on the trial is ended. The "
    "restart into the trial counts as a start, and a verdict as progress. A machine that resets in its trial boots is "
    "given up earlier, after three of them, by the boot loader."
)
PLANNED_RULE = f"Up to {EXCUSED} restarts that somebody wants in the middle of a trial are not counted as boots of it."
BEFORE_SWITCH = (State.JUDGING, State.PREPARING, State.WRITING, State.CHECKING)
WHY = f"given up after {STRIKES} restarts without progress"
GIVEN_UP = failed(FailureCode.INTERRUPTED, "a", "1.0.0", words=WHY)
LEFT = fell_back(FailureCode.INTERRUPTED, "a", "1.0.0", words=WHY)
BY_BOOT_LOADER = fell_back(FailureCode.FELL_BACK, "a", "1.0.0", words="the boot loader gave slot b up")
SICK = fell_back(FailureCode.UNHEALTHY, "a", "1.0.0", words="no route")
NO_WAY_BACK = failed(FailureCode.BOOT_ENVIRONMENT, "b", "2.0.0", words=f"slot b is the default already: {WHY}")
SWITCHING, COMMITTING = up_to(GOOD, State.SWITCHING), up_to(GOOD, State.COMMITTING)
REVERTING = up_to(BACK, State.REVERTING)
AGAIN = "/ resume rebooting, arrived proving"
AGAIN_KILLED = "+ resume rebooting, arrived proving "
THREE_TRIALS = f"{FETCHED} / arrived proving {AGAIN} {AGAIN} / resume rebooting, {GIVEN_UP_BY_BOOT_LOADER}"


def before_the_switch(mark: str, fault: Callable[[str], Fault]) -> Iterator[Case]:
    """Each start waits for the offer, begins it and dies at the same place."""
    for state in BEFORE_SWITCH:
        way = up_to(GOOD, state)
        again = f"{mark} resume idle, {way} " * STRIKES
        end = f"{mark} resume idle, given_up reporting, {TOLD}"
        yield loop(fault(f"before {state}"), f"{way} {again} {end}", GIVEN_UP)


def loop(fault: Fault, steps: str, end: Told) -> Case:
    """One fault, again and again."""
    return on_new(fault.words, steps, end, faults=(fault,))


def always_killed(moment: str) -> Fault:
    """At every time."""
    return killed(moment, EVERY)


def always_cut(moment: str) -> Fault:
    """At every time."""
    return power_cut(moment, time=EVERY)


def thrice(fault: Callable[[str, int], Fault], moment: str) -> tuple[Fault, ...]:
    """At the first three times."""
    return tuple(fault(moment, time) for time in (1, 2, 3))


FROM_THE_SWITCH_ON = (
    loop(always_killed("before switching"), f"{SWITCHING} {'+ ' * 9} given_up reverting, {RETURNED}", GIVEN_UP),
    loop(always_killed("before rebooting"), f"{FETCHED} {'+ ' * 9} given_up reverting, {RETURNED}", GIVEN_UP),
    loop(
        always_killed("before proving"),
        f"{up_to(GOOD, State.PROVING)} {AGAIN_KILLED * 7} + resume rebooting, given_up reverting / {RETURNED}",
        LEFT,
    ),
    loop(always_killed("before committing"), f"{COMMITTING} {'+ ' * 8} given_up reverting / {RETURNED}", LEFT),
    loop(
        always_killed("after committing"),
        f"{COMMITTING} {'+ ' * 8} given_up reverting, failed reporting, {TOLD}",
        NO_WAY_BACK,
    ),
    on_new(
        "not healthy, and the agent is killed every time as the way back begins: told as it is, and again when it ends",
        f"{REVERTING} {'+ ' * 9} given_up reporting, {TOLD} / {GIVEN_UP_BY_BOOT_LOADER}",
        failed(FailureCode.INTERRUPTED, "b", "2.0.0", words="while reverting; before that: no route"),
        fell_back(FailureCode.FELL_BACK, "a", "1.0.0", words="the trial of slot b has ended after all; slot a"),
        faults=(UNHEALTHY, always_killed("before reverting")),
    ),
    on_new(
        "agent killed three times after the cloud has taken the report",
        f"{up_to(GOOD, State.REPORTING)} + + + {TOLD}",
        *[installed("b", "2.0.0")] * 4,
        faults=thrice(killed, "after reporting"),
    ),
)
RESETS = (
    loop(reset("before proving"), THREE_TRIALS, BY_BOOT_LOADER),
    loop(reset("after proving"), THREE_TRIALS, BY_BOOT_LOADER),
    on_new(
        "three resets as committing begins",
        f"{COMMITTING} / / / {GIVEN_UP_BY_BOOT_LOADER}",
        BY_BOOT_LOADER,
        faults=thrice(reset, "before committing"),
    ),
    loop(reset("after switching"), f"{SWITCHING} {'/ ' * 9} given_up reverting / {RETURNED}", LEFT),
    on_new(
        "resets in two trial boots, and proved in the third",
        f"{FETCHED} / arrived proving {AGAIN} / resume rebooting, {PROVED}",
        installed("b", "2.0.0"),
        faults=thrice(reset, "before proving")[:2],
    ),
    on_new(
        "not healthy, and three resets as the way back begins",
        f"{REVERTING} / / / {RETURNED}",
        SICK,
        faults=(UNHEALTHY, *thrice(reset, "before reverting")),
    ),
)
PLANNED = (
    on_new(
        "three planned restarts in the trial, which are not held against it",
        f"{FETCHED} / arrived proving {AGAIN} {AGAIN} / resume rebooting, {PROVED}",
        installed("b", "2.0.0"),
        faults=thrice(planned, "before proving"),
    ),
    loop(
        planned("before proving"),
        f"{FETCHED} / arrived proving {f'{AGAIN} ' * (EXCUSED + 2)} / resume rebooting, {GIVEN_UP_BY_BOOT_LOADER}",
        BY_BOOT_LOADER,
    ),
)
ONCE_MORE = (reset("before judging", 1), *thrice(reset, "start"))
COMMITTED_SLOTS = (
    on_2(
        "a committed slot that resets before the agent can work: the boot loader turns to the other one",
        f"offered judging / / / / resume idle, {GIVEN_UP_BY_BOOT_LOADER}, {GOOD}",
        fell_back(FailureCode.FELL_BACK, "a", "1.0.0", offer="earlier-2", words="which had been committed"),
        installed("b", "3.0.0", fallbacks=1),
        faults=ONCE_MORE,
    ),
    on_new(
        "the only slot resets before the agent can work: there is no other, and it goes on",
        f"offered judging / / / / / resume idle, {GOOD}",
        installed("b", "2.0.0"),
        faults=(*ONCE_MORE, reset("start", 4)),
    ),
)
KILLED = (*before_the_switch("+", always_killed), *FROM_THE_SWITCH_ON)
GROUPS = (
    Group("Killed again and again", RULE, KILLED),
    Group("Power cut again and again", RULE, tuple(before_the_switch("/", always_cut))),
    Group("A machine that resets by itself, again and again", RULE, (*RESETS, *COMMITTED_SLOTS)),
    Group("Planned restarts in a trial", PLANNED_RULE, PLANNED),
)
