"""What the agent finds when it starts: journal, boot loader and the slot that runs are brought to agree."""

from __future__ import annotations

import logging
from dataclasses import replace

import msgspec

from agent.counting import counted
from agent.journal import Journal, JournalError, Legacy, NewerJournal
from agent.judgement import running_version
from agent.machine import RESUME, Event, State
from agent.ports import Identity, Ports, Rebooting
from agent.quarantine import with_failure
from agent.record import Conclusion, Holding, Record, Update
from agent.slots import Slot
from agent.trial import leave
from bridge.release.errors import FailureCode, SlotError
from bridge.release.report import Outcome, Report

logger = logging.getLogger(__name__)


class Startup:
    """Takes stock before anything else is done. `trouble` says what is wrong with the journal, None when nothing is."""

    def __init__(self, identity: Identity, ports: Ports, journal: Journal) -> None:
        """Read the journal; one that is not usable counts as empty."""
        self._identity = identity
        self._ports = ports
        self._journal = journal
        self._refilled = False
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
        self._adopt(running)
        return None

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
        idle = msgspec.structs.replace(record, state=State.IDLE, fallbacks=fallbacks, update=update)
        if self._journal.record.state is not State.IDLE:
            self._journal.keep(msgspec.structs.replace(self._journal.record, state=State.IDLE))
        self._journal.move(Event.FELL_BACK, idle)

    def _blamed(self, record: Record, left: Slot, detail: str) -> Record:
        holding = record.holding(left)
        return record if holding is None or holding.image is None else with_failure(record, holding, detail)


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
