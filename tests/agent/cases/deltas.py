"""Releases with a delta, good or of no use, and metered links."""

from __future__ import annotations

from agent.download.answer import LinkRefused
from agent.slots import Slot
from bridge.release.errors import ChannelError, FailureCode
from bridge.release.report import Outcome
from tests.agent.cases.case import Group, Told, failed, installed
from tests.agent.cases.devices import damaged_delta_3, lying_delta_3
from tests.agent.cases.faults import by_hand, link, metered
from tests.agent.cases.paths import BEGUN, GOOD, JUDGED, PROVED, PUT_OFF, SWITCHED, TOLD, WITHOUT_DELTA, WRITTEN
from tests.agent.cases.rows import by_delta, on_2
from tests.agent.cases.spoiling import slot_spoiled
from tests.agent.cases.stage import Killed, PowerCutOnLink
from tests.releases import FULL_NAME

RULE = (
    "The full artifact of the same release stands in for a delta that is of no use, of whichever kind, and the report "
    "says why. Where the link is metered and the full artifact is kept off it, the update ends instead."
)
NAMES = ("rootfs.1.delta",)
WITHOUT = f"{WITHOUT_DELTA} / {PROVED}"
FOUND_OUT = f"{JUDGED}, {WRITTEN}, unusable judging, accepted preparing, {WRITTEN}, {SWITCHED} / {PROVED}"
COSTLY = failed(FailureCode.METERED, "b", "2.0.0", words="the link is metered")
DEADLY = link("the agent dies of the delta, nine times", *[Killed() for _ in range(9)], after=0, names=NAMES)
OUT_OF_MEMORY = link("out of memory", MemoryError(), after=0, names=NAMES)
LOST = link("404 Not Found for the delta", LinkRefused("404 Not Found"), after=0, names=NAMES)
OUTAGE = link("the cloud cannot be asked for fresh URLs", ChannelError("the broker is gone"), after=1_000, names=NAMES)
BOTH_LOST = link("410 Gone for the full artifact", LinkRefused("410 Gone"), after=0, names=(FULL_NAME,))


def said(words: str = "") -> Told:
    """Release 3 is there, and what is said of its delta."""
    return Told(Outcome.INSTALLED, "a", "3.0.0", words=words)


DELTAS = (
    by_delta("a delta from what runs", GOOD, said()),
    by_delta("a damaged delta", WITHOUT, said("damaged on the way"), offered=damaged_delta_3()),
    by_delta("a delta that makes another image", FOUND_OUT, said("the slot gave back"), offered=lying_delta_3()),
    by_delta(
        "a delta from what ran before it was modified",
        GOOD,
        said("modified in the field"),
        faults=(slot_spoiled(Slot.B),),
    ),
    by_delta("a delta that the store lost", WITHOUT, said("404 Not Found"), faults=(LOST,)),
    by_delta("a delta that takes too much memory", WITHOUT, said("ran out of memory"), faults=(OUT_OF_MEMORY,)),
    by_delta(
        "a delta that the agent dies of, again and again",
        f"{BEGUN} {f'+ resume idle, {BEGUN} ' * 4} + resume idle, {GOOD}",
        said("5 times in a row"),
        faults=(DEADLY,),
    ),
    by_delta("an outage of the cloud in the middle of a delta", f"{PUT_OFF}, {GOOD}", said(), faults=(OUTAGE,)),
    by_delta(
        "agent killed in the middle of a delta",
        f"{BEGUN} + resume idle, {GOOD}",
        said(),
        faults=(link("killed when a part has come", Killed(), after=10_000, names=NAMES),),
    ),
    by_delta(
        "power cut in the middle of a delta",
        f"{BEGUN} / resume idle, {GOOD}",
        said(),
        faults=(link("power cut when a part has come", PowerCutOnLink(), after=10_000, names=NAMES),),
    ),
    by_delta(
        "what a delta made is given back otherwise than it was written",
        FOUND_OUT,
        said("the slot gave back"),
        faults=(slot_spoiled(Slot.A, "before checking"),),
    ),
    by_delta(
        "a damaged delta, and the store lost the full artifact",
        f"{BEGUN}, unusable judging, accepted preparing, prepared writing, failed reporting, {TOLD}",
        failed(FailureCode.LINK_REFUSED, "b", "2.0.0", words="410 Gone"),
        faults=(BOTH_LOST,),
        offered=damaged_delta_3(),
    ),
)
UNMETERED = by_hand("the link is free again while it waits", lambda device: setattr(device, "metered", False), "wait")
METERED = (
    on_2(
        "no delta, a metered link, and then another one",
        f"offered judging, postponed idle, {GOOD}",
        installed("a", "3.0.0"),
        faults=(metered(wait=True), UNMETERED),
    ),
    by_delta("a delta over a metered link", GOOD, said(), faults=(metered(),)),
    on_2("no delta, and a metered link", f"offered judging, failed reporting, {TOLD}", COSTLY, faults=(metered(),)),
    by_delta(
        "a damaged delta over a metered link",
        f"{BEGUN}, unusable judging, failed reporting, {TOLD}",
        COSTLY,
        faults=(metered(),),
        offered=damaged_delta_3(),
    ),
)
GROUPS = (Group("Deltas", RULE, DELTAS), Group("Metered links", RULE, METERED))
