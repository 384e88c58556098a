"""The states before the switch: whatever happens in them, the old slot runs on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from agent.context import Context
from agent.installation import ImageWriter, Pace, check_image, opened
from agent.judgement import Judgement, OversizedImage, is_kept, judge_offer, no_earlier, require_room
from agent.machine import Event
from agent.record import Plan, Record
from bridge.release.errors import FailureCode, ReleaseError, SlotError
from bridge.release.manifest import Artifact
from bridge.release.payload import Mark
from bridge.release.report import Outcome, Phase

logger = logging.getLogger(__name__)


class Writing:
    """JUDGING, PREPARING, WRITING and CHECKING: one method each."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def judge(self) -> None:
        """JUDGING: to PREPARING when the release may come onto this device, else to its report; straight to
        CHECKING when the slot that does not run holds it already, as far as is known."""
        context = self._context
        now = no_earlier(context.ports.clock(), context.record)
        judgement = judge_offer(context.identity, context.record, context.running, context.reporter.offer, now)
        self._remember(judgement)
        if judgement.plan is None:
            self._refuse(judgement.refusal)
        elif judgement.held:
            context.end(Event.HELD, context.report(Outcome.INSTALLED))
        elif context.record.stray is judgement.plan.target and self._is_there(judgement.plan):
            self._refuse_stray(judgement.plan)
        else:
            self._accept(judgement.plan, now)

    def prepare(self) -> None:
        """PREPARING: the target slot is never booted from its first byte on until it was checked."""
        self._context.ports.boots.mark_unbootable(self._context.plan.target)
        self._context.journal.move(Event.PREPARED, self._context.record)

    def write(self) -> None:
        """WRITING: from the journalled mark to the end of the artifact."""
        context, artifact = self._context, self._artifact()
        with opened(context.ports.disk, context.ports.boots.device(context.plan.target)) as slot:
            writer = ImageWriter(slot, artifact, context.update.mark, self._pace(), self._keep)
            show = self._shower(Phase.DOWNLOADING, artifact.image.length)
            end = writer.write(self._chunks(artifact), show)
        context.journal.move(Event.WRITTEN, context.changed(mark=end))

    def check(self) -> None:
        """CHECKING: the whole slot, read back. What ran before the first release has no sha256 to compare."""
        context = self._context
        try:
            self._read_back()
        except SlotError as error:
            if not self._is_unwritten():
                raise
            return self._write_after_all(error)
        context.reporter.show(Phase.SWITCHING)
        return context.journal.move(Event.MATCHED, context.changed(boot_id=context.ports.board.boot_id()))

    def _read_back(self) -> None:
        context, image = self._context, self._context.plan.goal.image
        if image is not None:
            with opened(context.ports.disk, context.ports.boots.device(context.plan.target)) as slot:
                check_image(slot, image, self._shower(Phase.CHECKING, image.length))

    def _is_unwritten(self) -> bool:
        """Whether the target was taken for what it held before, and there is something that could be written."""
        plan = self._context.plan
        return plan.artifact is not None and self._context.record.holding(plan.target) is not None

    def _write_after_all(self, error: SlotError) -> None:
        target = self._context.plan.target
        logger.warning("slot %s does not hold any more what it did, and is written anew: %s", target, error)
        self._context.journal.move(Event.SPOILED, self._context.record.emptied(target))

    def _remember(self, judgement: Judgement) -> None:
        # A root that was accepted counts whatever becomes of the release: it may revoke keys (TUF, section 5.3).
        if judgement.roots != self._context.record.roots:
            self._context.journal.keep(msgspec.structs.replace(self._context.record, roots=judgement.roots))

    def _refuse(self, refusal: ReleaseError | None) -> None:
        if refusal is None:
            raise RuntimeError("a judgement has a plan or a refusal")
        self._context.end(Event.REFUSED, self._context.report(Outcome.REJECTED, refusal.code, str(refusal)))

    def _is_there(self, plan: Plan) -> bool:
        if plan.goal.image is None:
            return False
        try:
            with opened(self._context.ports.disk, self._context.ports.boots.device(plan.target)) as slot:
                check_image(slot, plan.goal.image, lambda _: None)
        except SlotError:
            return False
        return True

    def _refuse_stray(self, plan: Plan) -> None:
        # Once more would end as before, and cost the download each time: for ever, as nobody would remember.
        context = self._context
        detail = f"slot {plan.target} holds it and was tried, but the journal did not survive into its trial boot"
        context.journal.keep(msgspec.structs.replace(context.record, stray=None))
        context.end_fallen_back(Event.REFUSED, context.report(Outcome.FELL_BACK, FailureCode.JOURNAL, detail))

    def _accept(self, plan: Plan, now: datetime) -> None:
        try:
            self._require_room(plan)
        except OversizedImage as refusal:
            return self._refuse(refusal)
        self._context.reporter.show(Phase.ACCEPTED)
        kept = is_kept(self._context.record, plan)
        planned = self._context.changed(plan=plan, mark=Mark()) if kept else self._planned(plan)
        event = Event.KEPT if kept else Event.ACCEPTED
        return self._context.journal.move(event, msgspec.structs.replace(planned, seen=now, stray=None))

    def _require_room(self, plan: Plan) -> None:
        with opened(self._context.ports.disk, self._context.ports.boots.device(plan.target)) as slot:
            require_room(plan, slot.length())

    def _planned(self, plan: Plan) -> Record:
        mark = self._context.update.mark if self._context.update.plan == plan else Mark()
        return self._context.changed(plan=plan, mark=mark).emptied(plan.target)

    def _artifact(self) -> Artifact:
        if self._context.plan.artifact is None:
            raise RuntimeError("a plan without an artifact has nothing to write")
        return self._context.plan.artifact

    def _chunks(self, artifact: Artifact) -> Iterable[bytes]:
        reporter, mark = self._context.reporter, self._context.update.mark
        if mark.artifact == artifact.length:
            return ()
        return self._context.ports.download.stream(reporter.offer, artifact, mark.artifact, reporter.renew)

    def _keep(self, mark: Mark) -> None:
        self._context.journal.keep(self._context.changed(mark=mark, strikes=0))

    def _pace(self) -> Pace:
        limits = self._context.limits
        return Pace(limits.checkpoint_bytes, limits.checkpoint_seconds, self._context.ports.ticks)

    def _shower(self, phase: Phase, length: int) -> Callable[[int], None]:
        return lambda done: self._context.reporter.show(phase, 100 * done // max(1, length))
