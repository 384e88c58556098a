"""Carries one update at a time from its offer to its report, across crashes, power cuts and outages of the cloud."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import msgspec

from agent.case import Case, Limits
from agent.channel import Channel, Offer
from agent.conversation import Conversation
from agent.course import Course, deliver
from agent.journal import Holding, Journal, JournalError, Plan, Record, Update
from agent.judgement import remembered_trust, running_version
from agent.machine import RESUME, Event, State
from agent.ports import Concluded, Identity, Idle, Ports, Rebooting, SlotStatus, Status, Step
from agent.slots import BootEnvironmentError, Slot
from bridge.release.errors import FailureCode, SlotError
from bridge.release.report import Outcome
from bridge.release.trust import Trust

logger = logging.getLogger(__name__)

ON_TRIAL = {
    State.REBOOTING: (Event.ARRIVED,),
    State.PROVING: (),
}
"""Where a person may decide instead of the health checks: what has to happen to stand in PROVING."""


class Engine:
    """One device's updates. Used from one thread of one process: whoever wires it holds a lock on the journal."""

    def __init__(self, identity: Identity, ports: Ports, journal: Path, limits: Limits | None = None) -> None:
        """Read the journal at `journal`; one that is not usable counts as empty, and `resume` sets it aside.

        Raises:
            UntrustedRoot: the pinned root is not a root.
        """
        Trust.pin(identity.root)
        self._identity = identity
        self._ports = ports
        self._limits = limits or Limits()
        self._journal = Journal(ports.disk, journal)
        self._trouble = self._load()

    def resume(self, channel: Channel) -> Step:
        """Go on with what the journal holds. Call it when the process starts; after Rebooting, should the process
        live on; after a Concluded that was not delivered. What waits for its offer again is left to `install`.

        Raises:
            JournalError: the journal can be neither read nor written; nothing was done.
            SlotError: the boot loader cannot tell which slot runs.
        """
        running = self._ports.boots.booted()
        step = self._take_stock(running)
        if step is not None or self._journal.record.update is None:
            return step or Idle()
        return Course(self._case(running, self._journal.record.update.offer, channel)).resume()

    def install(self, channel: Channel, offer: Offer) -> Step:
        """Bring the device to the release of `offer`, or say why not. It may be handed over any number of times: in
        the middle the work goes on, at the end the same report is given again.

        Raises:
            JournalError, SlotError: see `resume`.
        """
        step = self.resume(channel)
        if step != Idle():
            return step
        running = self._ports.boots.booted()
        case = self._case(running, offer.id, channel, offer)
        report = self._journal.record.conclusion(offer.id, _digest(offer))
        if report is not None:
            return Concluded(report, deliver(case, report))
        return Course(case).begin(Event.OFFERED, self._update_for(offer))

    def commit(self) -> Step:
        """A person says that the trial boot is good; the report goes out at the next `resume`.

        Raises:
            SlotError: the running slot is not on trial. JournalError: see `resume`.
        """
        running = self._ports.boots.booted()
        if self._is_proving(running):
            return self._decide(running, Event.PROVEN)
        if self._ports.boots.trial() is not running:
            raise SlotError(f"slot {running} is not on trial: there is nothing to commit")
        self._ports.boots.commit(running)
        self._expect(running, Holding(version=self._identity.version or "", committed=True), fallbacks=0)
        return Idle()

    def rollback(self) -> Step:
        """A person wants the other slot back: the trial ends, or the slot committed before is tried and proved.

        Raises:
            SlotError: another update is under way, or the other slot holds nothing that this device may go back to.
            JournalError: see `resume`.
        """
        running = self._ports.boots.booted()
        if self._is_proving(running):
            return self._decide(running, Event.UNHEALTHY)
        step = self._take_stock(running)
        if step is not None:
            return step
        plan = Plan(running.other, self._committed(running.other))
        return Course(self._case(running, "")).begin(Event.ORDERED, Update("", plan=plan))

    def status(self) -> Status:
        """The truth about this device; writes nothing. Raises: SlotError."""
        record, running = self._journal.record, self._ports.boots.booted()
        return Status(
            booted=running,
            default=self._ports.boots.default(),
            trial=self._ports.boots.trial(),
            expected=record.expected,
            slots=(_slot_status(record, Slot.A), _slot_status(record, Slot.B)),
            version=running_version(self._identity, record, running) or "",
            state=str(record.state),
            offer="" if record.update is None else record.update.offer,
            floor=record.floor,
            root_version=remembered_trust(self._identity.root, record.roots).root.version,
            fallbacks=record.fallbacks,
            last=record.concluded[-1].report if record.concluded else None,
            trouble=self._trouble,
        )

    def _load(self) -> str:
        try:
            self._journal.load()
        except JournalError as error:
            return str(error)
        return ""

    def _case(self, running: Slot, offer_id: str, channel: Channel | None = None, offer: Offer | None = None) -> Case:
        talk = Conversation(offer_id, channel, offer)
        return Case(self._identity, self._ports, self._journal, self._limits, running, talk)

    def _update_for(self, offer: Offer) -> Update:
        known = self._journal.record.update
        if known is not None and (known.offer, known.digest) == (offer.id, _digest(offer)):
            return known
        return Update(offer.id, _digest(offer))

    def _take_stock(self, running: Slot) -> Rebooting | None:
        """Without an update beyond the switch, there is no trial, and the slot that runs is the one expected."""
        self._set_aside_unusable()
        if RESUME[self._journal.record.state] is not State.IDLE:
            return None
        trial = self._ports.boots.trial()
        if trial is not None:
            return self._end_stray_trial(running, trial)
        self._adopt(running)
        return None

    def _set_aside_unusable(self) -> None:
        if self._trouble:
            logger.error("%s; starting with an empty one, kept a copy at %s", self._trouble, self._journal.set_aside())
            self._journal.keep(self._journal.record)
            self._trouble = ""

    def _end_stray_trial(self, running: Slot, trial: Slot) -> Rebooting | None:
        logger.error("slot %s is on trial, the journal knows nothing of it: ending the trial", trial)
        self._ports.boots.mark_unbootable(trial)
        if running is not trial:
            return None
        self._ports.board.reboot()
        return Rebooting()

    def _adopt(self, running: Slot) -> None:
        record, default = self._journal.record, self._ports.boots.default()
        holding = record.holding(running)
        if running is not default:
            # The boot loader left the default slot on its own. Keep what runs, if it was ever proved.
            if holding is None or not holding.committed:
                return
            self._ports.boots.commit(running)
        holding = holding or Holding(version=self._identity.version or "", committed=True)
        try:
            self._expect(running, holding, fallbacks=int(record.expected not in (None, running)))
        except JournalError as error:
            # Found out again at the next start; and an offer that comes now must get its answer.
            logger.warning("what runs is not remembered: %s", error)

    def _expect(self, running: Slot, holding: Holding, *, fallbacks: int) -> None:
        before = self._journal.record
        after = msgspec.structs.replace(before, expected=running, fallbacks=before.fallbacks + fallbacks)
        after = after.with_holding(running, holding)
        if after != before:
            self._journal.keep(after)

    def _is_proving(self, running: Slot) -> bool:
        record = self._journal.record
        plan = None if record.update is None else record.update.plan
        return record.state in ON_TRIAL and plan is not None and plan.target is running

    def _decide(self, running: Slot, event: Event) -> Step:
        record = self._journal.record
        case = self._case(running, "" if record.update is None else record.update.offer)
        report = case.report(Outcome.FELL_BACK, FailureCode.FELL_BACK, "rolled back by hand")
        ending = report if event is Event.UNHEALTHY else None
        return Course(case).take(*ON_TRIAL[record.state], event, ending=ending)

    def _committed(self, slot: Slot) -> Holding:
        record = self._journal.record
        holding = record.holding(slot)
        if record.state is not State.IDLE:
            raise SlotError(f"an update is {record.state}: a rollback has to wait for its end")
        if holding is None or not holding.committed:
            raise SlotError(f"slot {slot} holds nothing that was ever committed: there is nothing to go back to")
        if holding.sequence < record.floor and holding.image is not None:
            raise BootEnvironmentError(f"slot {slot} holds sequence {holding.sequence}, below the floor {record.floor}")
        return holding


def _digest(offer: Offer) -> str:
    return hashlib.sha256(offer.release).hexdigest()


def _slot_status(record: Record, slot: Slot) -> SlotStatus:
    holding = record.holding(slot)
    if holding is None:
        return SlotStatus(slot)
    sha256 = "" if holding.image is None else holding.image.sha256
    return SlotStatus(slot, holding.release, holding.version, holding.sequence, sha256, holding.committed)
