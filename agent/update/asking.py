"""Asks for permission in the name of an update in hand, and lets the cloud know when it has to wait."""

from __future__ import annotations

from typing import NoReturn

from agent.cloud.folder import is_local
from agent.permit.permission import MAX_BY, MAX_REASON, Allowed, Facts, Later, Moment, NotNow, Refused, Vetoed
from agent.slots import Slot
from agent.update.context import Context
from agent.update.record import Holding, Record, Waiting
from bridge.release.report import Phase


class Asking:
    """The questions of one update."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def require(self, moment: Moment, goal: Holding, target: Slot) -> None:
        """Return when `target` may be brought to `goal`.

        Raises: Vetoed; NotNow, with what is waited for kept in the journal and told the cloud; OfferWithdrawn;
        JournalError.
        """
        match self._context.ports.permission.ask(moment, self._facts(goal, target)):
            case Allowed():
                return
            case Refused() as refusal:
                raise Vetoed(refusal)
            case Later() as later:
                self.put_off(moment, later, goal.version)

    def put_off(self, moment: Moment, later: Later, version: str) -> NoReturn:
        """Leave `version` for now. Raises: NotNow, OfferWithdrawn, JournalError; see `require`."""
        self._note(Waiting(moment, later.by[:MAX_BY], later.reason[:MAX_REASON], version))
        raise NotNow(moment, later)

    def objection(self) -> str | None:
        """What is in the way of the commit, for people; None when nothing is. A trial boot cannot wait: boots are
        counted in it."""
        plan = self._context.plan
        match self._context.ports.permission.ask(Moment.COMMIT, self._facts(plan.goal, plan.target)):
            case Allowed():
                return None
            case Refused(by=by, reason=reason) | Later(by=by, reason=reason):
                return f"not to be committed: {by[:MAX_BY]}: {reason[:MAX_REASON]}"

    def _facts(self, goal: Holding, target: Slot) -> Facts:
        update, running = self._context.update, self._context.running
        return Facts(
            offer=update.offer,
            digest=update.digest,
            release=goal.release,
            version=goal.version,
            sequence=goal.sequence,
            running=str(running),
            target=str(target),
            image_bytes=0 if goal.image is None else goal.image.length,
            ordered=is_local(update.offer),
        )

    def _note(self, waiting: Waiting) -> None:
        """Once for each moment and each who answers: the words may change with every question."""
        known = self._context.update.waiting
        if known is None or (known.moment, known.by) != (waiting.moment, waiting.by):
            self._context.reporter.show(Phase.WAITING, detail=f"{waiting.moment}: {waiting.by}: {waiting.reason}")
        if known != waiting:
            self._context.journal.keep(self._context.changed(waiting=waiting))


def waited_for(record: Record) -> Waiting | None:
    """What the update in `record` waits for; None where it does not wait."""
    return None if record.update is None else record.update.waiting
