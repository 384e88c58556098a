"""Releases of several steps that come to no good end: all that was begun is undone, wherever that is cut."""

from __future__ import annotations

from collections.abc import Iterator

from agent.slots import Slot
from agent.update.machine import State
from bridge.release.errors import FailureCode
from tests.agent.cases.case import EVERY, Case, Group, Told, failed, fell_back, installed, rejected
from tests.agent.cases.falling import interruptions
from tests.agent.cases.faults import UNHEALTHY, dead, killed, power_cut, reset
from tests.agent.cases.handlers import (
    broken,
    file_altered,
    no_handler,
    no_handlers_in,
    spoils,
    switches_by_itself,
    unfit,
)
from tests.agent.cases.loops import STRIKES
from tests.agent.cases.paths import REFUSED, TOLD, after, up_to
from tests.agent.cases.spoiling import journal_spoiled, newer_journal, newest_copy_spoiled
from tests.agent.cases.stepped import (
    AGAIN,
    ALONE,
    APPLIED,
    FINISHED,
    FOREIGN,
    INSTALLED,
    RESTARTED,
    STAGED,
    WAYS,
    WITH_IMAGE,
    WITHOUT,
    Course,
)
from tests.agent.power import Loss
from tests.agent.stepping import BY_HANDLER, IMAGE, IN_PLACE, WITH_RESTART

RULE = (
    "What was begun is undone in reverse order, in the old slot's system, and the update ends with what had gone "
    "wrong. Wherever that is cut it goes on; a step is undone once more where it is not known to be undone. The old "
    "slot runs, with all parts as they were."
)
KEPT_RULE = (
    "A step that cannot be undone is told by number and name; the other steps are undone all the same. What had gone "
    "wrong before stands in the same report."
)
LOST_RULE = (
    "Beside the journal it is written down that steps were begun. So an agent that finds no journal, or that of a "
    "newer agent, undoes them all the same, and tells it under the offer of old."
)
UNDONE = f"undone reporting, {TOLD}"
UNTRIED = f"staged applying, failed undoing, {UNDONE}"
LEFT = f"{STAGED}, {APPLIED} / left undoing, {UNDONE}"
UNFINISHED = f"{STAGED}, {APPLIED} / unfinished finishing, failed reverting / owing undoing, {UNDONE}"
LEAVING = "unfinished finishing, finished proving, unhealthy reverting"
SICK = "arrived proving, unhealthy reverting"
BACK = {
    IMAGE: f"{STAGED}, {APPLIED} / {LEAVING} / owing undoing, {UNDONE}",
    BY_HANDLER: f"{WITHOUT}, {APPLIED} / {LEAVING} / owing undoing, {UNDONE}",
    IN_PLACE: f"{WITHOUT}, staged applying, in_effect proving, unhealthy reverting, owing undoing, {UNDONE}",
    WITH_RESTART: f"{WITHOUT}, staged applying, restart rebooting / {SICK}, owing undoing / {UNDONE}",
}
"""The way of each kind of release that is not healthy."""
NOT_HEALTHY = fell_back(FailureCode.UNHEALTHY, "a", "1.0.0", words="no route to the cloud")
FAILED = failed(FailureCode.STEP, "a", "1.0.0", words="its script ended with status 1")
GIVEN_BACK = fell_back(FailureCode.STEP, "a", "1.0.0", words="its script ended with status 1")
BY_BOOT_LOADER = fell_back(FailureCode.FELL_BACK, "a", "1.0.0", words="slot a runs again")
WHY = f"given up after {STRIKES} restarts without progress"


def way_back(course: Course, state: State, *, done: bool, power: bool) -> str:
    """The whole chain of a release that is not healthy, interrupted once in `state`."""
    way, mark = BACK[course.kind], "/" if power else "+"
    before, rest = up_to(way, state), after(way, state)
    if not rest.startswith("/"):
        return f"{before} {mark} {rest}"
    rest = rest.removeprefix("/, ")
    return f"{before} / {mark} {rest}" if done else f"{before} {mark} / {rest}"


