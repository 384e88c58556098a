"""Somebody on the device says "later" or "no"; and a release that fell back too often."""

from __future__ import annotations

from collections.abc import Iterator

from agent.permit.permission import ALLOWED, Later, Moment, Refused
from agent.slots import Slot
from agent.update.machine import State
from bridge.release.errors import FailureCode
from tests.agent.cases.case import Case, Group, Told, failed, fell_back, installed, rejected
from tests.agent.cases.devices import release
from tests.agent.cases.faults import UNHEALTHY, answers, by_hand, dead, killed, power_cut, replaced, verdicts, withdrawn
from tests.agent.cases.paths import (
    FETCHED,
    GIVEN_UP_BY_BOOT_LOADER,
    GOOD,
    KEPT,
    PROVED,
    REFUSED,
    SWITCHED,
    TOLD,
    WRITTEN,
    up_to,
)
from tests.agent.cases.paths import UNHEALTHY as BACK
from tests.agent.cases.rows import TWO_JOBS, on_3, on_new
from tests.agent.cases.spoiling import slot_spoiled
from tests.agent.device import package
from tests.agent.power import Loss

RULE = (
    "Permission is asked before the download, before the switch and before the commit. “Later” puts the update off, at "
    "no cost: what is in the slot is kept and read back again before the switch. “No” ends the offer, and changes "
    "nothing. A trial boot cannot wait: whoever does not agree to the commit sends it back."
)
QUARANTINE_RULE = (
    "A release that fell back three times on a device is refused from then on, under whatever job it comes; a newer "
    "one is taken, and a person may lift the quarantine."
)
LATER = Later("battery", "12 per cent left", 60)
NO = Refused("operator", "not this one")
DOWNLOAD, INSTALL, COMMIT = Moment.DOWNLOAD, Moment.INSTALL, Moment.COMMIT
INSTALLED = installed("b", "2.0.0")
VETOED = failed(FailureCode.VETOED, "a", "1.0.0", words="operator: not this one")
OBJECTED = FailureCode.UNHEALTHY
ASKED = "offered judging, postponed idle"
CHECKED = f"{up_to(GOOD, State.CHECKING)}, postponed idle"
WENT_ON = f"offered judging, kept checking, {SWITCHED} / {PROVED}"
WRITTEN_ANEW = f"spoiled judging, accepted preparing, {WRITTEN}"
NOT_SWITCHED = f"{up_to(GOOD, State.CHECKING)}, failed reporting, {TOLD}"
BEFORE_DOWNLOAD = answers(DOWNLOAD, LATER, ALLOWED)
BEFORE_SWITCH = answers(INSTALL, LATER, ALLOWED)
OTHER = replaced("wait", lambda device: device.offer(package(3), "job-2"), "3.0.0 is offered instead, while it waits")
TIMES = 3
"""Fallbacks that the devices of the table allow a release."""

NOT_NOW = (
    on_new("later, before the download", f"{ASKED}, {GOOD}", INSTALLED, faults=(BEFORE_DOWNLOAD,)),
    on_new(
        "later, before the download, three times",
        f"{ASKED}, {ASKED}, {ASKED}, {GOOD}",
        INSTALLED,
        faults=(answers(DOWNLOAD, LATER, LATER, LATER, ALLOWED),),
    ),
    on_new("later, before the switch", f"{CHECKED}, {WENT_ON}", INSTALLED, faults=(BEFORE_SWITCH,)),
    on_new(
        "later, before the switch, three times",
        f"{CHECKED}, {'offered judging, kept checking, postponed idle, ' * 2} {WENT_ON}",
        INSTALLED,
        faults=(answers(INSTALL, LATER, LATER, LATER, ALLOWED),),
    ),
    on_new("later, at both", f"{ASKED}, {CHECKED}, {WENT_ON}", INSTALLED, faults=(BEFORE_DOWNLOAD, BEFORE_SWITCH)),
    on_new(
        "later, before the commit",
        BACK,
        fell_back(OBJECTED, "a", "1.0.0", words="not to be committed: battery"),
        faults=(answers(COMMIT, LATER),),
    ),
    on_new(
        "later, before the switch, and the offer is withdrawn",
        CHECKED,
        faults=(BEFORE_SWITCH, withdrawn("wait")),
        slot=Slot.A,
    ),
    on_new(
        "later, before the switch, and the slot is modified",
        f"{CHECKED}, offered judging, kept checking, {WRITTEN_ANEW}, {SWITCHED} / {PROVED}",
        INSTALLED,
        faults=(BEFORE_SWITCH, slot_spoiled(Slot.B, "wait")),
    ),
    on_new(
        "later, before the switch, and another release is offered",
        f"{CHECKED}, {GOOD}",
        installed("b", "3.0.0", offer="job-2"),
        faults=(BEFORE_SWITCH, OTHER),
        forgotten="the first offer never ended, and would be begun",
    ),
    on_3(
        "later, before the switch back to the release before",
        f"offered judging, kept checking, postponed idle, {KEPT}",
        INSTALLED,
        faults=(BEFORE_SWITCH,),
    ),
)
NEVER = (
    on_new(
        "no, before the download", f"offered judging, failed reporting, {TOLD}", VETOED, faults=(answers(DOWNLOAD, NO),)
    ),
    on_new("no, before the switch", NOT_SWITCHED, VETOED, faults=(answers(INSTALL, NO),)),
    on_new(
        "no, before the commit",
        BACK,
        fell_back(OBJECTED, "a", "1.0.0", words="not to be committed: operator"),
        faults=(answers(COMMIT, NO),),
    ),
    on_new(
        "no, before the switch, and yes when the cloud tries again",
        f"{NOT_SWITCHED}, {GOOD}",
        VETOED,
        installed("b", "2.0.0", offer="job-2"),
        faults=(answers(INSTALL, NO, ALLOWED),),
        offers=TWO_JOBS,
    ),
    on_new(
        "later, and then no, before the switch",
        f"{CHECKED}, offered judging, kept checking, failed reporting, {TOLD}",
        VETOED,
        faults=(answers(INSTALL, LATER, NO),),
    ),
)


