"""APPLYING and FINISHING: the steps are installed, before the switch and in the trial boot.

Each step is journalled as begun before its handler is called, so that it is undone wherever the device dies from then
on; after a restart the step that was begun last is installed once more, which handlers have to bear.
"""

from __future__ import annotations

import logging

from agent.ports import Rebooting
from agent.update.context import Context
from agent.update.machine import Event
from agent.update.record import Record, StepPlan
from agent.update.steps import Steps
from agent.update.trial import leave, restart

logger = logging.getLogger(__name__)


class Applying:
    """Two states, one method each."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._steps = Steps(context)

    def apply(self) -> Rebooting | None:
        """APPLYING: to SWITCHING; or, where no step is of the slot, to the proof, perhaps after a restart.

        Raises: StepError, AlteredRelease, SlotError: a step could not be installed.
        """
        plan = self._context.plan
        if not plan.in_place and self._context.running is plan.target:
            return self._go_back()
        if not self._context.update.begun:
            self._steps.owe()
        self._install_up_to(plan.before)
        if not plan.in_place:
            self._move(Event.APPLIED)
        elif any(planned.step.restart for planned in plan.steps):
            self._move(Event.RESTART, boot_id=self._context.ports.board.boot_id())
        else:
            self._move(Event.IN_EFFECT)
        return None

    def finish(self) -> None:
        """FINISHING: to PROVING. Raises: as `apply`."""
        self._install_up_to(len(self._context.plan.steps))
        self._move(Event.FINISHED)

    def _move(self, event: Event, **changes: object) -> None:
        self._context.journal.move(event, self._context.changed(ended=self._context.update.begun, **changes))

    def _go_back(self) -> Rebooting:
        """A handler has switched to the slot by itself, and the machine was restarted before that could be taken back;
        or the journal is older than the switch. Back to the old slot, where what was begun last is done anew."""
        running, ports = self._context.running, self._context.ports
        logger.error("slot %s runs, and was not to be tried yet: back to slot %s", running, running.other)
        if ports.boots.default() is not running:
            return leave(ports, running)
        ports.boots.try_slot(running.other)
        return restart(ports)

    def _install_up_to(self, count: int) -> None:
        for number in range(self._context.update.ended, count):
            planned = self._context.plan.steps[number]
            if self._context.update.begun <= number:
                self._context.journal.keep(self._begun(number, planned))
            logger.info("step %s is installed by the handler %s", planned.step.name, planned.step.handler)
            self._install(planned)

    def _begun(self, number: int, planned: StepPlan) -> Record:
        record = self._context.changed(begun=number + 1, ended=number, strikes=0)
        return record.emptied(self._context.plan.target) if planned.is_of_slot else record

    def _install(self, planned: StepPlan) -> None:
        self._steps.require_file(planned)
        if planned.is_of_slot:
            self._steps.open_slot()
        self._steps.handler(planned).install(self._steps.work(planned))
        if planned.is_of_slot:
            self._steps.take_slot_back()
            self._steps.check_slot()
