"""Carries one update at a time from its offer to its report, across crashes, power cuts and outages of the cloud."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import msgspec

from agent.cloud.channel import Channel, Offer
from agent.cloud.folder import is_local
from agent.ports import Concluded, Halt, Identity, Idle, Ports, SlotStatus, Status
from agent.slots import BootEnvironmentError, Slot
from agent.update.asking import waited_for
from agent.update.context import Context, Limits
from agent.update.driver import Driver, deliver
from agent.update.inventory import device_state
from agent.update.journal import Journal
from agent.update.judgement import remembered_trust, running_version
from agent.update.machine import RESUME, Event, State
from agent.update.owed import Debts
from agent.update.quarantine import lifted, quarantined
from agent.update.record import Conclusion, Failure, Holding, Plan, Record, Update
from agent.update.reporter import Reporter
from agent.update.startup import Startup
from agent.version import agent_version
from bridge.release.errors import FailureCode, SlotError
from bridge.release.report import Outcome
from bridge.release.state import DeviceState
from bridge.release.trust import Trust

logger = logging.getLogger(__name__)

STEPS = "steps"
ON_TRIAL = {
    State.REBOOTING: (Event.ARRIVED,),
    State.FINISHING: (Event.FINISHED,),
    State.PROVING: (),
}
"""Where a person may decide instead of the health checks: what has to happen to stand in PROVING."""


class Engine:
    """One device's updates. Used from one thread of one process: whoever wires it holds a lock on the journal."""

    def __init__(self, identity: Identity, ports: Ports, journal: Path, limits: Limits | None = None) -> None:
        """Read the journal at `journal`; one that is not usable counts as empty, and `resume` sets it aside. Files of
        steps are kept in the folder `steps` beside it.

        Raises:
            UntrustedRoot: the pinned root is not a root.
        """
        Trust.pin(identity.root)
        self._identity = identity
        self._ports = ports
        self._limits = limits or Limits()
        self._journal = Journal(ports.disk, journal)
        self._folder = journal.with_name(STEPS)
        self._startup = Startup(identity, ports, self._journal, Debts(ports.disk, self._folder))

    def resume(self, channel: Channel) -> Halt:
        """Go on with what the journal holds. Call it when the process starts; after Rebooting, should the process
        live on; after a Concluded that was not delivered. What waits for its offer again is left to `install`.

        Raises:
            JournalError: the journal can be neither read nor written; nothing was done.
            SlotError: the boot loader cannot tell which slot runs.
        """
        running = self._ports.boots.booted()
        halt = self._startup.take_stock(running)
        record = self._journal.record
        if halt is not None:
            return halt
        if RESUME[record.state] is State.IDLE and record.unsent:
            return self._tell(running, record.unsent[0], channel)
        if record.update is None:
            return Idle()
        return Driver(self._context(running, record.update.offer, channel)).resume()

    def install(self, channel: Channel, offer: Offer) -> Halt:
        """Bring the device to the release of `offer`, or say why not. It may be handed over any number of times: in
        the middle the work goes on, at the end the same report is given again. An offer from a folder does not wait
        for a report that the cloud has not taken yet.

        Raises:
            JournalError, SlotError: see `resume`.
        """
        halt = self.resume(channel)
        if halt != Idle() and not self._is_put_off(halt, offer):
            return halt
        running = self._ports.boots.booted()
        context = self._context(running, offer.id, channel, offer)
        report = self._journal.record.conclusion(offer.id, _digest(offer))
        if report is not None:
            return Concluded(report, deliver(context, report))
        return Driver(context).begin(Event.OFFERED, self._update_for(offer))

    def commit(self) -> Halt:
        """A person says that the trial boot is good; the report goes out at the next `resume`.

        Raises:
            SlotError: the running slot is not on trial, or steps of the release are left. JournalError: see `resume`.
        """
        running = self._ports.boots.booted()
        if self._is_proving(running):
            self._require_ended()
            return self._decide(running, Event.PROVEN)
        if self._ports.boots.trial() is not running:
            raise SlotError(f"slot {running} is not on trial: there is nothing to commit")
        if self._startup.trouble is not None:
            self._startup.set_aside_unusable()
            self._journal.forget_update()  # a newer agent's, which this one has taken for fallen back
        self._ports.boots.commit(running)
        self._ports.guard.release()
        holding = Holding(version=self._identity.version or "", committed=True)
        record = msgspec.structs.replace(self._journal.record, expected=running).with_holding(running, holding)
        self._journal.keep(record)
        return Idle()

    def rollback(self) -> Halt:
        """A person wants the other slot back: the trial ends, or the slot committed before is tried and proved.

        Raises:
            SlotError: another update is under way, or the other slot holds nothing that this device may go back to.
            JournalError: see `resume`.
        """
        running = self._ports.boots.booted()
        if self._is_proving(running):
            return self._decide(running, Event.UNHEALTHY)
        halt = self._startup.take_stock(running)
        if halt is not None:
            return halt
        plan = Plan(running.other, self._committed(running.other))
        return Driver(self._context(running, "")).begin(Event.ORDERED, Update("", plan=plan))

    def lift(self) -> tuple[Failure, ...]:
        """A person wants releases tried again that fell back here. What was held against them. Raises: JournalError."""
        if self._startup.trouble is not None:
            raise self._startup.trouble
        failures = self._journal.record.failures
        self._journal.keep(lifted(self._journal.record))
        return failures

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
            unsent=len(record.unsent) + (record.state is State.REPORTING),
            trouble="" if self._startup.trouble is None else str(self._startup.trouble),
            waiting=waited_for(record),
            reset=record.reset,
            failures=record.failures,
            quarantined=quarantined(record, self._limits.fallbacks),
            digest="" if record.update is None else record.update.digest,
        )

    def excuse_restart(self, most: int) -> None:
        """The machine goes down in the middle of a trial boot, as somebody wants it: that boot is not held against the
        slot, up to `most` times in one trial. Otherwise nothing is done.

        Raises: SlotError, JournalError.
        """
        running, record = self._ports.boots.booted(), self._journal.record
        update, boot_id = record.update, self._ports.board.boot_id()
        if update is None or not self._is_proving(running):
            return
        if boot_id in update.excused or len(update.excused) >= most:
            return
        excused = msgspec.structs.replace(update, excused=(*update.excused, boot_id))
        self._journal.keep(msgspec.structs.replace(record, update=excused))
        self._ports.boots.excuse_restart()

    def describe(self) -> DeviceState:
        """What the clouds are to know of this device now; writes nothing. Raises: SlotError."""
        running = self._ports.boots.booted()
        return device_state(self._identity, self._journal.record, running, agent_version())

    def _context(
        self, running: Slot, offer_id: str, channel: Channel | None = None, offer: Offer | None = None
    ) -> Context:
        reporter = Reporter(offer_id, channel, offer)
        return Context(self._identity, self._ports, self._journal, self._limits, running, reporter, self._folder)

    def _tell(self, running: Slot, conclusion: Conclusion, channel: Channel) -> Concluded:
        """An end that had to wait: told now, and forgotten once the cloud has it."""
        delivered = deliver(self._context(running, conclusion.offer, channel), conclusion.report)
        if delivered:
            record = self._journal.record
            self._journal.keep(msgspec.structs.replace(record, unsent=record.unsent[1:]))
        return Concluded(conclusion.report, delivered)

    def _is_put_off(self, halt: Halt, offer: Offer) -> bool:
        """Whether `halt` is an end that the cloud has not heard of, which need not hold up a person with a folder."""
        if not isinstance(halt, Concluded) or halt.delivered or not is_local(offer.id):
            return False
        record = self._journal.record
        if record.state is State.REPORTING and record.update is not None:
            conclusion = Conclusion(record.update.offer, record.update.digest, halt.report)
            record = msgspec.structs.replace(record.concluding(conclusion).deferring(conclusion), update=None)
            self._journal.move(Event.DEFERRED, record)
        return True

    def _update_for(self, offer: Offer) -> Update:
        """The update in the journal when it is of the same release, whatever the cloud calls its new attempt."""
        known = self._journal.record.update
        if known is None or known.digest != _digest(offer):
            return Update(offer.id, _digest(offer))
        return known if known.offer == offer.id else msgspec.structs.replace(known, offer=offer.id, strikes=0)

    def _is_proving(self, running: Slot) -> bool:
        record, update = self._journal.record, self._journal.record.update
        if record.state not in ON_TRIAL or update is None or update.plan is None:
            return False
        waits = update.plan.in_place and self._ports.board.boot_id() == update.boot_id
        return update.plan.target is running and not waits

    def _require_ended(self) -> None:
        update = self._journal.record.update
        if update is not None and update.plan is not None and update.ended < len(update.plan.steps):
            raise SlotError("steps of the release are still to be done: start the agent, which does them")

    def _decide(self, running: Slot, event: Event) -> Halt:
        record = self._journal.record
        context = self._context(running, "" if record.update is None else record.update.offer)
        report = context.report(Outcome.FELL_BACK, FailureCode.FELL_BACK, "rolled back by hand")
        ending = report if event is Event.UNHEALTHY else None
        return Driver(context).take(*ON_TRIAL[record.state], event, ending=ending)

    def _committed(self, slot: Slot) -> Holding:
        record = self._journal.record
        holding = record.holding(slot)
        if record.state is not State.IDLE:
            raise SlotError(f"an update is {record.state}: a rollback has to wait for its end")
        if holding is None or not holding.committed:
            raise SlotError(f"slot {slot} holds nothing that was ever committed: there is nothing to go back to")
        if holding.sequence < record.floor and not holding.is_original:
            raise BootEnvironmentError(f"slot {slot} holds sequence {holding.sequence}, below the floor {record.floor}")
        return holding


def _digest(offer: Offer) -> str:
    return hashlib.sha256(offer.release).hexdigest()


def _slot_status(record: Record, slot: Slot) -> SlotStatus:
    holding = record.holding(slot)
    if holding is None:
        return SlotStatus(slot)
    sha256 = "" if holding.image is None else holding.image.sha256
    return SlotStatus(
        slot, holding.release, holding.version, holding.sequence, sha256, holding.committed, record.boots(slot)
    )
