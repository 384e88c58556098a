"""The states that bring an image into the slot: whatever happens in them, the old slot runs on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from agent.image.imagewriter import ImageWriter, Pace
from agent.image.installation import Stages, as_signed
from agent.image.readback import Seen, SlotMismatch, Trailing, check_image
from agent.image.slotfile import SlotFile, SlotMedium, opened, opened_medium
from agent.image.source import NO_SOURCE, SlotSource
from agent.permit.permission import Moment, NotNow
from agent.slots import Slot
from agent.update.asking import Asking
from agent.update.context import Context
from agent.update.machine import Event
from bridge.release.delta.apply import Applier, Expected
from bridge.release.delta.checkpoint import START, Checkpoint
from bridge.release.delta.errors import AlteredPayload, MalformedPayload, UnusablePayload
from bridge.release.delta.spans import Source
from bridge.release.errors import DownloadError, FailureCode, OtabridgeError, SlotError
from bridge.release.manifest import Artifact
from bridge.release.report import Phase

logger = logging.getLogger(__name__)

OF_NO_USE = (UnusablePayload, AlteredPayload, MalformedPayload)
"""What a delta may turn out to be, where the full artifact may still do."""


def _is_of_no_use(error: OtabridgeError | MemoryError) -> bool:
    """Whether the full artifact may do where a delta ended with `error`; a link refused for good tells that the delta
    does not lie where the offer says, or is in no offer."""
    refused = isinstance(error, DownloadError) and error.code is FailureCode.LINK_REFUSED
    return refused or isinstance(error, (*OF_NO_USE, MemoryError))


class Writing:
    """PREPARING, WRITING and CHECKING: one method each."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._seen: Seen | None = None

    def prepare(self) -> None:
        """PREPARING: the target slot is never booted from its first byte on until it was checked; so that it can be
        until then, this device's turn is waited for first."""
        if self._context.update.checkpoint == START:
            self._context.ports.await_turn(self._context.reporter.offer)
        self._context.ports.boots.mark_unbootable(self._context.plan.target)
        self._context.journal.move(Event.PREPARED, self._context.record)

    def write(self) -> None:
        """WRITING: from the journalled checkpoint to the end of the artifact; a delta that turns out to be of no use
        is done without."""
        artifact = self._artifact()
        try:
            end = self._install(artifact)
        except (OtabridgeError, MemoryError) as error:
            if artifact.source is None or not _is_of_no_use(error):
                raise
            return self._do_without(artifact, error)
        return self._context.journal.move(Event.WRITTEN, self._context.changed(checkpoint=end))

    def check(self) -> None:
        """CHECKING: the whole slot, read back, before permission to switch is asked for the first time; afterwards once
        it was given, as waiting must cost little. What ran before the first release has no sha256 to compare. Where
        there are steps beside the image, their files come next, and permission after them.

        Raises: Vetoed and NotNow.
        """
        context, waited = self._context, self._context.update.checked
        if waited and context.update.staged == context.plan.file_bytes:
            self._require_permission()
        try:
            self._read_back()
        except SlotError as error:
            return self._make_good(error)
        if context.plan.steps:
            return context.journal.move(Event.MORE, context.changed(checked=True))
        if not waited:
            self._require_permission()
        context.reporter.show(Phase.SWITCHING)
        boot_id = context.ports.board.boot_id()
        return context.journal.move(Event.MATCHED, context.changed(boot_id=boot_id, waiting=None))

    def _require_permission(self) -> None:
        update, plan = self._context.update, self._context.plan
        if not update.digest:  # a person ordered what was here before
            return
        try:
            Asking(self._context).require(Moment.INSTALL, plan.goal, plan.target)
        except NotNow:
            if not update.checked:
                self._context.journal.keep(self._context.changed(checked=True))
            raise

    def _install(self, artifact: Artifact) -> Checkpoint:
        context, start, target = self._context, self._context.update.checkpoint, self._context.plan.target
        with self._source(artifact) as old, self._opened(target, to_write=True) as slot, self._medium() as medium:
            trailing = Trailing(medium)
            expected = Expected(artifact.image, artifact.source)
            applier = Applier(old, expected, memory=context.limits.memory, start=start, check_image=False)
            writer = ImageWriter(slot, artifact.image.length, start, self._pace(), self._keep, durable=trailing.durable)
            show = self._shower(Phase.DOWNLOADING, artifact.image.length)
            context.limits.install(Stages(self._chunks(artifact, start), applier, writer, show, trailing))
            end = writer.finish()
        self._seen = trailing.seen
        return end

    @contextmanager
    def _source(self, artifact: Artifact) -> Iterator[Source]:
        if artifact.source is None:
            yield NO_SOURCE
            return
        with self._opened(self._context.running) as slot:
            yield SlotSource(slot, artifact.source.length)

    def _opened(self, slot: Slot, *, to_write: bool = False) -> AbstractContextManager[SlotFile]:
        ports = self._context.ports
        return opened(ports.disk, ports.boots.device(slot), to_write=to_write)

    def _medium(self) -> AbstractContextManager[SlotMedium]:
        ports = self._context.ports
        return opened_medium(ports.disk, ports.boots.device(self._context.plan.target))

    def _chunks(self, artifact: Artifact, start: Checkpoint) -> Iterable[bytes]:
        reporter = self._context.reporter
        if start.payload == artifact.length:
            return ()
        stream = self._context.ports.download.stream(reporter.offer, artifact, start.payload, reporter.renew)
        return as_signed(stream, artifact, start)

    def _do_without(self, artifact: Artifact, error: OtabridgeError | MemoryError) -> None:
        reason = str(error) or "this device ran out of memory"
        logger.warning("delta %s is of no use and done without: %s", artifact.name, reason)
        record = self._context.changed(plan=None, checkpoint=START)
        self._context.journal.move(Event.UNUSABLE, record.without(self._context.update.digest, artifact.name, reason))

    def _read_back(self) -> None:
        image = self._context.plan.goal.image
        if image is not None:
            seen, self._seen = self._seen, None  # it counts once
            with self._medium() as medium:
                check_image(medium, image, self._shower(Phase.CHECKING, image.length), seen)

    def _make_good(self, error: SlotError) -> None:
        """What should be in the slot is not there: another way may bring it there. Raises: `error` if there is none."""
        artifact, target = self._context.plan.artifact, self._context.plan.target
        if (artifact is None and self._context.update.digest) or self._context.update.checked:
            logger.warning("slot %s does not hold any more what it did, and is written anew: %s", target, error)
            record = self._context.changed(checkpoint=START, checked=False)
            self._context.journal.move(Event.SPOILED, record.emptied(target))
        elif artifact is not None and artifact.source is not None and isinstance(error, SlotMismatch):
            self._do_without(artifact, error)
        else:
            raise error

    def _artifact(self) -> Artifact:
        if self._context.plan.artifact is None:
            raise RuntimeError("a plan without an artifact has nothing to write")
        return self._context.plan.artifact

    def _keep(self, checkpoint: Checkpoint) -> None:
        self._context.journal.keep(self._context.changed(checkpoint=checkpoint, strikes=0))

    def _pace(self) -> Pace:
        limits = self._context.limits
        return Pace(limits.checkpoint_bytes, limits.checkpoint_seconds, self._context.ports.ticks)

    def _shower(self, phase: Phase, length: int) -> Callable[[int], None]:
        return lambda done: self._context.reporter.show(phase, 100 * done // max(1, length))
