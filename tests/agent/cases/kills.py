"""Killed in every state of a good update, as the state begins and as its work is done, with and without the power."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.slots import Slot
from agent.update.machine import State
from tests.agent.cases.case import Case, Fault, Group, Offered, Prepared, Told, installed
from tests.agent.cases.chain import chain
from tests.agent.cases.devices import NEW, ON_2, delta_3, release
from tests.agent.cases.faults import killed, power_cut, power_cut_in_journal
from tests.agent.cases.paths import GOOD, OF_STEPS, PROVED, after, up_to
from tests.agent.power import Loss

BEGUN_AGAIN = (State.JUDGING, State.PREPARING, State.WRITING, State.CHECKING)
"""Nothing but the inactive slot was touched: the agent waits for the offer, which the cloud makes again."""
STATES = tuple(state for state in State if state is not State.REVERTING and state not in OF_STEPS)
"""What a good update of an image alone sees."""
RULE = (
    "Whatever is interrupted before the switch begins again with its offer; from the switch on the agent goes on where "
    "the journal says it was, and asks the boot loader which slot runs. A power cut after the switch is itself the "
    "restart that the trial needs. Every way ends with the release installed, and told once; twice where the cloud had "
    "taken the report and the agent died before it knew."
)


@dataclass(frozen=True, slots=True)
class Course:
    """A good update: what is offered to which device, and the end that every case of it must come to."""

    label: str
    prepared: Prepared
    offered: Offered
    end: Told
    slot: Slot


FIRST = Course("first update", NEW, release(2), installed("b", "2.0.0"), Slot.B)
DELTA = Course("update by delta", ON_2, delta_3(), installed("a", "3.0.0"), Slot.A)


def way_on(state: State, *, done: bool, power: bool) -> str:
    """What the journal must say after an interruption in `state`: as it begins, or with its work `done`."""
    mark = "/" if power else "+"
    if state in BEGUN_AGAIN:
        return f"{mark} resume idle, {GOOD}"
    if state is State.PROVING:
        return f"{mark} resume rebooting, arrived proving, {after(GOOD, State.PROVING)}"
    if state is State.SWITCHING and done and power:
        return f"/ switched rebooting, {PROVED}"  # the cut was the restart
    if state is State.REBOOTING:
        return f"{mark} {PROVED}" if done or power else f"{mark} / {PROVED}"
    return f"{mark} {after(GOOD, state)}"


def course_of(state: State, *, done: bool, power: bool) -> str:
    """The whole chain of a good update that is interrupted once in `state`."""
    if state is State.IDLE:  # with its work done: the offer is there and not journalled; else all is over
        mark = "/" if power else "+"
        return f"{mark} {GOOD}" if done else f"{GOOD} {mark}"
    before = up_to(GOOD, state)
    if state is State.REBOOTING and done:
        before = f"{before} /"
    return f"{before} {way_on(state, done=done, power=power)}"


def interrupted(course: Course, state: State, fault: Fault, *, done: bool, power: bool) -> Case:
    """One row of the family."""
    told_twice = state is State.REPORTING and done
    reports = (course.end,) * (2 if told_twice else 1)
    steps = chain(course_of(state, done=done, power=power))
    name = f"{course.label}: {fault.words}"
    return Case(name, course.prepared, (course.offered,), (fault,), steps, reports, course.slot)


def moment(state: State, *, done: bool) -> str:
    """The name of the moment; see Fault."""
    return f"{'after' if done else 'before'} {state}"


def by_process(course: Course) -> Iterator[Case]:
    """The agent alone dies."""
    for state in STATES:
        for done in (False, True):
            yield interrupted(course, state, killed(moment(state, done=done)), done=done, power=False)


def by_power(course: Course, loss: Loss) -> Iterator[Case]:
    """The machine goes down with it."""
    for state in STATES:
        for done in (False, True):
            yield interrupted(course, state, power_cut(moment(state, done=done), loss), done=done, power=True)


def in_the_journal(course: Course) -> Iterator[Case]:
    """The power goes while the end of a state is being written down: it never was."""
    for state in STATES:
        yield interrupted(course, state, power_cut_in_journal(state, 2, Loss.TORN), done=True, power=True)


def just_journalled(course: Course) -> Iterator[Case]:
    """The journal's new copy has its name on the medium, and nobody was told: the next state has begun."""
    for state, following in zip(STATES, (*STATES[1:], State.IDLE), strict=True):
        yield interrupted(course, following, power_cut_in_journal(state, 4, Loss.KEPT), done=False, power=True)


GROUPS = (
    Group("Agent killed in every state of a good update", RULE, tuple(by_process(FIRST))),
    Group("Power cut in every state, unsynced data lost", RULE, tuple(by_power(FIRST, Loss.LOST))),
    Group("Power cut in every state, unsynced data kept", RULE, tuple(by_power(FIRST, Loss.KEPT))),
    Group("Power cut in every state of an update by delta", RULE, tuple(by_power(DELTA, Loss.LOST))),
    Group("Agent killed in every state of an update by delta", RULE, tuple(by_process(DELTA))),
    Group("Power cut while the journal is written", RULE, (*in_the_journal(FIRST), *just_journalled(FIRST))),
)
