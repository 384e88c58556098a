"""What the agent remembers, as values: what the slots hold, the update under way, offers that have ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum, auto

import msgspec

from agent.permit.permission import Moment
from agent.slots import Slot
from agent.update.machine import State
from bridge.release.delta.checkpoint import START, Checkpoint
from bridge.release.image import Image
from bridge.release.manifest import Artifact
from bridge.release.report import Outcome, Report
from bridge.release.step import Place, Step

MAX_CONCLUDED = 16
"""Offers whose end is remembered; a cloud that repeats one gets the same answer."""


class Holding(msgspec.Struct, frozen=True):
    """What a slot holds. `image` is None for what was there before the first image came; `health` names checks to run;
    `saved` is what a delta saved when it came, in bytes."""

    release: str = ""
    version: str = ""
    sequence: int = 0
    floor: int = 1
    image: Image | None = None
    health: tuple[str, ...] = ()
    committed: bool = False
    saved: int = 0

    @property
    def is_original(self) -> bool:
        """Whether it was there before the first release."""
        return self.image is None and not self.release


class Boots(msgspec.Struct, frozen=True):
    """Boots of what a slot holds: how many, the first included, and how many of them a watchdog or a panic of the
    kernel ended."""

    count: int = 0
    watchdog_resets: int = 0
    panics: int = 0


class Reset(StrEnum):
    """What caused a boot, as far as the machine can tell."""

    RESTART = auto()
    """Somebody restarted the machine or switched it on, or nothing tells otherwise."""
    WATCHDOG = auto()
    """A hardware watchdog that was not fed."""
    PANIC = auto()
    """The kernel gave up, whether it restarted by itself then or a watchdog did it."""


class StepPlan(msgspec.Struct, frozen=True):
    """A step that its handler does, and the artifact that is its file."""

    step: Step
    artifact: Artifact

    @property
    def is_of_slot(self) -> bool:
        """Whether its handler writes the slot that does not run."""
        return self.step.place is Place.SLOT


class Plan(msgspec.Struct, frozen=True):
    """What an accepted release does here: `artifact` makes `target` hold `goal`; None where the bytes are there, or
    where a step of `steps` brings them.

    `saved` is by how many bytes the full artifact is longer, `remark` why a shorter one was not taken ("" when none
    was meant for this device). `steps` are all but the one that the agent does itself, in their order; the first
    `before` of them are done before the switch. `in_place`: no step is of the slot, and `target` is the one that runs.
    """

    target: Slot
    goal: Holding
    artifact: Artifact | None = None
    saved: int = 0
    remark: str = ""
    steps: tuple[StepPlan, ...] = ()
    before: int = 0
    in_place: bool = False

    @property
    def slot_step(self) -> StepPlan | None:
        """The one whose handler writes the slot."""
        return next((each for each in self.steps if each.is_of_slot), None)

    @property
    def file_bytes(self) -> int:
        """Bytes of the files of all steps."""
        return sum(each.artifact.length for each in self.steps)

    @property
    def taken(self) -> Artifact | None:
        """What the report names: the artifact of the slot, else the first file; None where nothing is fetched."""
        named = self.artifact or (None if self.slot_step is None else self.slot_step.artifact)
        return named or (self.steps[0].artifact if self.steps else None)

    def with_slot_kept(self) -> Plan:
        """The plan where the slot holds the goal already: whoever would write it has nothing to do."""
        left = tuple(each for each in self.steps if not each.is_of_slot)
        return msgspec.structs.replace(self, steps=left, before=self.before - len(self.steps) + len(left))


class Waiting(msgspec.Struct, frozen=True):
    """What an update to `version` was postponed for: the `moment` at which permission was asked, and what was answered
    `by` whom."""

    moment: Moment
    by: str
    reason: str
    version: str = ""


class Update(msgspec.Struct, frozen=True):
    """The update that is under way.

    `offer` is the cloud's id ("" for one that a person ordered), `digest` the sha256 of its release.json, `checkpoint`
    how much of the artifact is durably in the slot, `boot_id` the boot in which the switch was made, `strikes` how many
    times the agent started since the last progress, `ending` how it ends or is going to end. `checked`: the whole slot
    was read back and held what it should; `waiting`: what the update was postponed for, None once that is over;
    `excused`: the boots that are not held against the trial, as somebody ended them.

    Of the plan's steps: `staged` counts the bytes of their files, in their order, that are durable; the first `begun`
    were begun, and are not undone yet; the first `ended` were installed to their end, and not settled yet; `undone_in`
    is the boot in which one was undone last that is in effect after a restart alone.
    """

    offer: str
    digest: str = ""
    plan: Plan | None = None
    checkpoint: Checkpoint = START
    boot_id: str = ""
    strikes: int = 0
    ending: Report | None = None
    checked: bool = False
    waiting: Waiting | None = None
    excused: tuple[str, ...] = ()
    staged: int = 0
    begun: int = 0
    ended: int = 0
    undone_in: str = ""


class Unusable(msgspec.Struct, frozen=True):
    """Artifacts of the release with the sha256 `digest` that are of no use on this device: their names, and why."""

    digest: str = ""
    reasons: dict[str, str] = {}


class Conclusion(msgspec.Struct, frozen=True):
    """An offer that has ended, and how."""

    offer: str
    digest: str
    report: Report


class Failure(msgspec.Struct, frozen=True):
    """A release whose trial boots failed on this device `count` times, the last time because of `detail`; `image` is
    the sha256 of what it makes ("" unknown)."""

    release: str
    sequence: int
    image: str
    version: str = ""
    count: int = 1
    detail: str = ""


class Record(msgspec.Struct, frozen=True):
    """All that the agent remembers.

    `expected` is the slot last committed, None before the agent ever ran; `roots` the roots after the pinned one that
    were ever accepted; `floor` the least sequence accepted; `fallbacks` counts them over the device's life; `stray` is
    the slot whose trial was ended because the journal did not survive into it; `seen` the latest time of day at which a
    release was accepted; `unsent` the ends that wait for the cloud while something else is done; `boots_a` and
    `boots_b` count since what the slot holds was first booted, or the agent first counted; `boot_id` names the boot
    that was counted last; `unusable` is of the last release of which an artifact was; `failures` are of the releases
    that fell back; `reset` says what caused the boot that was counted last, `crashes` which records of crashes of the
    kernel were there then.
    """

    state: State = State.IDLE
    update: Update | None = None
    a: Holding | None = None
    b: Holding | None = None
    expected: Slot | None = None
    floor: int = 1
    roots: tuple[bytes, ...] = ()
    fallbacks: int = 0
    concluded: tuple[Conclusion, ...] = ()
    stray: Slot | None = None
    seen: datetime | None = None
    unsent: tuple[Conclusion, ...] = ()
    boots_a: Boots = Boots()
    boots_b: Boots = Boots()
    boot_id: str = ""
    unusable: Unusable = Unusable()
    failures: tuple[Failure, ...] = ()
    reset: Reset = Reset.RESTART
    crashes: tuple[str, ...] = ()

    def holding(self, slot: Slot) -> Holding | None:
        """What `slot` holds, None when unknown or in the middle of a write."""
        return self.a if slot is Slot.A else self.b

    def with_holding(self, slot: Slot, holding: Holding | None) -> Record:
        """The record in which `slot` holds `holding`."""
        if slot is Slot.A:
            return msgspec.structs.replace(self, a=holding)
        return msgspec.structs.replace(self, b=holding)

    def emptied(self, slot: Slot) -> Record:
        """The record in which `slot` is about to be written: what it holds is not known, and was never booted."""
        return self.with_holding(slot, None).with_boots(slot, Boots())

    def boots(self, slot: Slot) -> Boots:
        """The boots of what `slot` holds."""
        return self.boots_a if slot is Slot.A else self.boots_b

    def with_boots(self, slot: Slot, boots: Boots) -> Record:
        """The record in which what `slot` holds has had `boots`."""
        if slot is Slot.A:
            return msgspec.structs.replace(self, boots_a=boots)
        return msgspec.structs.replace(self, boots_b=boots)

    def reasons(self, digest: str) -> Mapping[str, str]:
        """Why artifacts of the release with the sha256 `digest` are of no use here, by their names."""
        return self.unusable.reasons if self.unusable.digest == digest else {}

    def without(self, digest: str, name: str, reason: str) -> Record:
        """The record that remembers artifact `name` of the release with the sha256 `digest` as of no use."""
        reasons = {**self.reasons(digest), name: reason}
        return msgspec.structs.replace(self, unusable=Unusable(digest, reasons))

    def conclusion(self, offer: str, digest: str) -> Report | None:
        """How `offer` ended, when it has and is remembered."""
        return next((each.report for each in self.concluded if (each.offer, each.digest) == (offer, digest)), None)

    def installed_in(self, slot: Slot | None) -> Conclusion | None:
        """The offer that was last installed in `slot`, when it is remembered."""
        found = (each for each in reversed(self.concluded) if each.report.outcome is Outcome.INSTALLED)
        return next((each for each in found if each.report.slot == slot), None)

    def concluding(self, conclusion: Conclusion) -> Record:
        """The record that also remembers `conclusion`, in place of an earlier end of that offer; the oldest goes."""
        others = [each for each in self.concluded if (each.offer, each.digest) != (conclusion.offer, conclusion.digest)]
        return msgspec.structs.replace(self, concluded=(*others, conclusion)[-MAX_CONCLUDED:])

    def deferring(self, conclusion: Conclusion) -> Record:
        """The record in which the cloud is still to hear `conclusion`; the oldest goes."""
        return msgspec.structs.replace(self, unsent=(*self.unsent, conclusion)[-MAX_CONCLUDED:])
