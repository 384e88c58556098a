"""Killed while the device falls back: because it is not healthy, or because the boot loader has given the trial up."""

from __future__ import annotations

from collections.abc import Iterator

from agent.slots import Slot
from agent.update.machine import State
from bridge.release.errors import FailureCode
from tests.agent.cases.case import Case, Fault, Group, fell_back
from tests.agent.cases.faults import UNHEALTHY, dead, killed, power_cut
from tests.agent.cases.kills import moment
from tests.agent.cases.paths import (
    FAILS_HEALTH,
    FETCHED,
    GIVEN_UP_BY_BOOT_LOADER,
    RETURNED,
    TOLD,
    up_to,
)
from tests.agent.cases.paths import UNHEALTHY as BACK
from tests.agent.cases.rows import on_2, on_new
from tests.agent.power import Loss

UNHEALTHY_RULE = (
    "The release is tried and is not healthy. Wherever the way back is cut, it is gone to its end: a process goes on "
    "where it was, a cut of the power while the trial is still on makes one more trial boot, which the agent leaves at "
    "once. The fallback is counted once, and told with the reason."
)
GIVEN_UP_RULE = (
    "What is tried hangs before the agent starts; a watchdog resets the machine, three times, and the boot loader "
    "starts the old slot. The agent finds that slot running and tells, wherever it is killed on the way."
)
NOT_HEALTHY = fell_back(FailureCode.UNHEALTHY, "a", "1.0.0", words="no route to the cloud")
GIVEN_UP = fell_back(FailureCode.FELL_BACK, "a", "1.0.0", words="the boot loader gave slot b up")
RESTART_BACK = 2
"""The first restart that the agent asks for is into the trial."""


def way_back(state: State, *, done: bool, power: bool) -> str:
    """The whole chain of an update that is not healthy and is interrupted once in `state`."""
    mark = "/" if power else "+"
    before = up_to(BACK, state)
    if state is State.PROVING:
        return f"{before} {mark} resume rebooting, {FAILS_HEALTH} / {RETURNED}"
    if state is State.REVERTING:
        return f"{before} / {mark} {RETURNED}" if done else f"{before} {mark} / {RETURNED}"
    return f"{before} {mark} {TOLD}"


def given_up(state: State, *, done: bool, power: bool) -> str:
    """The same, where the boot loader gives the trial up."""
    mark = "/" if power else "+"
    if state is State.REPORTING:
        return f"{FETCHED} / fell_back reporting {mark} {TOLD}"
    if done:
        return f"{FETCHED} / {mark} {GIVEN_UP_BY_BOOT_LOADER}"
    return f"{FETCHED} {mark} {'' if power else '/'} {GIVEN_UP_BY_BOOT_LOADER}"


def interruptions(state: State) -> Iterator[tuple[Fault, bool, bool]]:
    """Every way to interrupt `state`: the fault, whether its work is done by then, whether the power goes."""
    for done in (False, True):
        when = moment(state, done=done)
        yield killed(when), done, False
        yield power_cut(when, Loss.LOST), done, True
        yield power_cut(when, Loss.KEPT), done, True


def not_healthy() -> Iterator[Case]:
    """Interrupted from the proof to the report."""
    for state in (State.PROVING, State.REVERTING, State.REPORTING):
        for fault, done, power in interruptions(state):
            reports = (NOT_HEALTHY,) * (2 if state is State.REPORTING and done else 1)
            steps = way_back(state, done=done, power=power)
            yield on_new(f"not healthy: {fault.words}", steps, *reports, faults=(UNHEALTHY, fault))


def restart_back() -> Iterator[Case]:
    """Interrupted as the restart into the old slot is asked for: the trial has been ended by then."""
    asked = up_to(BACK, State.REVERTING)
    for fault, marks in (
        (killed("reboot", RESTART_BACK), "+ /"),
        (power_cut("reboot", Loss.LOST, RESTART_BACK), "/"),
        (power_cut("reboot", Loss.KEPT, RESTART_BACK), "/"),
    ):
        steps = f"{asked} {marks} {RETURNED}"
        yield on_new(f"not healthy: {fault.words}", steps, NOT_HEALTHY, faults=(UNHEALTHY, fault))


def by_boot_loader() -> Iterator[Case]:
    """Interrupted from the restart to the report."""
    for state in (State.REBOOTING, State.REPORTING):
        for fault, done, power in interruptions(state):
            reports = (GIVEN_UP,) * (2 if state is State.REPORTING and done else 1)
            steps = given_up(state, done=done, power=power)
            yield on_new(f"does not boot: {fault.words}", steps, *reports, faults=(dead(Slot.B), fault), silent=3)


HUNG = f"{FETCHED} / {GIVEN_UP_BY_BOOT_LOADER}"
PLAIN = (
    on_new("not healthy", BACK, NOT_HEALTHY, faults=(UNHEALTHY,)),
    on_2(
        "not healthy, in the slot of the release before",
        BACK,
        fell_back(FailureCode.UNHEALTHY, "b", "2.0.0", words="no route to the cloud"),
        faults=(UNHEALTHY,),
    ),
    on_new("does not boot", HUNG, GIVEN_UP, faults=(dead(Slot.B),), silent=3),
    on_2(
        "does not boot, in the slot of the release before",
        HUNG,
        fell_back(FailureCode.FELL_BACK, "b", "2.0.0", words="the boot loader gave slot a up"),
        faults=(dead(Slot.A),),
        silent=3,
    ),
)
INTERRUPTED = (*not_healthy(), *restart_back())
GROUPS = (
    Group("Falling back", "The old slot runs again, and the cloud hears why.", PLAIN),
    Group("Interrupted while it falls back from a release that is not healthy", UNHEALTHY_RULE, INTERRUPTED),
    Group("Interrupted while the boot loader gives the trial up", GIVEN_UP_RULE, tuple(by_boot_loader())),
)
