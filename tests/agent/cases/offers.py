"""Several offers, and releases that are there already."""

from __future__ import annotations

from dataclasses import replace

from agent.slots import Slot
from bridge.release.errors import FailureCode
from tests.agent.cases.case import Group, fell_back, installed
from tests.agent.cases.devices import release
from tests.agent.cases.faults import killed, replaced, verdicts, withdrawn
from tests.agent.cases.paths import GOOD, JUDGED, KEPT, PROVED, RETURNED, SWITCHED, TOLD, WRITTEN
from tests.agent.cases.rows import TWO_JOBS, on_2, on_3, on_new
from tests.agent.cases.spoiling import slot_spoiled
from tests.agent.device import package

RULE = (
    "One update at a time, each told by itself. What the slot that runs holds is installed without a download; what "
    "the other slot was committed with once is read back, tried and proved again."
)
FIRST = installed("b", "2.0.0")
SECOND = installed("a", "3.0.0", offer="job-2")
ONE_AFTER_THE_OTHER = (release(2), release(3, "job-2"))
HELD = f"offered judging, held reporting, {TOLD}"
INSTEAD = replaced("before writing", lambda device: device.offer(package(3), "job-2"), "3.0.0 is offered instead then")
NEXT = replaced(
    "before proving",
    lambda device: device.cloud.queue.append(device.made(package(3), "job-2")),
    "3.0.0 is offered as proving begins",
)

SEVERAL = (
    on_new("a good release, for a new device", GOOD, FIRST),
    on_2("a good release, for a device that was updated before", GOOD, installed("a", "3.0.0")),
    on_new("one release after the other", f"{GOOD}, {GOOD}", FIRST, SECOND, offers=ONE_AFTER_THE_OTHER),
    on_new(
        "an older release after a newer one",
        f"{GOOD}, {GOOD}",
        installed("b", "3.0.0"),
        installed("a", "2.0.0", offer="job-2"),
        offers=(release(3), release(2, "job-2")),
    ),
    on_new(
        "the same release under two jobs",
        f"{GOOD}, {HELD}",
        FIRST,
        installed("b", "2.0.0", offer="job-2"),
        offers=TWO_JOBS,
    ),
    on_new(
        "another release under the same job",
        f"{GOOD}, {GOOD}",
        FIRST,
        installed("a", "3.0.0"),
        offers=(release(2), replace(release(3), words="3.0.0 under the same job")),
        forgotten="one name stands for two offers; each has its own answer",
    ),
    on_new(
        "another release is offered while the agent is down",
        f"{JUDGED}, prepared writing + resume idle, {GOOD}",
        installed("b", "3.0.0", offer="job-2"),
        faults=(killed("before writing"), INSTEAD)[::-1],
        forgotten="the first offer never ended, and would be begun",
    ),
    on_new("another release is offered in the trial boot", f"{GOOD}, {GOOD}", FIRST, SECOND, faults=(NEXT,)),
)
THERE_ALREADY = (
    on_2("the release that runs already", HELD, FIRST, offers=(release(2),)),
    on_3("the release before, which the other slot still holds", KEPT, FIRST),
    on_3(
        "the release before, whose slot was modified",
        f"offered judging, kept checking, spoiled judging, accepted preparing, {WRITTEN}, {SWITCHED} / {PROVED}",
        FIRST,
        faults=(slot_spoiled(Slot.B),),
    ),
    on_3(
        "the release before, which is not healthy any more",
        f"offered judging, kept checking, {SWITCHED} / arrived proving, unhealthy reverting / {RETURNED}",
        fell_back(FailureCode.UNHEALTHY, "a", "3.0.0"),
        faults=(verdicts("no route"),),
    ),
    on_3(
        "the release before, agent killed as it is read back",
        f"offered judging, kept checking + resume idle, {KEPT}",
        FIRST,
        faults=(killed("before checking"),),
    ),
    on_3(
        "the release before, withdrawn as it is read back",
        "offered judging, kept checking, withdrawn idle",
        faults=(withdrawn("before checking"),),
        slot=Slot.A,
    ),
)
GROUPS = (Group("One offer, and several", RULE, SEVERAL), Group("Releases that are there already", RULE, THERE_ALREADY))
