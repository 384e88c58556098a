"""The steps of the update in hand: their files and folders, their handlers, and the slot that one of them may write."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from agent.disk import BlockFile
from agent.handling import Handler, StepError, Work
from agent.image.readback import check_image
from agent.image.slotfile import opened, opened_medium
from agent.update.context import Context
from agent.update.owed import Debts, Owed, folder_of
from agent.update.record import StepPlan
from bridge.release.artifact import Artifact
from bridge.release.errors import AlteredRelease, IncompatibleRelease

READ_BYTES = 1024 * 1024
ADVICE = MappingProxyType(
    {
        errno.ENOSPC: "; make room there",
        errno.EDQUOT: "; make room there",
        errno.EROFS: "; it was made read-only, perhaps after errors: see the kernel's log, and make it writable",
        errno.EIO: "; its medium may be failing: see the kernel's log, and replace it",
        errno.ENOENT: "; nobody but the agent should change what is there",
    }
)
"""What to do about it; other errors speak for themselves."""


def require_handlers(handlers: Mapping[str, Handler], steps: tuple[StepPlan, ...]) -> None:
    """Whether this device can do, and undo, each of `steps`. Raises: IncompatibleRelease."""
    for planned in steps:
        step = planned.step
        handler = handlers.get(step.handler)
        if handler is None:
            known = ", ".join(sorted(handlers)) or "none"
            raise IncompatibleRelease(
                f"step {step.name} needs the handler {step.handler}, which this device has not; it has: {known}"
            )
        try:
            handler.require_ready(step)
        except StepError as error:
            raise IncompatibleRelease(str(error)) from error


class Read:
    """The first bytes of a file, as far as they were seen."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.count = 0

    def take(self, data: bytes) -> None:
        """The next bytes."""
        self._hash.update(data)
        self.count += len(data)

    def take_from(self, file: BlockFile, end: int) -> None:
        """What `file` has before byte `end`. Raises: OSError."""
        while self.count < end and (data := file.read(self.count, min(READ_BYTES, end - self.count))):
            self.take(data)

    def require(self, artifact: Artifact) -> None:
        """Whether they are what was signed. Raises: AlteredRelease."""
        sha256 = self._hash.hexdigest()
        if (self.count, sha256) != (artifact.length, artifact.sha256):
            raise AlteredRelease(
                f"artifact {artifact.name} of step {artifact.step} has {self.count} bytes with sha256 {sha256}, signed "
                f"were {artifact.length} with {artifact.sha256}"
            )


class Steps:
    """Those of the update in `context`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.debts = Debts(context.ports.disk, context.folder)

    @property
    def folder(self) -> Path:
        """Where all of this release is kept."""
        return folder_of(self._context.folder, self._context.update.digest)

    def file(self, planned: StepPlan) -> Path:
        """The artifact of a step. No step has a dot in its name."""
        return self.folder / f"{planned.step.name}.file"

    def make_folders(self) -> None:
        """One for the release, and one for each of its steps. Raises: StepError."""
        folders = [self.folder / planned.step.name for planned in self._context.plan.steps]
        for path in (self._context.folder, self.folder, *folders):
            with naming(path, "cannot be made"):
                self._context.ports.disk.make_folder(path)

    @contextmanager
    def opened(self, planned: StepPlan, *, to_write: bool) -> Iterator[BlockFile]:
        """The file of a step, made where it is to be written and there is none; closed at the end.

        Raises: StepError, also for an OSError from within.
        """
        path, disk = self.file(planned), self._context.ports.disk
        with naming(path, "cannot be written" if to_write else "cannot be read"):
            file = disk.open_file(path) if to_write else disk.open_slot(path, to_write=False)
            try:
                yield file
            finally:
                file.close()

    def remove(self, planned: StepPlan) -> None:
        """There is no file of that step any more. Raises: StepError."""
        path = self.file(planned)
        with naming(path, "cannot be removed"):
            self._context.ports.disk.remove(path)

    def handler(self, planned: StepPlan) -> Handler:
        """Who does a step. Raises: StepError where this system has nobody."""
        step = planned.step
        handler = self._context.ports.handlers.get(step.handler)
        if handler is None:
            running = self._context.running
            raise StepError(f"step {step.name} needs the handler {step.handler}, which slot {running} has not")
        return handler

    def work(self, planned: StepPlan) -> Work:
        """What a handler is told of a step."""
        goal, target = self._context.plan.goal, self._context.plan.target
        return Work(
            step=planned.step,
            file=self.file(planned),
            folder=self.folder / planned.step.name,
            version=goal.version,
            sequence=goal.sequence,
            target=target if planned.is_of_slot else None,
            device=self._context.ports.boots.device(target) if planned.is_of_slot else None,
        )

    def require_file(self, planned: StepPlan) -> None:
        """Whether the file of a step is what was signed. Raises: AlteredRelease, StepError."""
        read = Read()
        with self.opened(planned, to_write=False) as file:
            read.take_from(file, planned.artifact.length + 1)
        read.require(planned.artifact)

    def owe(self) -> None:
        """Before the first step begins: whatever becomes of the journal, the steps are undone. Raises: StepError."""
        update = self._context.update
        self.debts.note(Owed(update.offer, update.digest, self._context.plan))

    def owe_nothing(self) -> None:
        """The verdict stands, or is going to: the journal alone answers for it."""
        if self._context.plan.steps:
            self.debts.forget(self._context.update.digest)

    def take_slot_back(self) -> None:
        """The target is not booted, and what runs is the default, whatever a handler has told the boot loader.

        Raises: SlotError.
        """
        boots, target = self._context.ports.boots, self._context.plan.target
        if boots.default() is target:
            boots.commit(self._context.running)
            self._context.ports.guard.release()  # where it had to be tried to get back to it
        boots.mark_unbootable(target)

    def open_slot(self) -> None:
        """A handler is going to write the target: it is not booted, is nobody else's, and whoever writes slots for the
        agent knows that it holds something else from now on. Raises: SlotError."""
        self.take_slot_back()
        ports = self._context.ports
        with opened(ports.disk, ports.boots.device(self._context.plan.target), to_write=True):
            return

    def check_slot(self) -> None:
        """Whether the target holds what was signed, as its medium gives it back. Raises: SlotError."""
        ports, plan = self._context.ports, self._context.plan
        if plan.goal.image is None:
            raise RuntimeError("a step of the slot declares its image")
        with opened_medium(ports.disk, ports.boots.device(plan.target)) as medium:
            check_image(medium, plan.goal.image, lambda _: None)


@contextmanager
def naming(path: Path, what: str) -> Iterator[None]:
    """Faults of the medium, with words for a person. Raises: StepError."""
    try:
        yield
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, "")
        raise StepError(f"{path} {what}: {error.strerror or error}{advice}") from error