def interrupted() -> Iterator[Case]:
    """While the update waits."""
    for fault, mark in ((killed("wait"), "+"), (power_cut("wait"), "/"), (power_cut("wait", Loss.KEPT), "/")):
        yield on_new(
            f"later, before the download: {fault.words}",
            f"{ASKED} {mark} {GOOD}",
            INSTALLED,
            faults=(BEFORE_DOWNLOAD, fault),
        )
        yield on_new(
            f"later, before the switch: {fault.words}",
            f"{CHECKED} {mark} {WENT_ON}",
            INSTALLED,
            faults=(BEFORE_SWITCH, fault),
        )


def falls(code: FailureCode) -> tuple[Told, ...]:
    """The end of each job before the quarantine."""
    return tuple(
        fell_back(code, "a", "1.0.0", offer=f"job-{number}", fallbacks=number) for number in range(1, TIMES + 1)
    )


JOBS = tuple(release(2, f"job-{number}") for number in range(1, TIMES + 2))
REJECTED = rejected(FailureCode.QUARANTINED, "a", "1.0.0", offer="job-4", fallbacks=TIMES, words="is in quarantine")
THREE_TIMES = verdicts(*["no route"] * TIMES, None)
LIFT = by_hand("a person lifts the quarantine", lambda device: device.engine.lift(), "before idle", TIMES)
THRICE_BACK = f"{BACK}, " * TIMES
QUARANTINED = (
    on_new(
        "not healthy three times, and offered once more",
        f"{THRICE_BACK} {REFUSED}",
        *falls(FailureCode.UNHEALTHY),
        REJECTED,
        faults=(UNHEALTHY,),
        offers=JOBS,
    ),
    on_new(
        "does not boot three times, and offered once more",
        f"{f'{FETCHED} / {GIVEN_UP_BY_BOOT_LOADER}, ' * TIMES} {REFUSED}",
        *falls(FailureCode.FELL_BACK),
        REJECTED,
        faults=(dead(Slot.B),),
        offers=JOBS,
        silent=3 * TIMES,
    ),
    on_new(
        "not healthy three times, and a newer release",
        f"{THRICE_BACK} {GOOD}",
        *falls(FailureCode.UNHEALTHY),
        installed("b", "3.0.0", offer="job-4", fallbacks=TIMES),
        faults=(THREE_TIMES,),
        offers=(*JOBS[:TIMES], release(3, "job-4")),
    ),
    on_new(
        "not healthy three times, and a person lifts the quarantine",
        f"{THRICE_BACK} {GOOD}",
        *falls(FailureCode.UNHEALTHY),
        installed("b", "2.0.0", offer="job-4", fallbacks=TIMES),
        faults=(THREE_TIMES, LIFT),
        offers=JOBS,
        forgotten="with the quarantine its answers were lifted",
    ),
)
GROUPS = (
    Group("“Later” and “no” on the device", RULE, (*NOT_NOW, *NEVER)),
    Group("Interrupted while the update waits", RULE, tuple(interrupted())),
    Group("Releases in quarantine", QUARANTINE_RULE, QUARANTINED),
)
