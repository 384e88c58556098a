"""After the verdict: the ways back of a committed release are dropped, and its files go.

Never before the verdict is in the journal: what has begun to drop its way back cannot be undone any more.
"""

from __future__ import annotations

import logging

from agent.update.context import Context
from agent.update.steps import Steps
from bridge.release.errors import OtabridgeError
from bridge.release.report import Outcome

TRIES = 3
"""How often it is begun, where the agent does not survive it: what is left over is only in the way."""

logger = logging.getLogger(__name__)


class Settling:
    """What is done in REPORTING beside telling."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._steps = Steps(context)

    def settle(self) -> None:
        """Tell each handler that its step stays. Once, as far as the agent survives it. Raises: JournalError."""
        context, update = self._context, self._context.update
        if update.plan is not None and not update.begun:
            self._steps.owe_nothing()  # once more, where that could not be written
        is_installed = update.ending is not None and update.ending.outcome is Outcome.INSTALLED
        if not is_installed or update.plan is None or not update.ended or update.strikes >= TRIES:
            return
        context.journal.keep(context.changed(strikes=update.strikes + 1))
        for planned in update.plan.steps:
            try:
                self._steps.handler(planned).settle(self._steps.work(planned))
            except OtabridgeError as error:
                logger.warning("step %s has left something over: %s", planned.step.name, error)
        context.journal.keep(context.changed(begun=0, ended=0, strikes=0))

    def sweep(self) -> None:
        """The files of releases that have come to their end are removed."""
        update = self._context.record.update
        self._steps.debts.sweep("" if update is None else update.digest)