def undoing(course: Course) -> Iterator[Case]:
    """Interrupted on the way back."""
    for state in (State.REVERTING, State.UNDOING, State.REPORTING):
        for fault, done, power in interruptions(state):
            reports = (NOT_HEALTHY,) * (2 if state is State.REPORTING and done else 1)
            steps = way_back(course, state, done=done, power=power)
            yield course.row(f"not healthy: {fault.words}", steps, *reports, faults=(UNHEALTHY, fault))


def in_a_handler() -> Iterator[Case]:
    """In the middle of undoing one step, and just after it."""
    for verb in ("undo app", "undone app", "undo boot", "undone boot"):
        for fault, mark in ((killed(verb), "+"), (power_cut(verb, Loss.LOST), "/"), (power_cut(verb, Loss.KEPT), "/")):
            steps = f"{up_to(BACK[IMAGE], State.UNDOING)} {mark} {UNDONE}"
            yield WITH_IMAGE.row(f"not healthy: {fault.words}", steps, NOT_HEALTHY, faults=(UNHEALTHY, fault))


def given_up() -> Iterator[Case]:
    """The boot loader leaves the trial, and that is interrupted."""
    for fault, power in ((killed("before undoing"), False), (power_cut("after undoing", Loss.LOST), True)):
        steps = f"{up_to(LEFT, State.UNDOING)} {'/' if power else '+'} {UNDONE}"
        yield WITH_IMAGE.row(
            f"does not boot: {fault.words}", steps, BY_BOOT_LOADER, faults=(dead(Slot.B), fault), silent=3
        )


def again_and_again() -> Iterator[Case]:
    """The agent dies at the same place each time."""
    loop = killed("install boot", EVERY)
    steps = f"{STAGED}, staged applying {'+ ' * (STRIKES + 1)} given_up undoing, {UNDONE}"
    yield WITH_IMAGE.row(loop.words, steps, failed(FailureCode.INTERRUPTED, "a", "1.0.0", words=WHY), faults=(loop,))
    loop, arrived = killed("install app", EVERY), f"{STAGED}, {APPLIED} / unfinished finishing"
    once_more = "+ resume rebooting, unfinished finishing " * STRIKES
    steps = f"{arrived} {once_more} + resume rebooting, given_up reverting / owing undoing, {UNDONE}"
    left = fell_back(FailureCode.INTERRUPTED, "a", "1.0.0", words=WHY)
    yield WITH_IMAGE.row(loop.words, steps, left, faults=(loop,))
    loop = reset("install app")
    once_more = "/ resume rebooting, unfinished finishing " * 2
    steps = f"{arrived} {once_more} / resume rebooting, left undoing, {UNDONE}"
    yield WITH_IMAGE.row(loop.words, steps, BY_BOOT_LOADER, faults=(loop,))


def never_undone() -> Case:
    """The same, while it is undone."""
    loop = killed("undo boot", EVERY)
    steps = f"{up_to(BACK[IMAGE], State.UNDOING)} {'+ ' * (STRIKES + 1)} given_up reporting, {TOLD}"
    kept = fell_back(FailureCode.STEP_KEPT, "a", "1.0.0", words=WHY)
    return WITH_IMAGE.row(loop.words, steps, kept, faults=(UNHEALTHY, loop), kept=(("boot", "2.0.0"),))


def step_kept(words: str) -> Told:
    """It fell back, and not all of it."""
    return fell_back(FailureCode.STEP_KEPT, "a", "1.0.0", words=words)


