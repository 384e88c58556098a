"""The states before the switch: whatever happens in them, the old slot runs on."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from agent.case import Case
from agent.installation import ImageWriter, check_image, opened
from agent.journal import Plan, Record
from agent.judgement import Judgement, OversizedImage, judge_offer, require_room
from agent.machine import Event
from bridge.release.errors import ReleaseError
from bridge.release.manifest import Artifact
from bridge.release.payload import Mark
from bridge.release.report import Outcome, Phase


class Writing:
    """JUDGING, PREPARING, WRITING and CHECKING: one method each."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def judge(self) -> None:
        """JUDGING: to PREPARING when the release may come onto this device, else to its report."""
        case = self._case
        judgement = judge_offer(case.identity, case.record, case.running, case.talk.offer, case.ports.clock())
        self._remember(judgement)
        if judgement.plan is None:
            self._refuse(judgement.refusal)
        elif judgement.held:
            case.end(Event.HELD, case.report(Outcome.INSTALLED))
        else:
            self._accept(judgement.plan)

    def prepare(self) -> None:
        """PREPARING: the target slot is never booted from its first byte on until it was checked."""
        self._case.ports.boots.mark_unbootable(self._case.plan.target)
        self._case.journal.move(Event.PREPARED, self._case.record)

    def write(self) -> None:
        """WRITING: from the journalled mark to the end of the artifact."""
        case, artifact = self._case, self._artifact()
        with opened(case.ports.disk, case.ports.boots.device(case.plan.target)) as slot:
            writer = ImageWriter(slot, artifact, case.update.mark, self._keep)
            show = self._shower(Phase.DOWNLOADING, artifact.image.length)
            end = writer.write(self._chunks(artifact), show, case.limits.checkpoint_bytes)
        case.journal.move(Event.WRITTEN, case.changed(mark=end))

    def check(self) -> None:
        """CHECKING: the whole slot, read back. What ran before the first release has no sha256 to compare."""
        case, image = self._case, self._case.plan.goal.image
        if image is not None:
            with opened(case.ports.disk, case.ports.boots.device(case.plan.target)) as slot:
                check_image(slot, image, self._shower(Phase.CHECKING, image.length))
        case.talk.show(Phase.SWITCHING)
        case.journal.move(Event.MATCHED, case.changed(boot_id=case.ports.board.boot_id()))

    def _remember(self, judgement: Judgement) -> None:
        # A root that was accepted counts whatever becomes of the release: it may revoke keys (TUF, section 5.3).
        if judgement.roots != self._case.record.roots:
            self._case.journal.keep(msgspec.structs.replace(self._case.record, roots=judgement.roots))

    def _refuse(self, refusal: ReleaseError | None) -> None:
        if refusal is None:
            raise RuntimeError("a judgement has a plan or a refusal")
        self._case.end(Event.REFUSED, self._case.report(Outcome.REJECTED, refusal.code, str(refusal)))

    def _accept(self, plan: Plan) -> None:
        try:
            self._require_room(plan)
        except OversizedImage as refusal:
            return self._refuse(refusal)
        self._case.talk.show(Phase.ACCEPTED)
        return self._case.journal.move(Event.ACCEPTED, self._planned(plan))

    def _require_room(self, plan: Plan) -> None:
        with opened(self._case.ports.disk, self._case.ports.boots.device(plan.target)) as slot:
            require_room(plan, slot.length())

    def _planned(self, plan: Plan) -> Record:
        mark = self._case.update.mark if self._case.update.plan == plan else Mark()
        return self._case.changed(plan=plan, mark=mark).with_holding(plan.target, None)

    def _artifact(self) -> Artifact:
        if self._case.plan.artifact is None:
            raise RuntimeError("a plan without an artifact has nothing to write")
        return self._case.plan.artifact

    def _chunks(self, artifact: Artifact) -> Iterable[bytes]:
        talk, mark = self._case.talk, self._case.update.mark
        if mark.artifact == artifact.length:
            return ()
        return self._case.ports.download.stream(talk.offer, artifact, mark.artifact, talk.renew)

    def _keep(self, mark: Mark) -> None:
        self._case.journal.keep(self._case.changed(mark=mark, strikes=0))

    def _shower(self, phase: Phase, length: int) -> Callable[[int], None]:
        return lambda done: self._case.talk.show(phase, 100 * done // max(1, length))
