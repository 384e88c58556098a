"""The way of an artifact into a slot: fetched, applied, written; memory stays bounded whatever the image's size.

`side_by_side` does the three at once, each on its own thread: the caller's fetches, as only it may use the channel. One
more reads back what has become durable.
`in_turn` does them one after the other, so that a test knows what was done when the power goes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from agent.image.hose import Crew, Hose
from agent.image.imagewriter import ImageWriter
from agent.image.readback import Trailing
from agent.pace import StopRequested
from bridge.release.delta.apply import Applier
from bridge.release.delta.checkpoint import START, Checkpoint
from bridge.release.delta.errors import AlteredPayload
from bridge.release.errors import ChannelError, DownloadError, SlotError
from bridge.release.manifest import Artifact

FETCHED_BYTES = 512 * 1024
MADE_BYTES = 4 * 1024 * 1024
"""What may wait between two stages, unless one piece alone is larger."""
OBJECT_BYTES = 64
"""What a chunk takes beside its bytes: a server may send them one by one."""
SHOW_SECONDS = 1.0
INTERRUPTIONS = (DownloadError, ChannelError, StopRequested)
"""What was fetched before is good: it is written, and marked, before the work stops."""

Made = tuple[bytes, Checkpoint]
"""A piece of image, and a checkpoint that promises all before it."""


@dataclass(frozen=True, slots=True)
class Stages:
    """`chunks` of an artifact go through `applier` to `writer`; `show` is told the bytes of image written so far.

    `trailing` reads back what `writer` has made durable, where that is done side by side.
    """

    chunks: Iterable[bytes]
    applier: Applier
    writer: ImageWriter
    show: Callable[[int], None]
    trailing: Trailing | None = None

    def made_of(self, chunk: bytes) -> Iterator[Made]:
        """What can be made with the next `chunk`, and at last nothing with the newest checkpoint."""
        for piece in self.applier.feed(chunk):
            yield piece, self.applier.checkpoint
        yield b"", self.applier.checkpoint


Install = Callable[[Stages], None]
"""Raises what the stages raise, once all of them have stopped. What is written then is not durable yet, unless it was
interrupted: then it is, and marked."""


def in_turn(stages: Stages) -> None:
    """All on the caller's thread."""
    try:
        for chunk in stages.chunks:
            for data, checkpoint in stages.made_of(chunk):
                stages.writer.take(data, checkpoint)
            stages.show(stages.writer.offset)
    except INTERRUPTIONS:
        stages.writer.settle()
        raise
    stages.applier.finish()


def side_by_side(stages: Stages) -> None:
    """Each on its own thread."""
    _Line(stages).run()


class _Line:
    """Three stages and two hoses. An error of a later stage explains more than that of an earlier one."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._fetched: Hose[bytes] = Hose(FETCHED_BYTES, lambda chunk: len(chunk) + OBJECT_BYTES)
        self._made: Hose[Made] = Hose(MADE_BYTES, lambda made: len(made[0]))
        self._crew = Crew(self._fetched.break_off, self._made.break_off, lambda _: self._trail_no_more())

    def run(self) -> None:
        try:
            self._crew.start("apply", self._apply)
            self._crew.start("write", self._write)
            self._crew.start("trail", self._trail)
            self._fetch()
        except BaseException as error:  # noqa: BLE001 - whatever it was, the other stages end before it is raised
            self._stop(error)
            raise self._crew.error or error from None
        if self._crew.error is not None:
            raise self._crew.error

    def _fetch(self) -> None:
        for chunk in self._stages.chunks:
            self._fetched.put(chunk)
            self._show()
        self._fetched.end(whole=True)
        self._crew.join(self._show, SHOW_SECONDS)

    def _stop(self, error: BaseException) -> None:
        if isinstance(error, INTERRUPTIONS):
            self._fetched.end(whole=False)
        else:
            self._crew.break_off(error)
        self._crew.join(lambda: None, SHOW_SECONDS)

    def _apply(self) -> None:
        for chunks in self._fetched.batches():
            for made in self._stages.made_of(b"".join(chunks)):
                self._made.put(made)
        if self._fetched.is_whole:
            self._stages.applier.finish()
        self._made.end(whole=self._fetched.is_whole)

    def _write(self) -> None:
        try:
            self._take_all()
        finally:
            self._trail_no_more()

    def _take_all(self) -> None:
        try:
            for data, checkpoint in self._made:
                self._stages.writer.take(data, checkpoint)
        except INTERRUPTIONS:
            self._stages.writer.settle()
            raise
        if not self._made.is_whole:
            self._stages.writer.settle()

    def _trail(self) -> None:
        if self._stages.trailing is not None:
            with suppress(SlotError, StopRequested):  # the check at the end, or the writer, meets it as well
                self._stages.trailing.run()

    def _trail_no_more(self) -> None:
        if self._stages.trailing is not None:
            self._stages.trailing.stop()

    def _show(self) -> None:
        self._stages.show(self._stages.writer.offset)


def as_signed(chunks: Iterable[bytes], artifact: Artifact, start: Checkpoint) -> Iterator[bytes]:
    """`chunks`, the bytes of `artifact` from `start` on, held against its signed length, and from its first byte on
    against its sha256. After a restart in the middle that cannot be; the image's own sha256 decides in both cases.

    Raises: AlteredPayload.
    """
    seen, count = hashlib.sha256(), start.payload
    for chunk in chunks:
        count += len(chunk)
        if count > artifact.length:
            raise AlteredPayload(f"artifact {artifact.name} is longer than the {artifact.length} bytes signed")
        seen.update(chunk)
        yield chunk
    if count != artifact.length:
        raise AlteredPayload(f"artifact {artifact.name} has {count} bytes, signed were {artifact.length}")
    if start == START and seen.hexdigest() != artifact.sha256:
        raise AlteredPayload(
            f"artifact {artifact.name} has sha256 {seen.hexdigest()}, signed was {artifact.sha256}: "
            "another file lies there; publish the release again"
        )
