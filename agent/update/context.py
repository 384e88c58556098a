"""One update in hand: what every state of the machine works with, and how a state is left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from agent.image.imagewriter import CHECKPOINT_BYTES
from agent.image.installation import Install, side_by_side
from agent.ports import Identity, Ports
from agent.slots import Slot
from agent.update.journal import Journal
from agent.update.judgement import on_trial, running_version
from agent.update.machine import Event, State
from agent.update.quarantine import with_failure
from agent.update.record import Plan, Record, Update
from agent.update.reporter import Reporter
from bridge.release.delta.memory import DEVICE_MEMORY
from bridge.release.errors import FailureCode, OtabridgeError
from bridge.release.report import MAX_DETAIL, Outcome, Report


@dataclass(frozen=True, slots=True)
class Limits:
    """A checkpoint is kept after each `checkpoint_bytes` of image, and on a slow link after each `checkpoint_seconds`,
    or earlier where that costs little. More than `strikes` starts without progress end an update; a release that fell
    back `fallbacks` times is refused. Applying an artifact may take `memory` bytes; `full_over_metered` allows the full
    one over a metered link, as far as the release does; with `wait_for_link` an update that this forbids waits for
    another link, else it ends."""

    checkpoint_bytes: int = CHECKPOINT_BYTES
    checkpoint_seconds: float = 60.0
    strikes: int = 16
    fallbacks: int = 3
    memory: int = DEVICE_MEMORY
    full_over_metered: bool = True
    wait_for_link: bool = False
    install: Install = side_by_side


@dataclass(frozen=True, slots=True)
class Context:
    """The update in the journal, on a device that runs slot `running`; files of steps are kept below `folder`."""

    identity: Identity
    ports: Ports
    journal: Journal
    limits: Limits
    running: Slot
    reporter: Reporter
    folder: Path

    @property
    def record(self) -> Record:
        """What the journal holds now."""
        return self.journal.record

    @property
    def update(self) -> Update:
        """The update under way. Raises: RuntimeError when there is none, which is a bug."""
        if self.record.update is None:
            raise RuntimeError(f"state {self.record.state!r} without an update")
        return self.record.update

    @property
    def plan(self) -> Plan:
        """The plan of the update. Raises: RuntimeError before it was accepted, which is a bug."""
        if self.update.plan is None:
            raise RuntimeError(f"state {self.record.state!r} without a plan")
        return self.update.plan

    def changed(self, **changes: object) -> Record:
        """The record with fields of its update changed."""
        return msgspec.structs.replace(self.record, update=msgspec.structs.replace(self.update, **changes))

    def report(self, outcome: Outcome, code: FailureCode | None = None, detail: str = "") -> Report:
        """A report of the slot that runs, as things stand. Bytes were saved where the whole image came."""
        version = running_version(self.identity, self.record, self.running) or ""
        plan = self.record.update.plan if self.record.update else None
        artifact, saved, remark = _taken(plan)
        words = "; ".join(filter(None, (detail, remark)))[:MAX_DETAIL]
        came = outcome in (Outcome.INSTALLED, Outcome.FELL_BACK)
        return Report(
            outcome, str(self.running), version, code, words, self.record.fallbacks, artifact, saved if came else 0
        )

    def end(self, event: Event, report: Report) -> None:
        """Leave the state by `event`; the update ends, or is going to end, with `report`."""
        self.journal.move(event, self.changed(ending=report, strikes=0))

    def end_fallen_back(self, event: Event, report: Report, plan: Plan | None = None) -> None:
        """As `end`, where a trial boot did not last: one more fallback in this device's life, and of that release."""
        record = msgspec.structs.replace(self.record, fallbacks=self.record.fallbacks + 1)
        plan = plan or self.update.plan
        if plan is not None:
            record = with_failure(record, plan.goal, report.detail)
        ending = replace(report, fallbacks=record.fallbacks)
        update = msgspec.structs.replace(self.update, ending=ending, strikes=0)
        self.journal.move(event, msgspec.structs.replace(record, update=update))

    def blame(self, error: OtabridgeError) -> Report:
        """The report of an update that `error` ended; the target, where it runs, is left unless that is what failed.
        While steps are undone, the outcome stands already: the report says besides what was kept."""
        earlier = "" if self.update.ending is None else f"; before that: {self.update.ending.detail}"
        detail = f"{error}{earlier}"
        if self.record.state is State.UNDOING and self.update.ending is not None:
            return replace(self.update.ending, code=FailureCode.STEP_KEPT, detail=detail[:MAX_DETAIL])
        is_on_trial = on_trial(self.record, self.running) is not None
        leaving = is_on_trial and self.record.state is not State.REVERTING
        return self.report(Outcome.FELL_BACK if leaving else Outcome.FAILED, error.code, detail)


def _taken(plan: Plan | None) -> tuple[str, int, str]:
    """Artifact, bytes saved and remark of a plan."""
    if plan is None or plan.taken is None:
        return "", 0, ""
    return plan.taken.name, plan.saved, plan.remark
