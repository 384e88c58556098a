"""Whether an offered release may come onto this device. Pure: bytes and a time in, a judgement out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from agent.cloud.channel import Offer
from agent.ports import Identity
from agent.slots import Slot
from agent.update.machine import BEFORE_SWITCH, IN_TRIAL
from agent.update.record import Holding, Plan, Record, StepPlan
from bridge.release.errors import FailureCode, ReleaseError, UntrustedRoot
from bridge.release.image import Image
from bridge.release.manifest import Release
from bridge.release.step import IMAGE, Place
from bridge.release.trust import MAX_ROOTS, Facts, Trust, check_facts, judge

logger = logging.getLogger(__name__)


class OversizedImage(ReleaseError):
    """The image does not fit into the slot."""

    code = FailureCode.TOO_LARGE


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found out. `roots` are the roots to remember, whatever became of the release.

    Either `refusal` is set, or `release` and `plan`; with `held`, the running slot is what the plan would make.
    """

    roots: tuple[bytes, ...]
    release: Release | None = None
    plan: Plan | None = None
    refusal: ReleaseError | None = None
    held: bool = False


def judge_offer(identity: Identity, record: Record, running: Slot, offer: Offer, now: datetime) -> Judgement:
    """Hold `offer` against the roots, the keys and this device, which runs slot `running`."""
    trust = remembered_trust(identity.root, record.roots)
    try:
        _follow(trust, offer.roots)
        release = judge(trust, offer.release, now).accepted()
        plan = plan_for(release, record, running)
        held = holds(record, running, plan)
        if not held:
            check_facts(release, facts_of(identity, record, running))
    except ReleaseError as error:
        return Judgement(tuple(trust.chain[1:]), refusal=error)
    return Judgement(tuple(trust.chain[1:]), release, plan, held=held)


def remembered_trust(pinned: bytes, roots: Sequence[bytes]) -> Trust:
    """The trust that `roots` lead to from `pinned`; those that do not follow from it are left out.

    Raises:
        UntrustedRoot: `pinned` is no root.
    """
    trust = Trust.pin(pinned)
    try:
        for document in roots:
            trust.advance(document)
    except UntrustedRoot as error:
        logger.warning("roots in the journal do not follow from the pinned root and are left out: %s", error)
    return trust


def no_earlier(now: datetime, record: Record) -> datetime:
    """`now`, but never before the time at which a release was last accepted.

    A clock that starts in 1970, or is set back, does not bring expired releases back to life. The bound cannot lock a
    device out: what was accepted had not expired by then, so it lies before the expiry that the approvers signed.
    """
    return now if record.seen is None else max(now, record.seen)


def facts_of(identity: Identity, record: Record, running: Slot) -> Facts:
    """What the device is and runs."""
    return Facts(identity.model, identity.hardware, running_version(identity, record, running), record.floor)


def running_version(identity: Identity, record: Record, running: Slot) -> str | None:
    """The release version in slot `running`, also while it is on trial; None when unknown."""
    plan = on_trial(record, running)
    if plan is not None:
        return plan.goal.version
    holding = record.holding(running)
    if holding is None and record.expected not in (None, running):
        return None
    return identity.version if holding is None or holding.is_original else holding.version


def running_sequence(record: Record, running: Slot) -> int:
    """The sequence of the release in slot `running`, also while it is on trial; 0 when unknown."""
    plan = on_trial(record, running)
    holding = record.holding(running) if plan is None else plan.goal
    return 0 if holding is None else holding.sequence


def running_saved(record: Record, running: Slot) -> int:
    """Bytes that a delta saved when the release in slot `running` came, also while it is on trial."""
    plan, holding = on_trial(record, running), record.holding(running)
    if plan is not None:
        return plan.saved
    return 0 if holding is None else holding.saved


def plan_for(release: Release, record: Record, running: Slot) -> Plan:
    """What goes where: the release into the slot that does not run, or, where no step is of the slot, beside the image
    that runs. Which artifact makes the image is still to be chosen."""
    steps = tuple(StepPlan(step, release.artifacts_of(step)[0]) for step in release.steps if step.handler != IMAGE)
    if release.slot_step is None:
        holding = record.holding(running)
        goal = _goal(release, None if holding is None else holding.image)
        return Plan(running, goal, steps=steps, before=len(steps), in_place=True)
    return Plan(running.other, _goal(release, release.full.image), steps=steps, before=_before_switch(release))


def is_kept(record: Record, plan: Plan) -> bool:
    """Whether the slot that does not run was committed once with what `plan` would make, and not written since."""
    holding, goal = record.holding(plan.target), msgspec.structs.replace(plan.goal, committed=True)
    return goal.image is not None and holding is not None and msgspec.structs.replace(holding, saved=0) == goal


def holds(record: Record, running: Slot, plan: Plan) -> bool:
    """Whether the running slot was committed with what `plan` would make."""
    holding = record.holding(running)
    return (
        holding is not None
        and holding.committed
        and (holding.image, holding.sequence) == (plan.goal.image, plan.goal.sequence)
    )


def raised_floor(record: Record, target: Slot, goal: Holding) -> int:
    """The floor once `target` is committed with `goal`: never above what the other slot satisfies, nor lower."""
    other = record.holding(target.other)
    return max(record.floor, min(goal.floor, 0 if other is None else other.sequence))


def require_room(plan: Plan, slot_bytes: int) -> None:
    """Raises: OversizedImage when the image of `plan` is longer than its slot."""
    image = plan.goal.image
    if image is not None and image.length > slot_bytes:
        raise OversizedImage(f"the image has {image.length} bytes, slot {plan.target} has room for {slot_bytes}")


def on_trial(record: Record, running: Slot) -> Plan | None:
    """The plan of what runs, where an update beyond the switch has put it there."""
    plan = None if record.update is None or record.state in BEFORE_SWITCH else record.update.plan
    if plan is None or plan.target is not running:
        return None
    return plan if not plan.in_place or record.state in IN_TRIAL else None


def _before_switch(release: Release) -> int:
    """How many of the plan's steps are done before the switch: those up to that of the slot."""
    places = [step.place for step in release.steps]
    if Place.SLOT not in places:
        return 0
    slot = places.index(Place.SLOT)
    return slot if release.steps[slot].handler == IMAGE else slot + 1


def _goal(release: Release, image: Image | None) -> Holding:
    return Holding(
        release=release.name,
        version=release.version,
        sequence=release.sequence,
        floor=release.floor,
        image=image,
        health=release.health,
    )


def _follow(trust: Trust, roots: Sequence[bytes]) -> None:
    if len(roots) > MAX_ROOTS:
        raise UntrustedRoot(f"{len(roots)} roots in one offer, the limit is {MAX_ROOTS}")
    for document in roots:
        trust.advance(document)
