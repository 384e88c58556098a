"""An offer that the cloud withdraws, in every state."""

from __future__ import annotations

from collections.abc import Iterator

from agent.slots import Slot
from agent.update.machine import State
from tests.agent.cases.case import Case, Group, installed
from tests.agent.cases.devices import release
from tests.agent.cases.faults import GONE, UNHEALTHY, killed, link, withdrawn
from tests.agent.cases.paths import BEGUN, FETCHED, GOOD, PROVED, up_to
from tests.agent.cases.paths import UNHEALTHY as BACK
from tests.agent.cases.rows import on_new

RULE = (
    "Before the switch the agent stops at its next word to the cloud: nothing is on trial, nothing is reported, the "
    "old slot runs on and the next offer is taken. From the switch on a withdrawal comes too late: the trial decides, "
    "and nobody is there to take its report."
)
DOWNLOADING = f"{BEGUN}, withdrawn idle"
NOTICED = {
    State.JUDGING: "offered judging, withdrawn idle",
    State.PREPARING: DOWNLOADING,
    State.WRITING: DOWNLOADING,
    State.CHECKING: f"{up_to(GOOD, State.CHECKING)}, withdrawn idle",
}
"""Where the agent says its next word after a withdrawal that comes as this state begins."""
TOO_LATE = (State.SWITCHING, State.REBOOTING, State.PROVING, State.COMMITTING, State.REPORTING)
RENEWED = link("no fresh URLs: the job is deleted", GONE)


def in_every_state() -> Iterator[Case]:
    """As each state of a good update begins."""
    for state, steps in NOTICED.items():
        fault = withdrawn(f"before {state}")
        yield on_new(fault.words, steps, faults=(fault,), slot=Slot.A)
    for state in TOO_LATE:
        fault = withdrawn(f"before {state}")
        yield on_new(fault.words, GOOD, faults=(fault,), slot=Slot.B)


OTHERS = (
    on_new("withdrawn before it was begun", "", faults=(withdrawn("offer"),), slot=Slot.A),
    on_new("withdrawn when the slot is checked", GOOD, faults=(withdrawn("after checking"),), slot=Slot.B),
    on_new(
        "withdrawn when the cloud has the report", GOOD, installed("b", "2.0.0"), faults=(withdrawn("after reporting"),)
    ),
    on_new("withdrawn as it falls back", BACK, faults=(UNHEALTHY, withdrawn("before reverting")), slot=Slot.A),
    on_new(
        "withdrawn when fresh URLs are asked for",
        DOWNLOADING,
        faults=(RENEWED, withdrawn("after writing")),
        slot=Slot.A,
    ),
    on_new(
        "agent killed in writing, and the offer is withdrawn meanwhile",
        f"{BEGUN} + resume idle",
        faults=(killed("before writing"), withdrawn("before idle")),
        slot=Slot.A,
    ),
    on_new(
        "agent killed in the trial boot, and the offer is withdrawn meanwhile",
        f"{FETCHED} / arrived proving + resume rebooting, {PROVED}",
        faults=(killed("before proving"), withdrawn("before rebooting")),
        slot=Slot.B,
    ),
    on_new(
        "withdrawn in writing, and the next one comes",
        f"{DOWNLOADING}, {GOOD}",
        installed("b", "3.0.0", offer="job-2"),
        faults=(withdrawn("before writing"),),
        offers=(release(2), release(3, "job-2")),
    ),
    on_new(
        "withdrawn in the trial boot, and the next one comes",
        f"{GOOD}, {GOOD}",
        installed("a", "3.0.0", offer="job-2"),
        faults=(withdrawn("before proving"),),
        offers=(release(2), release(3, "job-2")),
    ),
)
GROUPS = (Group("Offer withdrawn", RULE, (*in_every_state(), *OTHERS)),)
