"""UNDOING: what was begun and did not come to a good end is undone, the last step first, in the old slot's system."""

from __future__ import annotations

import logging

from agent.ports import Rebooting
from agent.update.context import Context
from agent.update.machine import Event
from agent.update.record import StepPlan
from agent.update.steps import Steps
from agent.update.trial import leave, restart
from bridge.release.errors import FailureCode, OtabridgeError
from bridge.release.report import Report

logger = logging.getLogger(__name__)


class Undoing:
    """One state. `update.begun` in the journal counts the steps that are left to be undone."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._steps = Steps(context)

    def undo(self) -> Rebooting | None:
        """To REPORTING once all was undone, or tried to be: a step that cannot be undone is told, and those before it
        are undone all the same, as that is nearest to what was there. Where one of them is in effect after a restart
        alone, so is undoing it."""
        context, plan = self._context, self._context.plan
        if not plan.in_place and context.running is plan.target:
            return leave(context.ports, plan.target)
        for number in reversed(range(context.update.begun)):
            self._undo(number, plan.steps[number])
        if context.update.undone_in and context.update.undone_in == context.ports.board.boot_id():
            return restart(context.ports)
        self._steps.owe_nothing()
        event = Event.FAILED if self._ending.code is FailureCode.STEP_KEPT else Event.UNDONE
        context.journal.move(event, context.changed(strikes=0))
        return None

    def give_up(self, error: OtabridgeError) -> None:
        """The agent did not survive it, again and again."""
        self._steps.owe_nothing()
        self._context.end(Event.GIVEN_UP, self._context.blame(error))

    @property
    def _ending(self) -> Report:
        if self._context.update.ending is None:
            raise RuntimeError("what is undone has a reason")
        return self._context.update.ending

    def _undo(self, number: int, planned: StepPlan) -> None:
        context, ending, undone_in = self._context, self._ending, self._context.update.undone_in
        logger.info("step %s is undone by the handler %s", planned.step.name, planned.step.handler)
        try:
            self._steps.handler(planned).undo(self._steps.work(planned))
            if planned.is_of_slot:
                self._steps.take_slot_back()
            undone_in = context.ports.board.boot_id() if planned.step.restart else undone_in
        except OtabridgeError as error:
            logger.exception("step %s stays as it is", planned.step.name)
            ending = context.blame(StepKept(planned, error))
        context.journal.keep(context.changed(begun=number, undone_in=undone_in, ending=ending, strikes=0))


class StepKept(OtabridgeError):
    """A step could not be undone."""

    code = FailureCode.STEP_KEPT

    def __init__(self, planned: StepPlan, error: OtabridgeError) -> None:
        super().__init__(f"step {planned.step.name} could not be undone: {error}")
