"""JUDGING: whether the release may come onto this device, and by which of its artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import msgspec

from agent.image.choice import MeteredLink
from agent.image.readback import check_image
from agent.image.slotfile import opened, opened_medium
from agent.permit.permission import Later, Moment
from agent.update.asking import Asking
from agent.update.context import Context
from agent.update.judgement import Judgement, is_kept, judge_offer, no_earlier, require_room
from agent.update.machine import Event
from agent.update.quarantine import require_free
from agent.update.record import Plan, Record
from agent.update.selection import Selection
from agent.update.steps import require_handlers
from bridge.release.delta.checkpoint import START
from bridge.release.errors import FailureCode, ReleaseError, SlotError
from bridge.release.manifest import Release
from bridge.release.report import Outcome, Phase


class Judging:
    """One state, and all the ways out of it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._asking = Asking(context)

    def judge(self) -> None:
        """To PREPARING when the release may come onto this device, else to its report; straight to CHECKING when the
        slot that does not run holds it already, as far as is known.

        Raises: MeteredLink when the artifact that is left may not be fetched; Vetoed and NotNow.
        """
        context = self._context
        now = no_earlier(context.ports.clock(), context.record)
        judgement = judge_offer(context.identity, context.record, context.running, context.reporter.offer, now)
        self._remember(judgement)
        if judgement.plan is None or judgement.release is None:
            self._refuse(judgement.refusal)
        elif judgement.held:
            context.end(Event.HELD, context.report(Outcome.INSTALLED))
        elif self._is_stray(judgement.plan):
            self._refuse_stray(judgement.plan)
        else:
            self._accept(judgement.release, judgement.plan, now)

    def _remember(self, judgement: Judgement) -> None:
        # A root that was accepted counts whatever becomes of the release: it may revoke keys (TUF, section 5.3).
        if judgement.roots != self._context.record.roots:
            self._context.journal.keep(msgspec.structs.replace(self._context.record, roots=judgement.roots))

    def _refuse(self, refusal: ReleaseError | None) -> None:
        if refusal is None:
            raise RuntimeError("a judgement has a plan or a refusal")
        self._context.end(Event.REFUSED, self._context.report(Outcome.REJECTED, refusal.code, str(refusal)))

    def _is_stray(self, plan: Plan) -> bool:
        return not plan.in_place and self._context.record.stray is plan.target and self._is_there(plan)

    def _is_there(self, plan: Plan) -> bool:
        if plan.goal.image is None:
            return False
        try:
            with opened_medium(self._context.ports.disk, self._context.ports.boots.device(plan.target)) as medium:
                check_image(medium, plan.goal.image, lambda _: None)
        except SlotError:
            return False
        return True

    def _refuse_stray(self, plan: Plan) -> None:
        # Once more would end as before, and cost the download each time: for ever, as nobody would remember.
        context = self._context
        detail = f"slot {plan.target} holds it and was tried, but the journal did not survive into its trial boot"
        context.journal.keep(msgspec.structs.replace(context.record, stray=None))
        context.end_fallen_back(Event.REFUSED, context.report(Outcome.FELL_BACK, FailureCode.JOURNAL, detail), plan)

    def _accept(self, release: Release, plan: Plan, now: datetime) -> None:
        self._require_fit(plan)
        try:
            require_handlers(self._context.ports.handlers, plan.steps)
            self._context.ports.introduce(self._context.reporter.offer.release, self._context.record.roots)
            require_free(self._context.record, plan.goal, self._context.limits.fallbacks)
            self._require_room(plan)
        except ReleaseError as refusal:
            return self._refuse(refusal)
        if self._context.update.waiting is None:
            self._context.reporter.show(Phase.ACCEPTED)
        event, planned = self._way(release, plan)
        return self._context.journal.move(event, msgspec.structs.replace(planned, seen=now, stray=None))

    def _way(self, release: Release, plan: Plan) -> tuple[Event, Record]:
        """The event and the record of the shortest way: nothing is fetched that is there."""
        if is_kept(self._context.record, plan):
            kept = plan.with_slot_kept()
            self._allow_files(release, kept)
            return Event.KEPT, self._kept(kept)
        if self._is_checked(release, plan):
            self._allow_files(release, plan)
            return Event.KEPT, self._context.record
        self._asking.require(Moment.DOWNLOAD, plan.goal, plan.target)
        self._require_link(release, plan)
        if plan.in_place or plan.slot_step is not None:
            return Event.WITHOUT_IMAGE, self._without_image(plan)
        return Event.ACCEPTED, self._planned(self._complete(release, plan))

    def _allow_files(self, release: Release, plan: Plan) -> None:
        """The image is there; whether the files of the steps may be fetched, as far as they are not.

        Raises: NotNow, Vetoed, MeteredLink.
        """
        if self._staged(plan) < plan.file_bytes:
            self._asking.require(Moment.DOWNLOAD, plan.goal, plan.target)
            self._require_link(release, plan)

    def _staged(self, plan: Plan) -> int:
        """How much of the files is there: of this release, and of these steps of it."""
        update = self._context.update
        return update.staged if update.plan is not None and update.plan.steps == plan.steps else 0

    def _is_checked(self, release: Release, plan: Plan) -> bool:
        """Whether the slot was written and read back before the update was postponed."""
        update = self._context.update
        if not update.checked or update.plan is None or update.plan.artifact not in release.artifacts:
            return False
        return _work(update.plan) == _work(msgspec.structs.replace(plan, artifact=update.plan.artifact))

    def _complete(self, release: Release, plan: Plan) -> Plan:
        with self._waiting_for_link(plan):
            return Selection(self._context, release).complete(plan)

    def _require_link(self, release: Release, plan: Plan) -> None:
        if self._staged(plan) < plan.file_bytes:
            with self._waiting_for_link(plan):
                Selection(self._context, release).require_link_for_files(plan)

    @contextmanager
    def _waiting_for_link(self, plan: Plan) -> Iterator[None]:
        try:
            yield
        except MeteredLink as error:
            if self._context.limits.wait_for_link:
                self._asking.put_off(Moment.DOWNLOAD, Later("metered link", str(error)), plan.goal.version)
            raise

    def _require_fit(self, plan: Plan) -> None:
        if not plan.in_place:
            boots = self._context.ports.boots
            self._context.ports.require_fit(boots.device(plan.target), boots.device(self._context.running))

    def _require_room(self, plan: Plan) -> None:
        if plan.in_place:
            return
        with opened(self._context.ports.disk, self._context.ports.boots.device(plan.target)) as slot:
            require_room(plan, slot.length())

    def _kept(self, plan: Plan) -> Record:
        checked = self._context.update.checked and self._context.update.plan == plan
        return self._context.changed(plan=plan, checkpoint=START, checked=checked, staged=self._staged(plan))

    def _without_image(self, plan: Plan) -> Record:
        return self._context.changed(plan=plan, checkpoint=START, checked=False, staged=self._staged(plan))

    def _planned(self, plan: Plan) -> Record:
        """The record with `plan`, going on where the same was begun."""
        begun, checkpoint = self._context.update.plan, self._context.update.checkpoint
        same = begun is not None and _work(begun) == _work(plan)
        start, staged = checkpoint if same else START, self._staged(plan)
        record = self._context.changed(plan=plan, checkpoint=start, checked=False, waiting=None, staged=staged)
        return record.emptied(plan.target)


def _work(plan: Plan) -> Plan:
    """All of a plan that decides what is written."""
    return Plan(plan.target, plan.goal, plan.artifact)
