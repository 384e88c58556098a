"""Releases of several steps that come to a good end: undisturbed, killed in every state, and without power."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from agent.cloud.channel import OfferWithdrawn
from agent.permit.permission import ALLOWED, Later, Moment
from agent.slots import Slot
from agent.update.machine import State
from bridge.release.errors import ChannelError, DownloadError, FailureCode
from tests.agent.cases.case import Case, Fault, Group, Offered, Told, failed, installed
from tests.agent.cases.chain import chain
from tests.agent.cases.devices import FITTED, of_steps
from tests.agent.cases.faults import answers, fails, killed, link, metered, power_cut, withdrawn
from tests.agent.cases.handlers import broken, file_altered, no_space
from tests.agent.cases.kills import moment
from tests.agent.cases.paths import COMMITTED, JUDGED, TOLD, WRITTEN, after, up_to
from tests.agent.power import Loss
from tests.agent.stepping import BY_HANDLER, IMAGE, IN_PLACE, WITH_RESTART

STAGED = f"{JUDGED}, {WRITTEN}, more staging"
WITHOUT = "offered judging, without_image staging"
APPLIED = "staged applying, applied switching, switched rebooting"
FINISHED = f"unfinished finishing, finished proving, {COMMITTED}"
WAYS = {
    IMAGE: f"{STAGED}, {APPLIED} / {FINISHED}",
    BY_HANDLER: f"{WITHOUT}, {APPLIED} / {FINISHED}",
    IN_PLACE: f"{WITHOUT}, staged applying, in_effect proving, {COMMITTED}",
    WITH_RESTART: f"{WITHOUT}, staged applying, restart rebooting / arrived proving, {COMMITTED}",
}
"""The way of each kind of release that nothing disturbs."""
AGAIN = f"offered judging, kept checking, more staging, {after(WAYS[IMAGE], State.STAGING)}"
"""The image was read back already."""
RULE = (
    "One verdict for all steps. Their files are all there, and hold what was signed, before the first begins; those "
    "before the step of the slot are done on the running system, those after it in the trial boot, before its proof. "
    "Until the first begins, everything interrupted begins again with its offer and fetches no byte twice; from then "
    "on the step that was begun is done once more, and the update goes on."
)
INSTALLED = installed("b", "2.0.0")
BESIDE = installed("a", "2.0.0")


@dataclass(frozen=True, slots=True)
class Course:
    """A good release of one kind."""

    kind: str
    end: Told

    @property
    def way(self) -> str:
        """Its states."""
        return WAYS[self.kind]

    @property
    def offered(self) -> Offered:
        """What is offered."""
        return of_steps(self.kind)

    def row(self, name: str, steps: str, *reports: Told, faults: tuple[Fault, ...] = (), **more) -> Case:
        """A case of this kind."""
        slot = more.pop("slot", Slot(reports[-1].slot) if reports else Slot.A)
        beside = more.pop("beside", "2.0.0" if reports and reports[-1] == BESIDE else "")
        words = f"{self.kind}: {name}"
        return Case(words, FITTED, (self.offered,), faults, chain(steps), reports, slot, beside=beside, **more)


COURSES = tuple(
    Course(kind, INSTALLED if kind in (IMAGE, BY_HANDLER) else BESIDE)
    for kind in (IMAGE, BY_HANDLER, IN_PLACE, WITH_RESTART)
)
WITH_IMAGE, FOREIGN, ALONE, RESTARTED = COURSES


def course_of(course: Course, state: State, *, done: bool, power: bool) -> str:
    """The whole chain where `state` is interrupted once."""
    mark, way = "/" if power else "+", course.way
    rest = after(way, state)
    if state is State.REBOOTING:
        arrived = rest.removeprefix("/, ")
        return f"{up_to(way, state)} {'/' if done else ''} {mark} {'' if done or power else '/'} {arrived}"
    if state is State.SWITCHING and done and power:
        return f"{up_to(way, state)} / switched rebooting, {after(way, State.REBOOTING).removeprefix('/, ')}"
    if state is State.APPLYING and done and power and course.kind == WITH_RESTART:
        return f"{up_to(way, state)} / {rest}"  # not journalled: applied once more, and restarted
    before = {State.STAGING: f"resume idle, {AGAIN if course.kind == IMAGE else way}"}
    before |= {State.FINISHING: f"resume rebooting, unfinished finishing, {rest}"}
    before |= {State.PROVING: f"resume rebooting, arrived proving, {rest}"}
    return f"{up_to(way, state)} {mark} {before.get(state, rest)}"


STATES = (
    State.STAGING,
    State.APPLYING,
    State.SWITCHING,
    State.REBOOTING,
    State.FINISHING,
    State.PROVING,
    State.COMMITTING,
    State.REPORTING,
)


def interrupted(course: Course) -> Iterator[Case]:
    """Each state from STAGING on, as it begins and as its work is done."""
    for state in (each for each in STATES if f" {each}" in course.way):
        for done in (False, True):
            when = moment(state, done=done)
            for fault, power in ((killed(when), False), (power_cut(when, Loss.LOST), True)):
                reports = (course.end,) * (2 if state is State.REPORTING and done else 1)
                yield course.row(
                    fault.words, course_of(course, state, done=done, power=power), *reports, faults=(fault,)
                )


def in_a_handler() -> Iterator[Case]:
    """In the middle of a handler's work, and just after it."""
    for verb, state in (
        ("install boot", State.APPLYING),
        ("installed boot", State.APPLYING),
        ("settle app", State.REPORTING),
    ):
        for fault, mark in ((killed(verb), "+"), (power_cut(verb, Loss.LOST), "/")):
            steps = f"{up_to(WAYS[IMAGE], state)} {mark} {after(WAYS[IMAGE], state)}"
            yield WITH_IMAGE.row(fault.words, steps, INSTALLED, faults=(fault,))
    for verb in ("install app", "installed app"):
        for fault, mark in ((killed(verb), "+"), (power_cut(verb, Loss.SCRAMBLED), "/")):
            rest = f"resume rebooting, unfinished finishing, {after(WAYS[IMAGE], State.FINISHING)}"
            steps = f"{up_to(WAYS[IMAGE], State.FINISHING)} {mark} {rest}"
            yield WITH_IMAGE.row(fault.words, steps, INSTALLED, faults=(fault,))


