"""STAGING: the files of a release's steps come onto the device. Nothing of them is in effect, all can be dropped."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from agent.disk import BlockFile
from agent.handling import StepError
from agent.image.installation import INTERRUPTIONS
from agent.permit.permission import Moment
from agent.update.asking import Asking
from agent.update.context import Context
from agent.update.machine import Event
from agent.update.record import StepPlan
from agent.update.steps import Read, Steps, naming
from bridge.release.artifact import Artifact
from bridge.release.errors import AlteredRelease
from bridge.release.report import Phase

RESERVE_BYTES = 1024 * 1024
"""What stays free beside the files: the journal lies in the same file system, and has to be written."""

logger = logging.getLogger(__name__)


class Staging:
    """One state. `update.staged` in the journal counts what is durable of all files, one after the other."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._steps = Steps(context)

    def stage(self) -> None:
        """To APPLYING once all files are there and are what was signed, and the device may go on. Permission is asked
        at the end, and, where it was asked before, at the beginning as well: waiting must cost little.

        Raises: Vetoed, NotNow, AlteredRelease; DownloadError, ChannelError, OfferWithdrawn; StepError.
        """
        context, waited = self._context, self._context.update.staged == self._context.plan.file_bytes
        if waited:
            self._require_permission()
        self._prepare()
        for number in range(len(context.plan.steps)):
            self._obtain(number)
        if not waited:
            self._require_permission()
        context.reporter.show(Phase.SWITCHING)
        context.journal.move(Event.STAGED, context.changed(waiting=None, boot_id="", begun=0, ended=0, undone_in=""))

    def _require_permission(self) -> None:
        plan = self._context.plan
        Asking(self._context).require(Moment.INSTALL, plan.goal, plan.target)

    def _prepare(self) -> None:
        if not self._context.update.staged:
            self._context.ports.await_turn(self._context.reporter.offer)
        self._require_no_debt()
        self._steps.debts.sweep(self._context.update.digest)
        self._steps.make_folders()
        self._require_space()

    def _require_no_debt(self) -> None:
        """Two notes at a time could not be told apart: what was owed before was undone, or stands, by now."""
        owed = self._steps.debts.found()
        if owed is not None and owed.digest != self._context.update.digest:
            raise StepError(
                f"steps of release {owed.plan.goal.version} are still to be undone, as a note in "
                f"{self._steps.folder.parent} says: restart the device"
            )

    def _require_space(self) -> None:
        """Before the first byte: a file system that runs full takes the journal with it."""
        folder = self._steps.folder
        with naming(folder, "cannot be looked at"):
            free = self._context.ports.disk.free(folder)
        needed = self._context.plan.file_bytes - self._context.update.staged
        if needed and free < needed + RESERVE_BYTES:
            raise StepError(
                f"the files of the steps need {needed} bytes more in {folder}, and {RESERVE_BYTES} are to stay free; "
                f"{free} are free: make room there"
            )

    def _obtain(self, number: int) -> None:
        """The file of a step; what an earlier try has left and is spoiled by now is fetched once more."""
        planned, before, start = self._context.plan.steps[number], self._before(number), self._start(number)
        try:
            return self._fetch(planned, before, start)
        except AlteredRelease as error:
            if not start:
                raise
            logger.warning("what was fetched before is fetched once more: %s", error)
        self._steps.remove(planned)
        return self._fetch(planned, before, 0)

    def _before(self, number: int) -> int:
        """Bytes of the files of the steps before that one."""
        return sum(planned.artifact.length for planned in self._context.plan.steps[:number])

    def _start(self, number: int) -> int:
        """How much of the file of a step is durable."""
        length = self._context.plan.steps[number].artifact.length
        return max(0, min(length, self._context.update.staged - self._before(number)))

    def _fetch(self, planned: StepPlan, before: int, start: int) -> None:
        artifact, read = planned.artifact, Read()
        with self._steps.opened(planned, to_write=True) as file:
            read.take_from(file, start)
            if start == artifact.length or read.count < start:
                return read.require(artifact)
            arriving = Arriving(self._context, file, before)
            try:
                for chunk in self._chunks(artifact, read.count):
                    arriving.take(chunk, read, artifact)
            except INTERRUPTIONS:
                arriving.settle(read.count)
                raise
            file.sync()
            read.require(artifact)
            return arriving.keep(read.count)

    def _chunks(self, artifact: Artifact, start: int) -> Iterable[bytes]:
        reporter = self._context.reporter
        return self._context.ports.download.stream(reporter.offer, artifact, start, reporter.renew)


class Arriving:
    """One file on its way to the disk: what is durable of it is kept in the journal, as often as checkpoints are."""

    def __init__(self, context: Context, file: BlockFile, before: int) -> None:
        """`before`: the bytes of the files before this one."""
        self._context = context
        self._file = file
        self._before = before
        self._kept_at = context.ports.ticks()

    def take(self, chunk: bytes, read: Read, artifact: Artifact) -> None:
        """Write `chunk` after what was `read` before. Raises: AlteredRelease for more than was signed; OSError."""
        place = read.count
        read.take(chunk)
        if read.count > artifact.length:
            read.require(artifact)
        self._file.write(place, chunk)
        if self._is_due(read.count):
            self.settle(read.count)
        done, whole = self._before + read.count, self._context.plan.file_bytes
        self._context.reporter.show(Phase.DOWNLOADING, 100 * done // whole)

    def settle(self, count: int) -> None:
        """Make the first `count` bytes durable, and keep that. Raises: OSError, JournalError."""
        self._file.sync()
        self.keep(count)

    def keep(self, count: int) -> None:
        """The first `count` bytes are durable. Raises: JournalError."""
        if self._context.update.staged != self._before + count:
            self._context.journal.keep(self._context.changed(staged=self._before + count, strikes=0))
        self._kept_at = self._context.ports.ticks()

    def _is_due(self, count: int) -> bool:
        limits, passed = self._context.limits, self._context.ports.ticks() - self._kept_at
        gained = self._before + count - self._context.update.staged
        return gained >= limits.checkpoint_bytes or passed >= limits.checkpoint_seconds
