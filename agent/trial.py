"""The states from the switch on: the boot loader tries the target slot, which proves itself or is left again."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace

import msgspec

from agent.case import Case
from agent.channel import OfferWithdrawn
from agent.judgement import raised_floor
from agent.machine import Event
from agent.ports import Rebooting
from agent.slots import BootEnvironmentError
from bridge.release.errors import FailureCode, SlotError
from bridge.release.report import Outcome, Phase, Report

logger = logging.getLogger(__name__)


class Trial:
    """SWITCHING, REBOOTING, PROVING, COMMITTING and REVERTING: one method each."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def switch(self) -> None:
        """SWITCHING: again where it is unsure whether the boot loader was told, unless the target runs already."""
        case = self._case
        if self._arrived:
            return case.journal.move(Event.SWITCHED, case.record)
        case.ports.boots.try_slot(case.plan.target)
        return case.journal.move(Event.SWITCHED, case.changed(boot_id=case.ports.board.boot_id()))

    def reboot(self) -> Rebooting | None:
        """REBOOTING: restart unless that has happened; then see which slot runs."""
        case = self._case
        if case.ports.board.boot_id() == case.update.boot_id:
            case.ports.board.reboot()
            return Rebooting()
        if self._arrived:
            case.journal.move(Event.ARRIVED, case.record)
        else:
            case.end_fallen_back(Event.FELL_BACK, self._given_up_by_boot_loader())
        return None

    def prove(self) -> None:
        """PROVING: to COMMITTING when healthy, else to REVERTING."""
        case = self._case
        with suppress(OfferWithdrawn):
            case.talk.show(Phase.PROVING)
        detail = case.ports.health.prove(case.plan.goal.health)
        if detail is None:
            return case.journal.move(Event.PROVEN, case.record)
        return case.end(Event.UNHEALTHY, case.report(Outcome.FELL_BACK, FailureCode.UNHEALTHY, detail))

    def commit(self) -> None:
        """COMMITTING: the target becomes the default, the floor rises, and the update counts as installed."""
        case = self._case
        if not self._arrived:
            return case.end_fallen_back(Event.FELL_BACK, self._given_up_by_boot_loader())
        case.ports.boots.commit(case.plan.target)
        return self._record_commit()

    def revert(self) -> Rebooting | None:
        """REVERTING: until the old slot runs and the target is not on trial."""
        case, target = self._case, self._case.plan.target
        if case.ports.boots.default() is target:
            raise BootEnvironmentError(f"slot {target} is the default already: {self._ending.detail}")
        if self._arrived:
            return self._leave()
        case.ports.boots.mark_unbootable(target)
        self._record_return()
        return None

    @property
    def _arrived(self) -> bool:
        return self._case.running is self._case.plan.target

    @property
    def _ending(self) -> Report:
        if self._case.update.ending is None:
            raise RuntimeError("a reverted update knows why")
        return self._case.update.ending

    def _given_up_by_boot_loader(self) -> Report:
        detail = f"the boot loader gave slot {self._case.plan.target} up; slot {self._case.running} runs again"
        return self._case.report(Outcome.FELL_BACK, FailureCode.FELL_BACK, detail)

    def _record_commit(self) -> None:
        case, plan = self._case, self._case.plan
        report = replace(case.report(Outcome.INSTALLED), version=plan.goal.version)
        record = case.changed(ending=report, strikes=0)
        record = record.with_holding(plan.target, msgspec.structs.replace(plan.goal, committed=True))
        floor = raised_floor(case.record, plan.target, plan.goal)
        case.journal.move(Event.COMMITTED, msgspec.structs.replace(record, expected=plan.target, floor=floor))

    def _leave(self) -> Rebooting:
        # Where the environment cannot be written, the boot loader's own count of trial boots still ends the trial.
        try:
            self._case.ports.boots.mark_unbootable(self._case.plan.target)
        except SlotError:
            logger.exception("slot %s is left all the same", self._case.plan.target)
        self._case.ports.board.reboot()
        return Rebooting()

    def _record_return(self) -> None:
        ending, now = self._ending, self._case.report(Outcome.INSTALLED)
        report = replace(ending, slot=now.slot, version=now.version)
        if ending.outcome is Outcome.FELL_BACK:
            self._case.end_fallen_back(Event.RETURNED, report)
        else:
            self._case.end(Event.RETURNED, report)
