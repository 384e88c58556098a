"""What the agent finds when it starts: journal, boot loader and the slot that runs are brought to agree."""

from __future__ import annotations

import logging
from dataclasses import replace

import msgspec

from agent.ports import Identity, Ports, Rebooting
from agent.slots import Slot
from agent.update.counting import counted
from agent.update.journal import Journal, JournalError, Legacy, NewerJournal
from agent.update.judgement import holds, running_version
from agent.update.machine import RESUME, Event, State
from agent.update.owed import Debts, Owed
from agent.update.quarantine import with_failure
from agent.update.record import Conclusion, Holding, Plan, Record, Update
from agent.update.trial import leave
from bridge.release.errors import FailureCode, SlotError
from bridge.release.report import Outcome, Report

logger = logging.getLogger(__name__)


class Startup:
    """Takes stock before anything else is done. `trouble` says what is wrong with the journal, None when nothing is."""

    def __init__(self, identity: Identity, ports: Ports, journal: Journal, debts: Debts) -> None:
        """Read the journal; one that is not usable counts as empty."""
        self._identity = identity
        self._ports = ports
        self._journal = journal
        self._debts = debts
        self._refilled = self._paid = False
        self.trouble = self._load()

    def take_stock(self, running: Slot) -> Rebooting | None:
        """Without an update beyond the switch, there is no trial, and the slot that runs is the one expected.

        Rebooting when the slot that runs has to be left. Raises: JournalError, SlotError.
        """
        trial = self._ports.boots.trial()
        if trial is running:
            self._ports.guard.arm()
        if self.trouble is not None and trial is running:
            return self._leave_unremembered(running, self.trouble)
        self.set_aside_unusable()
        self._count_boot(running)
        self._refill()
        if RESUME[self._journal.record.state] is not State.IDLE:
            return None
        if trial is not None:
            return self._end_stray_trial(running, trial)
        if not self._owes(running):
            self._adopt(running)
        return None

    def _owes(self, running: Slot) -> bool:
        """Whether steps are to be undone of which the journal knows nothing any more; from now on it does. Looked for
        once a process. In the system of the target, where that was never committed, nothing can be undone."""
        if self._paid:
            return False
        owed = self._debts.found()
        owes = owed is not None and self._is_to_be_undone(owed, running)
        if owed is not None and owes:
            self._undo(owed, running)
        else:
            self._tidy(owed, running)
        self._paid = True
        return owes

    def _is_to_be_undone(self, owed: Owed, running: Slot) -> bool:
        update = self._journal.record.update
        waits = update is not None and update.digest == owed.digest  # for its offer, and no step was begun
        return not waits and not self._stands(owed.plan, running) and _is_undone_in(owed, running)

    def _tidy(self, owed: Owed | None, running: Slot) -> None:
        update = self._journal.record.update
        if owed is not None and self._stands(owed.plan, running):
            self._debts.forget(owed.digest)
        self._debts.sweep("" if update is None else update.digest)

    def _stands(self, plan: Plan, running: Slot) -> bool:
        """Whether `plan` was committed, and runs."""
        record = self._journal.record
        holding = record.holding(running)
        is_committed = holding is not None and holding.committed and record.expected is running
        return is_committed and plan.target is running and (not plan.in_place or holds(record, running, plan))

    def _undo(self, owed: Owed, running: Slot) -> None:
        """Told under the offer of old; where that has ended already, it ends otherwise after all."""
        record = self._journal.record
        told = record.conclusion(owed.offer, owed.digest)
        version = running_version(self._identity, record, running) or ""
        detail = f"steps of release {owed.plan.goal.version} had been begun and had come to no end; they are undone"
        ending = Report(Outcome.FAILED, str(running), version, FailureCode.JOURNAL, detail, record.fallbacks)
        if told is not None:
            record = msgspec.structs.replace(record, fallbacks=record.fallbacks + 1)
            record = with_failure(record, owed.plan.goal, detail)
            ending = replace(ending, outcome=Outcome.FELL_BACK, code=FailureCode.FELL_BACK, fallbacks=record.fallbacks)
        update = _undoing(Update(owed.offer, owed.digest, ending=ending), owed)
        self._move_from_idle(Event.LEFT, msgspec.structs.replace(record, update=update))

    def _move_from_idle(self, event: Event, record: Record) -> None:
        if self._journal.record.state is not State.IDLE:
            self._journal.keep(msgspec.structs.replace(self._journal.record, state=State.IDLE))
        self._journal.move(event, msgspec.structs.replace(record, state=State.IDLE))

    def set_aside_unusable(self) -> None:
        """Keep a copy of a journal that is not usable, and begin another. Raises: JournalError."""
        if self.trouble is None:
            return
        aside = ", ".join(str(path) for path in self._journal.set_aside())
        logger.error("%s; going on without it, kept a copy at %s", self.trouble, aside)
        legacy = self.trouble.legacy if isinstance(self.trouble, NewerJournal) else None
        self._journal.keep(self._journal.record if legacy is None else self._inherited(legacy))
        self.trouble = None

    def _count_boot(self, running: Slot) -> None:
        """Each boot once. An update does not depend on it, so no fault of it is in the way of one."""
        record, board = self._journal.record, self._ports.board
        try:
            boot_id = board.boot_id()
            if boot_id != record.boot_id:
                crashes = self._ports.crashes()
                bitten = board.caused_by_watchdog()
                self._journal.keep(counted(record, running, boot_id, by_watchdog=bitten, crashes=crashes))
        except (JournalError, SlotError) as error:
            logger.warning("this boot is not counted yet: %s", error)

    def _refill(self) -> None:
        """This process runs, and so the slot does: once a process, which is seldom more than once a boot."""
        try:
            if not self._refilled:
                self._ports.boots.refill()
            self._refilled = True
        except SlotError as error:
            logger.warning("the boots of this slot stay counted against it: %s", error)

    def _load(self) -> JournalError | None:
        try:
            self._journal.load()
        except JournalError as error:
            return error
        return None

    def _leave_unremembered(self, running: Slot, trouble: JournalError) -> Rebooting:
        """A trial of which this agent knows nothing is not proved. A newer agent's journal is left to that agent."""
        logger.error("%s; leaving slot %s", trouble, running)
        if not isinstance(trouble, NewerJournal):
            self._note_stray(running)
        return leave(self._ports, running)

    def _note_stray(self, slot: Slot) -> None:
        try:
            self.set_aside_unusable()
            self._journal.keep(msgspec.structs.replace(self._journal.record, stray=slot))
        except JournalError:
            logger.exception("slot %s is left all the same", slot)

    def _inherited(self, legacy: Legacy) -> Record:
        """The record after a newer agent's: the boot loader fell back from it, and its update has come to an end."""
        record, running = legacy.record(), self._ports.boots.booted()
        if legacy.update is None:
            return record
        record = msgspec.structs.replace(record, fallbacks=record.fallbacks + 1, expected=running)
        version = running_version(self._identity, record, running) or ""
        detail = f"slot {running} runs again, whose agent cannot read the journal of the newer one"
        goal = legacy.update.goal
        record = record if goal is None else with_failure(record, goal, detail)
        report = Report(Outcome.FELL_BACK, running, version, FailureCode.FELL_BACK, detail, record.fallbacks)
        update = Update(legacy.update.offer, legacy.update.digest, ending=report)
        owed = self._debts.found()
        if owed is not None and owed.digest == update.digest and _is_undone_in(owed, running):
            return msgspec.structs.replace(record, state=State.UNDOING, update=_undoing(update, owed))
        return msgspec.structs.replace(record, state=State.REPORTING, update=update)

    def _end_stray_trial(self, running: Slot, trial: Slot) -> Rebooting | None:
        logger.error("slot %s is on trial, the journal knows nothing of it: ending the trial", trial)
        if running is trial:
            if self._journal.record.expected is None:
                self._note_stray(trial)
            return leave(self._ports, trial)
        self._ports.boots.mark_unbootable(trial)
        return None

    def _adopt(self, running: Slot) -> None:
        record = self._journal.record
        holding = record.holding(running)
        if running is not self._ports.boots.default():
            # The boot loader left the default slot on its own. Keep what runs, if it was ever proved.
            if holding is None or not holding.committed:
                return
            self._ports.boots.commit(running)
        holding = holding or Holding(version=self._identity.version or "", committed=True)
        try:
            self._expect(running, holding)
        except JournalError as error:
            # Found out again at the next start; and an offer that comes now must get its answer.
            logger.warning("what runs is not remembered: %s", error)

    def _expect(self, running: Slot, holding: Holding) -> None:
        before = self._journal.record
        after = msgspec.structs.replace(before, expected=running).with_holding(running, holding)
        if before.expected not in (None, running):
            why = f"the boot loader left slot {before.expected}, which had been committed"
            self._fall_back_late(why, after, before.installed_in(before.expected))
        elif (told := _told_of_trial(before, running)) is not None:
            self._fall_back_late(f"the trial of slot {told.report.slot} has ended after all", after, told)
        elif after != before:
            self._journal.keep(after)

    def _fall_back_late(self, why: str, record: Record, told: Conclusion | None) -> None:
        """Another slot runs than the cloud was told of: the end `told` has changed."""
        running, fallbacks = self._ports.boots.booted(), record.fallbacks + 1
        version = running_version(self._identity, record, running) or ""
        detail = f"{why}; slot {running} runs again"
        report = Report(Outcome.FELL_BACK, running, version, FailureCode.FELL_BACK, detail, fallbacks)
        update = Update("", ending=report) if told is None else _told_anew(told, report)
        record = self._blamed(record, running.other, detail)
        self._move_from_idle(Event.FELL_BACK, msgspec.structs.replace(record, fallbacks=fallbacks, update=update))

    def _blamed(self, record: Record, left: Slot, detail: str) -> Record:
        holding = record.holding(left)
        return record if holding is None or holding.is_original else with_failure(record, holding, detail)


def _is_undone_in(owed: Owed, running: Slot) -> bool:
    """Whether slot `running` is where what is owed can be undone."""
    return owed.plan.in_place or owed.plan.target is not running


def _undoing(update: Update, owed: Owed) -> Update:
    """`update`, with all that is owed to be undone: how much of it was begun is not known."""
    return msgspec.structs.replace(update, plan=owed.plan, begun=len(owed.plan.steps))


def _told_of_trial(record: Record, running: Slot) -> Conclusion | None:
    """The last end, where it was told from a trial boot that could not be left by then: of a slot never committed."""
    last, left = record.concluded[-1] if record.concluded else None, record.holding(running.other)
    if last is None or (left is not None and left.committed):
        return None
    return last if (last.report.outcome, last.report.slot) == (Outcome.FAILED, running.other) else None


def _told_anew(told: Conclusion, report: Report) -> Update:
    """The offer that had ended otherwise ends with `report` after all; what was fetched for it was fetched."""
    ending = replace(report, artifact=told.report.artifact, saved=told.report.saved)
    return Update(told.offer, told.digest, ending=ending)
