"""Drives one update through the machine: journal, effect, event; and maps every fault to the event that it is."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from agent.cloud.channel import OfferWithdrawn
from agent.permit.permission import NotNow
from agent.ports import Concluded, Halt, Idle, Postponed, Suspended
from agent.update.applying import Applying
from agent.update.context import Context
from agent.update.journal import JournalError
from agent.update.judging import Judging
from agent.update.machine import BEFORE_SWITCH, RESUME, Event, State
from agent.update.record import Conclusion, Record, Update
from agent.update.settling import Settling
from agent.update.staging import Staging
from agent.update.trial import Trial, leave
from agent.update.undoing import Undoing
from agent.update.writing import Writing
from bridge.release.delta.checkpoint import START
from bridge.release.errors import ChannelError, FailureCode, OtabridgeError
from bridge.release.report import Outcome, Report

logger = logging.getLogger(__name__)

PASSING = frozenset({FailureCode.DOWNLOAD, FailureCode.LINK_REFUSED, FailureCode.METERED, FailureCode.VETOED})
"""Ends after which what is in the slot is worth keeping: the same release may be offered again."""


class Driver:
    """Takes the update in `context` from the state in the journal to the next halt."""

    def __init__(self, context: Context) -> None:
        judging, writing, trial = Judging(context), Writing(context), Trial(context)
        applying, self._undoing, self._settling = Applying(context), Undoing(context), Settling(context)
        self._context = context
        self._acts: dict[State, Callable[[], Halt | None]] = {
            State.IDLE: Idle,
            State.JUDGING: judging.judge,
            State.PREPARING: writing.prepare,
            State.WRITING: writing.write,
            State.CHECKING: writing.check,
            State.STAGING: Staging(context).stage,
            State.APPLYING: applying.apply,
            State.SWITCHING: trial.switch,
            State.REBOOTING: trial.reboot,
            State.FINISHING: applying.finish,
            State.PROVING: trial.prove,
            State.COMMITTING: trial.commit,
            State.REVERTING: trial.revert,
            State.UNDOING: self._undoing.undo,
            State.REPORTING: self._deliver,
        }

    def begin(self, event: Event, update: Update) -> Halt:
        """Start with `update`. Raises: JournalError when a trial cannot go on without the journal."""
        return self._guarded(lambda: self._enter(event, update))

    def take(self, *events: Event, ending: Report | None = None) -> Halt:
        """Go on after `events` that a person has decided."""
        return self._guarded(lambda: self._follow(events, ending))

    def resume(self) -> Halt:
        """Go on after a start of the agent, which counts as a strike in the middle of an update."""
        return self._guarded(self._restart)

    def _guarded(self, start: Callable[[], None]) -> Halt:
        try:
            start()
            return self._run()
        except JournalError as error:
            return self._go_without_journal(error)

    def _enter(self, event: Event, update: Update) -> None:
        record = msgspec.structs.replace(self._context.record, update=update)
        self._context.journal.move(event, record)

    def _follow(self, events: tuple[Event, ...], ending: Report | None) -> None:
        for event in events:
            self._context.journal.move(event, self._context.changed(ending=ending))

    def _restart(self) -> None:
        state = self._context.record.state
        if state in (State.IDLE, State.REPORTING):
            return
        struck = self._without_deadly_delta(self._context.changed(strikes=self._context.update.strikes + 1), state)
        self._context.journal.keep(msgspec.structs.replace(struck, state=RESUME[state]))
        if self._context.update.strikes > self._context.limits.strikes:
            self._give_up(Exhausted(state, self._context.limits.strikes))

    def _give_up(self, error: Exhausted) -> None:
        if self._context.record.state is State.UNDOING:
            self._undoing.give_up(error)
        else:
            self._context.end(Event.GIVEN_UP, self._context.blame(error))

    def _without_deadly_delta(self, record: Record, state: State) -> Record:
        """`record`; or where the agent died again and again while it applied a delta, the one that does without it,
        long before all is given up: the full artifact may not be too much for this device."""
        update = record.update
        artifact = update.plan.artifact if update is not None and update.plan is not None else None
        if update is None or artifact is None or artifact.source is None or state is not State.WRITING:
            return record
        if update.strikes <= self._context.limits.strikes // 2:
            return record
        logger.warning("delta %s is done without: the agent did not survive it %d times", artifact.name, update.strikes)
        record = self._context.changed(plan=None, checkpoint=START, strikes=0)
        reason = f"the agent was restarted {update.strikes} times in a row while it applied it"
        return record.without(update.digest, artifact.name, reason)

    def _run(self) -> Halt:
        while True:
            halt = self._act()
            if halt is not None:
                return halt

    def _act(self) -> Halt | None:
        try:
            return self._acts[self._context.record.state]()
        except JournalError:
            raise
        except OfferWithdrawn as error:
            return self._withdraw(error)
        except NotNow as error:
            return self._postpone(error)
        except ChannelError as error:
            if error.retryable:
                return self._suspend(error)
            self._context.end(Event.FAILED, self._context.blame(error))
        except OtabridgeError as error:
            self._context.end(Event.FAILED, self._context.blame(error))
        return None

    def _withdraw(self, error: OfferWithdrawn) -> Idle:
        logger.info("offer %s was withdrawn: %s", self._context.update.offer, error)
        self._context.journal.move(Event.WITHDRAWN, msgspec.structs.replace(self._context.record, update=None))
        return Idle()

    def _suspend(self, error: ChannelError) -> Suspended:
        self._context.journal.move(Event.INTERRUPTED, self._context.record)
        return Suspended(str(error))

    def _postpone(self, error: NotNow) -> Postponed:
        self._context.journal.move(Event.POSTPONED, self._context.changed(strikes=0))
        return Postponed(error.moment, str(error), error.seconds)

    def _deliver(self) -> Concluded:
        report, plan = self._context.update.ending, self._context.update.plan
        if report is None:
            raise RuntimeError("a finished update has a report")
        self._settling.settle()
        delivered = deliver(self._context, report)
        if delivered:
            conclusion = Conclusion(self._context.update.offer, self._context.update.digest, report)
            record = msgspec.structs.replace(self._context.record.concluding(conclusion), update=self._remains(report))
            self._context.journal.move(Event.DELIVERED, record)
            if plan is not None and plan.steps:
                self._settling.sweep()
        return Concluded(report, delivered)

    def _remains(self, report: Report) -> Update | None:
        """What is durably in the slot, or of the files, where it was not at fault: the next offer of the release goes
        on there."""
        update = self._context.update
        if report.code not in PASSING or (update.checkpoint == START and not update.staged):
            return None
        return msgspec.structs.replace(update, offer="", strikes=0, ending=None, waiting=None)

    def _go_without_journal(self, error: JournalError) -> Halt:
        if self._context.record.state in BEFORE_SWITCH:
            return self._conclude_unjournalled(error)
        if self._context.record.state is State.REPORTING:
            raise error
        plan, boots = self._context.plan, self._context.ports.boots
        if self._context.running is not plan.target or boots.trial() is not plan.target:
            raise error
        # A trial that cannot be recorded is not proved: the safe way is back.
        logger.error("leaving slot %s: %s", plan.target, error)
        return leave(self._context.ports, plan.target)

    def _conclude_unjournalled(self, error: JournalError) -> Concluded:
        report = self._context.report(Outcome.FAILED, error.code, str(error))
        self._context.journal.forget_update()
        return Concluded(report, deliver(self._context, report))


class Exhausted(OtabridgeError):
    """The agent started too often in the middle of the same update."""

    code = FailureCode.INTERRUPTED

    def __init__(self, state: State, strikes: int) -> None:
        super().__init__(f"given up after {strikes} restarts without progress while {state}")


def deliver(context: Context, report: Report) -> bool:
    """Tell the cloud the end; whether that is done with. An offer that is gone, or an answer for good, is."""
    try:
        return context.reporter.conclude(report)
    except OfferWithdrawn as error:
        logger.info("nobody waits for the report any more: %s", error)
        return True
    except ChannelError as error:
        logger.warning("the report was not taken: %s", error)
        return not error.retryable
