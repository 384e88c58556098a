"""Makes a delta: two images in, the smallest payload that turns the old one into the new one out.

survey → lay out → compare groups in children → steps → spans, proved → frames, coded → the payload

The same images at the same effort give the same bytes, however many workers there are and in whatever order they end.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import BinaryIO

from bridge.delta.basis import Basis, basis_of
from bridge.delta.candidates import Candidate, candidates_of
from bridge.delta.comparison import Workshop
from bridge.delta.container import Pair, Task, WrongSteps, prove, write_payload
from bridge.delta.contents.finding import find_contents
from bridge.delta.cutting import PlainSpan, cut_spans
from bridge.delta.differencer import DEFAULT_BOUNDS, Bounds, Differencer, children
from bridge.delta.effort import TRIALS, Effort
from bridge.delta.emission import steps_of
from bridge.delta.fitting import Fitting, coding_for, limits_for
from bridge.delta.image_file import open_image
from bridge.delta.layout import Surveys, survey_both
from bridge.delta.moves import Images
from bridge.delta.progress import Cancelled, Progress, Silence, never, require_wanted
from bridge.delta.threads import threads_of
from bridge.delta.work import Work
from bridge.errors import UsageError
from bridge.large_files import whole_or_nothing
from bridge.release.delta.header import Header
from bridge.release.delta.memory import DEVICE_MEMORY
from bridge.release.delta.operations import Kind
from bridge.release.image import Image

WORKERS = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Making:
    """How to make a delta.

    `workers` threads, unless an executor is handed over; `memory` bytes that devices grant; `work`: the folder for
    what is finished, beside the payload if None; `bounds` of the child processes.
    """

    effort: Effort = Effort.DEFAULT
    workers: int = WORKERS
    memory: int = DEVICE_MEMORY
    work: Path | None = None
    bounds: Bounds = DEFAULT_BOUNDS


@dataclass(frozen=True, slots=True)
class Made:
    """A payload of `length` bytes from the image `old` to `new`, which takes `memory` bytes to apply.

    `counts`: bytes of the new image by the operation that makes them; `gave_up`: comparisons that killed their child,
    whose bytes may have been sent as new ones.
    """

    length: int
    sha256: str
    old: Image
    new: Image
    memory: int
    frames: int
    spans: int
    counts: dict[Kind, int]
    notes: tuple[str, ...] = ()
    gave_up: int = 0


def make_delta(
    old: Path,
    new: Path,
    target: Path,
    making: Making | None = None,
    progress: Progress | None = None,
    *,
    executor: Executor | None = None,
    cancelled: Cancelled = never,
) -> Made:
    """Write to `target` the payload that turns the image `old` into `new`; each a file or a block device.

    `target` appears whole or not at all. Finished work is kept until it does, and used by the next call. Neither image
    may change meanwhile.

    Raises:
        UsageError: an image is missing, empty, too large, or changed; or there is no room for payload or work.
        MakingCancelled: `cancelled` said so.
    """
    making = making or Making()
    limits_for(making.memory)
    with (
        open_image(old) as old_image,
        open_image(new) as new_image,
        threads_of(executor, making.workers) as threads,
        children(making.bounds) as differencer,
    ):
        images = Images(old_image, new_image)
        maker = _Maker(images, making, _Tools(threads, differencer, progress or Silence(), cancelled))
        work = Work(making.work or target.with_name(target.name + ".work"))
        with whole_or_nothing(target, "delta") as output:
            made = maker.make(work, output)
        work.clear()
        return made


@dataclass(frozen=True, slots=True)
class _Tools:
    executor: Executor
    differencer: Differencer
    progress: Progress
    cancelled: Cancelled

    def advance(self, count: int) -> None:
        """Progress of the phase, unless nobody wants it any more. Raises: MakingCancelled."""
        self.progress.advance(count)
        require_wanted(self.cancelled)


class _Maker:
    def __init__(self, images: Images, making: Making, tools: _Tools) -> None:
        self._images = images
        self._making = making
        self._tools = tools
        self._trial = TRIALS[making.effort]
        self._limits = limits_for(making.memory)

    def make(self, work: Work, output: BufferedRandom) -> Made:
        images, progress = self._images, self._tools.progress
        progress.begin("read", 2 * (images.old.length + images.new.length))
        surveys = survey_both(images, progress.advance, self._tools.cancelled)
        contents = find_contents(images.old, images.new, self._tools.executor, self._tools, most=self._limits.raw)
        for note in contents.notes:
            progress.note(note)
        task = Task(surveys.new.image, surveys.old.image, contents.packings)
        with basis_of(images, contents, work.folder, self._tools.executor) as basis:
            if basis.views:
                surveys = survey_both(basis.images, None, self._tools.cancelled)
            candidates, gave_up = self._candidates(basis, surveys, work)
            written = self._smallest(candidates, task, basis, output)
        return _made(task, written, output, contents.notes, gave_up)

    def _candidates(self, basis: Basis, surveys: Surveys, work: Work) -> tuple[list[Candidate], int]:
        identity = f"{surveys.old.image.sha256} {surveys.new.image.sha256} {self._making.effort}".encode()
        tools = self._tools
        ahead = self._making.workers * 2
        shop = Workshop(
            basis.images,
            tools.differencer,
            tools.executor,
            ahead,
            work,
            identity,
            self._trial.stretches,
            tools.progress,
            tools.cancelled,
        )
        return candidates_of(surveys, self._trial, shop, self._images.old)

    def _smallest(self, candidates: list[Candidate], task: Task, basis: Basis, output: BinaryIO) -> _Written:
        """Writes the smallest of `candidates`, the first of equals."""
        self._tools.progress.begin("code", self._images.new.length * len(candidates))
        if len(candidates) == 1:
            return self._write(candidates[0], task, basis, output)
        best: tuple[io.BytesIO, _Written] | None = None
        for candidate in candidates:
            draft = io.BytesIO()
            written = self._write(candidate, task, basis, draft)
            if best is None or draft.tell() < best[0].tell():
                best = draft, written
        if best is None:
            raise RuntimeError("there is always a candidate")
        best[0].seek(0)
        shutil.copyfileobj(best[0], output)
        return best[1]

    def _write(self, candidate: Candidate, task: Task, basis: Basis, output: BinaryIO) -> _Written:
        limits = candidate.limits(self._limits)
        steps = basis.fold(steps_of(candidate.pieces, basis.images), limits)
        spans = cut_spans(steps, limits, self._images.old.length)
        count = _Count(self._tools)
        proved = count.all(prove(spans, task, Pair(self._images.new, self._images.old)))
        fitting = Fitting(
            limits,
            self._making.memory,
            coding_for(self._making.memory, self._trial.coding),
            candidate.prefix,
            self._tools.executor.map,
        )
        try:
            header = write_payload(output, task, fitting.frames(proved))
        except WrongSteps as error:
            raise self._changed() from error
        self._images.old.require_unchanged()
        self._images.new.require_unchanged()
        return _Written(header, count.spans, dict(count.bytes))

    def _changed(self) -> UsageError | RuntimeError:
        self._images.old.require_unchanged()
        self._images.new.require_unchanged()
        return RuntimeError("the maker's steps do not make the new image: a fault of this program, please report it")


@dataclass(frozen=True, slots=True)
class _Written:
    header: Header
    spans: int
    counts: dict[Kind, int]


def _made(task: Task, written: _Written, output: BufferedRandom, notes: tuple[str, ...], gave_up: int) -> Made:
    length, sha256 = _measured(output)
    terms = written.header.terms
    if task.old is None:
        raise RuntimeError("a delta starts from an image")
    return Made(
        length,
        sha256,
        task.old,
        task.new,
        terms.memory,
        terms.frames,
        written.spans,
        written.counts,
        notes,
        gave_up,
    )


class _Count:
    """What passes on its way into the payload."""

    def __init__(self, tools: _Tools) -> None:
        self._tools = tools
        self.spans = 0
        self.bytes: Counter[Kind] = Counter()

    def all(self, spans: Iterable[PlainSpan]) -> Iterator[PlainSpan]:
        """`spans` as they are."""
        for plain in spans:
            self.spans += 1
            for item in plain.span.operations:
                self.bytes[Kind(item.kind)] += item.length
            self._tools.advance(plain.span.target)
            yield plain


def _measured(output: BufferedRandom) -> tuple[int, str]:
    """Length and sha256 of what was written."""
    output.flush()
    output.seek(0)
    sha256 = hashlib.file_digest(output, "sha256").hexdigest()
    return output.tell(), sha256
