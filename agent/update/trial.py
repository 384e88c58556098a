"""The states from the switch on: the boot loader tries the target slot, which proves itself or is left again."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace

import msgspec

from agent.cloud.channel import OfferWithdrawn
from agent.ports import Ports, Rebooting
from agent.slots import BootEnvironmentError, Slot
from agent.update.asking import Asking
from agent.update.context import Context
from agent.update.judgement import raised_floor
from agent.update.machine import Event
from agent.update.quarantine import forgiven
from agent.update.record import Holding, Plan
from agent.update.steps import Steps
from bridge.release.errors import FailureCode, SlotError
from bridge.release.report import Outcome, Phase, Report

logger = logging.getLogger(__name__)


def leave(ports: Ports, slot: Slot) -> Rebooting:
    """End the trial of `slot`, which runs, by restarting into the default slot."""
    # Where the environment cannot be written, the boot loader's own count of trial boots still ends the trial.
    try:
        ports.boots.mark_unbootable(slot)
    except SlotError:
        logger.exception("slot %s is left all the same", slot)
    return restart(ports)


def restart(ports: Ports) -> Rebooting:
    """Restart the machine, whatever is under way. Where that is refused, it is asked for again."""
    try:
        ports.board.reboot()
    except SlotError:
        logger.exception("the machine was not restarted")
    return Rebooting()


class Trial:
    """SWITCHING, REBOOTING, PROVING, COMMITTING and REVERTING: one method each."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._steps = Steps(context)

    def switch(self) -> None:
        """SWITCHING: again where it is unsure whether the boot loader was told, unless the target runs already."""
        context = self._context
        if self._arrived:
            return context.journal.move(Event.SWITCHED, context.record)
        context.ports.boots.try_slot(context.plan.target)
        return context.journal.move(Event.SWITCHED, context.changed(boot_id=context.ports.board.boot_id()))

    def reboot(self) -> Rebooting | None:
        """REBOOTING: restart unless that has happened; then see which slot runs."""
        context = self._context
        if context.ports.board.boot_id() == context.update.boot_id:
            context.ports.board.reboot()
            return Rebooting()
        if not self._arrived:
            self._fall_back()
        elif context.update.ended < len(context.plan.steps):
            context.journal.move(Event.UNFINISHED, context.record)
        else:
            context.journal.move(Event.ARRIVED, context.record)
        return None

    def prove(self) -> None:
        """PROVING: to COMMITTING when healthy and nobody objects, else to REVERTING."""
        context = self._context
        if context.plan.in_place:
            context.ports.guard.arm()  # elsewhere the start of the trial boot did
        with suppress(OfferWithdrawn):  # too late: the trial decides, and its report is dropped
            context.reporter.show(Phase.PROVING)
        detail = context.ports.health.prove(context.plan.goal.health) or Asking(context).objection()
        if detail is None:
            return context.journal.move(Event.PROVEN, context.record)
        return context.end(Event.UNHEALTHY, context.report(Outcome.FELL_BACK, FailureCode.UNHEALTHY, detail))

    def commit(self) -> None:
        """COMMITTING: the target becomes the default, the floor rises, and the update counts as installed."""
        context = self._context
        if not self._arrived:
            return self._fall_back()
        if not context.plan.in_place:
            self._make_default()
        context.ports.guard.release()
        self._steps.owe_nothing()
        return self._record_commit()

    def revert(self) -> Rebooting | None:
        """REVERTING: until the old slot runs and the target is not on trial. In place there is no slot to leave."""
        context, target = self._context, self._context.plan.target
        if context.plan.in_place:
            context.ports.guard.release()
        elif self._is_default(target):
            self._stay()
            return None
        elif self._arrived:
            return leave(context.ports, target)
        else:
            self._end_trial(target)
        self._record_return()
        return None

    @property
    def _arrived(self) -> bool:
        return self._context.running is self._context.plan.target

    @property
    def _ending(self) -> Report:
        if self._context.update.ending is None:
            raise RuntimeError("a reverted update knows why")
        return self._context.update.ending

    def _fall_back(self) -> None:
        self._context.end_fallen_back(self._way_back(Event.FELL_BACK, Event.LEFT), self._given_up_by_boot_loader())

    def _way_back(self, done: Event, owing: Event) -> Event:
        """`owing` where steps were begun, which are to be undone now that the old system runs; else `done`."""
        if self._context.update.begun:
            return owing
        self._steps.owe_nothing()
        return done

    def _given_up_by_boot_loader(self) -> Report:
        target, running = self._context.plan.target, self._context.running
        bites = self._context.record.boots(target).watchdog_resets
        cause = f"; a watchdog ended {bites} of its boots" if bites else ""
        detail = f"the boot loader gave slot {target} up{cause}; slot {running} runs again"
        return self._context.report(Outcome.FELL_BACK, FailureCode.FELL_BACK, detail)

    def _record_commit(self) -> None:
        context, plan = self._context, self._context.plan
        report = replace(context.report(Outcome.INSTALLED), version=plan.goal.version)
        record = context.changed(ending=report, strikes=0).with_holding(plan.target, _committed(plan))
        record = forgiven(record, plan.goal)
        floor = raised_floor(context.record, plan.target, plan.goal)
        context.journal.move(Event.COMMITTED, msgspec.structs.replace(record, expected=plan.target, floor=floor))

    def _end_trial(self, target: Slot) -> None:
        try:
            self._context.ports.boots.mark_unbootable(target)
        except SlotError:
            if not self._context.update.begun:
                raise
            logger.exception("slot %s may be tried again, and is left then; steps are undone all the same", target)

    def _is_default(self, target: Slot) -> bool:
        try:
            return self._context.ports.boots.default() is target
        except SlotError:
            logger.exception("slot %s is taken for a trial", target)
            return False

    def _make_default(self) -> None:
        boots, target = self._context.ports.boots, self._context.plan.target
        try:
            boots.commit(target)
        except SlotError:
            if boots.default() is not target:
                raise
            boots.commit(target)  # it was made, but is not sure to last: once more

    def _stay(self) -> None:
        # There is no way back: a commit that was told as failed has been made, or a person made the slot the default.
        context, plan = self._context, self._context.plan
        context.ports.guard.release()
        self._steps.owe_nothing()
        kept = ", and the steps stay as they are" if context.update.begun else ""
        error = BootEnvironmentError(f"slot {plan.target} is the default already{kept}: {self._ending.detail}")
        record = context.changed(ending=context.report(Outcome.FAILED, error.code, str(error)), strikes=0)
        record = record.with_holding(plan.target, _committed(plan))
        context.journal.move(Event.FAILED, msgspec.structs.replace(record, expected=plan.target))

    def _record_return(self) -> None:
        ending, now = self._ending, self._context.report(Outcome.INSTALLED)
        report = replace(ending, slot=now.slot, version=now.version)
        event = self._way_back(Event.RETURNED, Event.OWING)
        if ending.outcome is Outcome.FELL_BACK:
            self._context.end_fallen_back(event, report)
        else:
            self._context.end(event, report)


def _committed(plan: Plan) -> Holding:
    return msgspec.structs.replace(plan.goal, committed=True, saved=plan.saved)
