"""Bad releases in both slots, verdicts that change, and people who decide."""

from __future__ import annotations

from agent.slots import Slot
from agent.update.machine import State
from bridge.release.errors import FailureCode
from tests.agent.cases.case import Group, failed, fell_back, installed
from tests.agent.cases.devices import release
from tests.agent.cases.faults import by_hand, dead, killed, machine_started, revived, verdicts
from tests.agent.cases.paths import (
    COMMITTED,
    FETCHED,
    GIVEN_UP_BY_BOOT_LOADER,
    GOOD,
    JUDGED,
    PROVED,
    RETURNED,
    SWITCHED,
    TOLD,
    WRITTEN,
    up_to,
)
from tests.agent.cases.paths import UNHEALTHY as BACK
from tests.agent.cases.rows import TWO_JOBS, on_2, on_3, on_new
from tests.agent.cases.spoiling import slot_spoiled

BAD_RULE = (
    "A release that is not healthy costs its trial and nothing else: the device stays on what runs, reports, and takes "
    "the next release."
)
HEALTH_RULE = "Only a verdict that was journalled counts; until then the checks are run again."
HAND_RULE = "A person at the device decides; the cloud hears of it where it waits for an end."
PROVING = up_to(GOOD, State.PROVING)
SICK = fell_back(FailureCode.UNHEALTHY, "a", "1.0.0", words="no route")
HUNG = f"{FETCHED} / {GIVEN_UP_BY_BOOT_LOADER}"
MODIFIED = slot_spoiled(Slot.B)
THREE_AND_FOUR = (release(3), release(4, "job-2"))
FOURTH = installed("a", "4.0.0", offer="job-2", fallbacks=1)

BAD = (
    on_new(
        "two bad releases, and a good one",
        f"{BACK}, {BACK}, {GOOD}",
        SICK,
        fell_back(FailureCode.UNHEALTHY, "a", "1.0.0", offer="job-2", fallbacks=2, words="no disk"),
        installed("b", "4.0.0", offer="job-3", fallbacks=2),
        faults=(verdicts("no route", "no disk", None),),
        offers=(release(2), release(3, "job-2"), release(4, "job-3")),
    ),
    on_new(
        "a release that does not boot, and a good one",
        f"{HUNG}, {GOOD}",
        fell_back(FailureCode.FELL_BACK, "a", "1.0.0"),
        installed("b", "3.0.0", offer="job-2", fallbacks=1),
        faults=(dead(Slot.B), revived("before idle")),
        offers=(release(2), release(3, "job-2")),
        silent=3,
    ),
    on_2(
        "both slots bad: what runs was modified, what comes is not healthy",
        f"{BACK}, {GOOD}",
        fell_back(FailureCode.UNHEALTHY, "b", "2.0.0"),
        FOURTH,
        faults=(MODIFIED, verdicts("no route", None)),
        offers=THREE_AND_FOUR,
    ),
    on_2(
        "both slots bad: what runs was modified, what comes does not boot",
        f"{HUNG}, {GOOD}",
        fell_back(FailureCode.FELL_BACK, "b", "2.0.0"),
        FOURTH,
        faults=(MODIFIED, dead(Slot.A), revived("before idle")),
        offers=THREE_AND_FOUR,
        silent=3,
    ),
    on_2(
        "both slots bad: what runs was modified, what comes is given back otherwise than it was written",
        f"{JUDGED}, {WRITTEN}, failed reporting, {TOLD}, {GOOD}",
        failed(FailureCode.SLOT_MISMATCH, "b", "2.0.0"),
        installed("a", "4.0.0", offer="job-2"),
        faults=(slot_spoiled(Slot.A, "before checking"), MODIFIED),
        offers=THREE_AND_FOUR,
    ),
    on_2(
        "the committed slot does not boot any more, weeks later",
        f"/ {GIVEN_UP_BY_BOOT_LOADER}, {GOOD}",
        fell_back(FailureCode.FELL_BACK, "a", "1.0.0", offer="earlier-2", words="which had been committed"),
        installed("b", "3.0.0", fallbacks=1),
        faults=(dead(Slot.B), machine_started("offer"), revived("before idle")),
        silent=3,
    ),
)
HEALTH = (
    on_new(
        "healthy, agent killed before that is journalled, then unhealthy",
        f"{PROVING} + resume rebooting, arrived proving, unhealthy reverting / {RETURNED}",
        SICK,
        faults=(verdicts(None, "no route"), killed("after proving")),
    ),
    on_new(
        "unhealthy, agent killed before that is journalled, then healthy",
        f"{PROVING} + resume rebooting, {PROVED}",
        installed("b", "2.0.0"),
        faults=(verdicts("no route", None), killed("after proving")),
    ),
    on_new(
        "unhealthy, and healthy when the cloud tries again",
        f"{BACK}, {GOOD}",
        SICK,
        installed("b", "2.0.0", offer="job-2", fallbacks=1),
        faults=(verdicts("no route", None),),
        offers=TWO_JOBS,
    ),
)
STOPPED = killed("before proving")
COMMIT = by_hand("a person commits", lambda device: device.engine.commit(), "start", 2)
LEAVE = by_hand("a person rolls back", lambda device: device.engine.rollback(), "start", 2)
GO_BACK = by_hand("a person wants the release before", lambda device: device.engine.rollback())
ORDERED = f"ordered checking, {SWITCHED} / {PROVED}"
BY_PEOPLE = (
    on_new(
        "the trial, committed by hand", f"{PROVING} + {COMMITTED}", installed("b", "2.0.0"), faults=(STOPPED, COMMIT)
    ),
    on_new(
        "the trial, rolled back by hand",
        f"{PROVING} + unhealthy reverting / {RETURNED}",
        fell_back(FailureCode.FELL_BACK, "a", "1.0.0", words="rolled back by hand"),
        faults=(STOPPED, LEAVE),
    ),
    on_3("back to the release before", ORDERED, faults=(GO_BACK,), offers=(), slot=Slot.B),
    on_2("back to the factory image", ORDERED, faults=(GO_BACK,), offers=(), slot=Slot.A),
    on_3(
        "back to a slot that was modified",
        f"ordered checking, failed reporting, {TOLD}",
        faults=(MODIFIED, GO_BACK),
        offers=(),
        slot=Slot.A,
    ),
    on_3(
        "back to a release that is not healthy any more",
        f"ordered checking, {SWITCHED} / arrived proving, unhealthy reverting / {RETURNED}",
        faults=(verdicts("no route"), GO_BACK),
        offers=(),
        slot=Slot.A,
    ),
)
GROUPS = (
    Group("Bad releases in both slots", BAD_RULE, BAD),
    Group("Health that changes", HEALTH_RULE, HEALTH),
    Group("A person at the device", HAND_RULE, BY_PEOPLE),
)