PLAIN = tuple(course.row("a good release", course.way, course.end) for course in COURSES)
TO_SETTLE = WITH_IMAGE.row(
    "its handler leaves something over", WITH_IMAGE.way, INSTALLED, faults=(broken("settle boot"),)
)
FILES = "app.bin"
LATER = Later("space", "the tank is being filled", 60)
ONCE_MORE = f"interrupted idle, {AGAIN}"
HELD_UP = (
    WITH_IMAGE.row(
        "the cloud cannot be asked as a file is fetched",
        f"{STAGED}, {ONCE_MORE}",
        INSTALLED,
        faults=(link("no fresh URLs", ChannelError("no route"), after=40_000, names=(FILES,)),),
    ),
    WITH_IMAGE.row(
        "the download of a file gives up",
        f"{STAGED}, failed reporting, {TOLD}",
        failed(FailureCode.DOWNLOAD, "a", "1.0.0"),
        faults=(link("the server hangs up", DownloadError("given up"), after=40_000, names=(FILES,)),),
    ),
    WITH_IMAGE.row(
        "permission later, once the files are there",
        f"{STAGED}, postponed idle, {AGAIN}",
        INSTALLED,
        faults=(answers(Moment.INSTALL, LATER, ALLOWED),),
    ),
    ALONE.row(
        "permission later, once the files are there",
        f"{WITHOUT}, postponed idle, {WAYS[IN_PLACE]}",
        BESIDE,
        faults=(answers(Moment.INSTALL, LATER, ALLOWED),),
    ),
    ALONE.row(
        "files are kept off a metered link",
        f"offered judging, failed reporting, {TOLD}",
        failed(FailureCode.METERED, "a", "1.0.0", words="keeps the files of the steps of 73000 bytes off it"),
        faults=(metered(),),
    ),
    ALONE.row(
        "a file is spoiled between two tries",
        f"{WITHOUT}, postponed idle, {WAYS[IN_PLACE]}",
        BESIDE,
        faults=(answers(Moment.INSTALL, LATER, ALLOWED), file_altered("app", "wait")),
    ),
    ALONE.row(
        "no room for the files",
        f"{WITHOUT}, failed reporting, {TOLD}",
        failed(FailureCode.STEP, "a", "1.0.0", words="the files of the steps need 73000 bytes more"),
        faults=(no_space(),),
    ),
    ALONE.row(
        "the disk runs full as a file is written",
        f"{WITHOUT}, failed reporting, {TOLD}",
        failed(FailureCode.STEP, "a", "1.0.0", words="app.file cannot be written: No space left on device; make room"),
        faults=(fails("write app.file", errno.ENOSPC, "the disk is full"),),
    ),
    ALONE.row(
        "withdrawn before the files are there", f"{WITHOUT}, withdrawn idle", faults=(withdrawn("before staging"),)
    ),
    WITH_IMAGE.row(
        "withdrawn before the files are there", f"{STAGED}, withdrawn idle", faults=(withdrawn("before staging"),)
    ),
    ALONE.row("withdrawn once a step is begun", WAYS[IN_PLACE], faults=(withdrawn("before applying"),), beside="2.0.0"),
    WITH_IMAGE.row(
        "fresh URLs for a file, and the offer is gone",
        f"{STAGED}, withdrawn idle",
        faults=(
            link("no fresh URLs: the job is deleted", OfferWithdrawn("gone"), after=40_000, names=(FILES,)),
            withdrawn("after staging"),
        ),
    ),
)
GROUPS = (
    Group("Releases of several steps", RULE, (*PLAIN, TO_SETTLE)),
    Group("Killed, or without power, between the steps of a release", RULE, tuple(interrupted(WITH_IMAGE))),
    Group("The same, where a handler writes the slot", RULE, tuple(interrupted(FOREIGN))),
    Group("The same, beside the image that runs", RULE, (*interrupted(ALONE), *interrupted(RESTARTED))),
    Group("Killed in a handler", RULE, tuple(in_a_handler())),
    Group("Files of steps that are held up", RULE, HELD_UP),
)