PLAIN = tuple(
    course.row("not healthy", BACK[course.kind], NOT_HEALTHY, faults=(UNHEALTHY,))
    for course in (WITH_IMAGE, FOREIGN, ALONE, RESTARTED)
)
ALTERED = failed(FailureCode.ALTERED, "a", "1.0.0", words="artifact boot.bin of step boot has 3000 bytes with sha256")
FAILING = (
    WITH_IMAGE.row("a step fails before the switch", f"{STAGED}, {UNTRIED}", FAILED, faults=(broken("install boot"),)),
    WITH_IMAGE.row("a step fails in the trial boot", UNFINISHED, GIVEN_BACK, faults=(broken("install app"),)),
    ALONE.row("the second step fails", f"{WITHOUT}, {UNTRIED}", FAILED, faults=(broken("install app"),)),
    FOREIGN.row("the step of the slot fails", f"{WITHOUT}, {UNTRIED}", FAILED, faults=(broken("install rootfs"),)),
    WITH_IMAGE.row("does not boot", LEFT, BY_BOOT_LOADER, faults=(dead(Slot.B),), silent=3),
    FOREIGN.row(
        "does not boot",
        f"{WITHOUT}, {APPLIED} / left undoing, {UNDONE}",
        BY_BOOT_LOADER,
        faults=(dead(Slot.B),),
        silent=3,
    ),
    WITH_IMAGE.row(
        "does not boot any more once it is proved",
        f"{up_to(WAYS[IMAGE], State.COMMITTING)} / left undoing, {UNDONE}",
        BY_BOOT_LOADER,
        faults=(dead(Slot.B, "before committing"), power_cut("before committing")),
        silent=2,
    ),
    WITH_IMAGE.row(
        "the system in the slot has no handler for a step",
        UNFINISHED,
        fell_back(FailureCode.STEP, "a", "1.0.0", words="needs the handler script, which slot b has not"),
        faults=(no_handlers_in(Slot.B),),
    ),
    WITH_IMAGE.row(
        "a file is spoiled before it is handed over",
        f"{STAGED}, {UNTRIED}",
        ALTERED,
        faults=(file_altered("boot", "before applying"),),
    ),
    WITH_IMAGE.row(
        "a file is spoiled before it is handed over in the trial boot",
        UNFINISHED,
        fell_back(FailureCode.ALTERED, "a", "1.0.0", words="artifact app.bin of step app"),
        faults=(file_altered("app", "before finishing"),),
    ),
    FOREIGN.row(
        "the handler writes something else",
        f"{WITHOUT}, {UNTRIED}",
        failed(FailureCode.SLOT_MISMATCH, "a", "1.0.0", words="the slot gave back"),
        faults=(spoils(),),
    ),
    FOREIGN.row("the handler switches by itself", WAYS[BY_HANDLER], INSTALLED, faults=(switches_by_itself(),)),
    FOREIGN.row(
        "the handler switches by itself, and the power is cut before that is taken back",
        f"{up_to(WAYS[BY_HANDLER], State.APPLYING)} / / applied switching, switched rebooting / {FINISHED}",
        INSTALLED,
        faults=(switches_by_itself(), power_cut("installed rootfs", Loss.KEPT)),
    ),
    FOREIGN.row(
        "the handler writes something else, switches to it, and the power is cut",
        f"{up_to(WAYS[BY_HANDLER], State.APPLYING)} / / failed undoing, {UNDONE}",
        failed(FailureCode.SLOT_MISMATCH, "a", "1.0.0", words="the slot gave back"),
        faults=(spoils(), switches_by_itself(), power_cut("installed rootfs", Loss.KEPT)),
    ),
)
REFUSALS = (
    WITH_IMAGE.row(
        "no handler",
        REFUSED,
        rejected(
            FailureCode.INCOMPATIBLE,
            "a",
            "1.0.0",
            words="step boot needs the handler script, which this device has not",
        ),
        faults=(no_handler(),),
    ),
    WITH_IMAGE.row(
        "a handler that cannot undo",
        REFUSED,
        rejected(FailureCode.INCOMPATIBLE, "a", "1.0.0", words="step app: no way back is kept"),
        faults=(unfit("app", "no way back is kept"),),
    ),
)
KEPT = (
    WITH_IMAGE.row(
        "one step cannot be undone",
        f"{up_to(BACK[IMAGE], State.UNDOING)}, failed reporting, {TOLD}",
        step_kept("step boot could not be undone: step boot: its script ended with status 1; before that: no route"),
        faults=(UNHEALTHY, broken("undo boot")),
        kept=(("boot", "2.0.0"),),
    ),
    WITH_IMAGE.row(
        "one step cannot be undone, and the one before it is",
        f"{up_to(BACK[IMAGE], State.UNDOING)}, failed reporting, {TOLD}",
        step_kept("step app could not be undone"),
        faults=(UNHEALTHY, broken("undo app")),
        kept=(("app", "2.0.0"),),
    ),
    ALONE.row(
        "a step fails, and another cannot be undone",
        f"{WITHOUT}, staged applying, failed undoing, failed reporting, {TOLD}",
        failed(FailureCode.STEP_KEPT, "a", "1.0.0", words="step boot could not be undone"),
        faults=(broken("install app"), broken("undo boot")),
        kept=(("boot", "2.0.0"),),
    ),
    WITH_IMAGE.row(
        "the handler is gone by then",
        f"{up_to(BACK[IMAGE], State.UNDOING)}, failed reporting, {TOLD}",
        step_kept("needs the handler script, which slot a has not"),
        faults=(UNHEALTHY, no_handlers_in(Slot.A)),
        kept=(("boot", "2.0.0"), ("app", "2.0.0")),
    ),
    never_undone(),
)
FORGOTTEN = failed(FailureCode.JOURNAL, "a", "1.0.0", words="steps of release 2.0.0 had been begun")
NEWER = fell_back(FailureCode.FELL_BACK, "a", "1.0.0", words="whose agent cannot read the journal of the newer one")
OWED = f"left undoing, {UNDONE}"
LOST = (
    WITH_IMAGE.row(
        "journal lost in applying",
        f"{up_to(WAYS[IMAGE], State.APPLYING)} + resume idle, {OWED}",
        FORGOTTEN,
        faults=(journal_spoiled("installed boot"), killed("installed boot")),
    ),
    WITH_IMAGE.row(
        "journal lost in the trial boot",
        f"{up_to(WAYS[IMAGE], State.FINISHING)} + resume idle / {OWED}",
        FORGOTTEN,
        faults=(journal_spoiled("install app"), killed("install app")),
    ),
    WITH_IMAGE.row(
        "journal lost in undoing",
        f"{up_to(BACK[IMAGE], State.UNDOING)} / resume idle, {OWED}",
        FORGOTTEN,
        faults=(UNHEALTHY, journal_spoiled("undone app"), power_cut("undone app", Loss.KEPT)),
    ),
    ALONE.row(
        "journal lost in the proof",
        f"{up_to(WAYS[IN_PLACE], State.PROVING)} + resume idle, {OWED}",
        FORGOTTEN,
        faults=(journal_spoiled("before proving"), killed("before proving")),
    ),
    WITH_IMAGE.row(
        "journal lost after the commit",
        f"{up_to(WAYS[IMAGE], State.REPORTING)} + resume idle, {WAYS[IMAGE]}",
        installed("a", "2.0.0"),
        faults=(journal_spoiled("before reporting"), killed("before reporting")),
    ),
    WITH_IMAGE.row(
        "newest copy lost before the first step",
        f"{up_to(WAYS[IMAGE], State.APPLYING)} + resume idle, {AGAIN}",
        INSTALLED,
        faults=(newest_copy_spoiled("before applying"), killed("before applying")),
    ),
    WITH_IMAGE.row(
        "newest copy lost as the trial begins",
        f"{up_to(WAYS[IMAGE], State.SWITCHING)} / resume applying / applied switching, switched rebooting / {FINISHED}",
        INSTALLED,
        faults=(newest_copy_spoiled("after switching"), power_cut("after switching", Loss.KEPT)),
    ),
    WITH_IMAGE.row(
        "the journal of a newer agent",
        f"{up_to(WAYS[IMAGE], State.PROVING)} + / resume undoing, {UNDONE}",
        NEWER,
        faults=(newer_journal("before proving"), killed("before proving")),
    ),
)
GROUPS = (
    Group("Steps that are undone", RULE, (*PLAIN, *FAILING, *again_and_again(), *REFUSALS)),
    Group("Interrupted while steps are undone", RULE, (*undoing(WITH_IMAGE), *undoing(ALONE), *undoing(RESTARTED))),
    Group("Interrupted in a handler that undoes, or by the boot loader", RULE, (*in_a_handler(), *given_up())),
    Group("Steps that cannot be undone", KEPT_RULE, KEPT),
    Group("Steps that the journal has forgotten", LOST_RULE, LOST),
)
