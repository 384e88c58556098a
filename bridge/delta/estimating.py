"""Tells beforehand, roughly, how long a delta will be: everything matched, but only some groups compared."""

from __future__ import annotations

import lzma
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from bridge.delta.basis import Basis, basis_of
from bridge.delta.comparing import compare
from bridge.delta.comparison import Task
from bridge.delta.contents.finding import find_contents
from bridge.delta.differencer import Differencer, children
from bridge.delta.effort import TRIALS, Effort
from bridge.delta.emission import steps_of
from bridge.delta.image_file import open_image
from bridge.delta.layout import Layout, lay_out, survey_both
from bridge.delta.moves import Images
from bridge.delta.pieces import Pieces
from bridge.delta.progress import Cancelled, Progress, Silence, never, require_wanted
from bridge.delta.steps import Add, Literal, Step
from bridge.delta.threads import threads_of

SAMPLES = 12
"""Groups that are compared, evenly spread."""
OVERHEAD = 150
"""Bytes of heads."""
PIECE_BYTES = 4
"""Of one piece in the control stream, about."""
SPREAD = 0.25
"""Estimate and payload differ by up to so much even where all groups were compared: streams are coded apart here."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The payload will have about `length` bytes, and probably `low` to `high`.

    Bytes of the new image (or of what it holds, unpacked): `known` are zero, identical or moved, `compared` of
    `different` were looked at.
    """

    length: int
    low: int
    high: int
    known: int
    different: int
    compared: int


def estimate(
    old: Path,
    new: Path,
    progress: Progress | None = None,
    *,
    workers: int,
    executor: Executor | None = None,
    cancelled: Cancelled = never,
) -> Estimate:
    """How long a delta from the image `old` to `new` will be. The same images always give the same estimate. `progress`
    is told how the images could be built to give smaller deltas.

    Raises: UsageError, MakingCancelled as `bridge.delta.making.make_delta`.
    """
    progress = progress or Silence()
    with (
        open_image(old) as old_image,
        open_image(new) as new_image,
        threads_of(executor, workers) as threads,
        children() as differencer,
        tempfile.TemporaryDirectory(prefix="otabridge-estimate-") as folder,
    ):
        images = Images(old_image, new_image)
        progress.begin("read", old_image.length + new_image.length)
        contents = find_contents(old_image, new_image, threads, progress)
        for note in contents.notes:
            progress.note(note)
        with basis_of(images, contents, Path(folder), threads) as basis:
            return _Estimator(basis, threads, differencer, progress, cancelled).run()


class _Estimator:
    def __init__(
        self, basis: Basis, threads: Executor, differencer: Differencer, progress: Progress, cancelled: Cancelled
    ) -> None:
        self._basis = basis
        self._threads = threads
        self._differencer = differencer
        self._progress = progress
        self._cancelled = cancelled

    def run(self) -> Estimate:
        images, cancelled = self._basis.images, self._cancelled
        surveys = survey_both(images, None, cancelled)
        layout = lay_out(images, surveys, TRIALS[Effort.FAST], self._progress, cancelled)
        chosen = sampled(layout.groups)
        self._progress.begin("difference", len(chosen))
        sizes = []
        for size in self._threads.map(self._size, chosen):
            require_wanted(cancelled)
            sizes.append(size)
            self._progress.advance(1)
        compared = [group.extents.total for group, _ in chosen]
        return extrapolated(layout, sizes, compared)

    def _size(self, task: Task) -> int:
        group, windows = task
        pieces = compare(group.extents, windows, self._basis.images, self._differencer).pieces
        return coded_size(pieces, steps_of(pieces, self._basis.images))


def sampled(groups: Sequence[Task]) -> list[Task]:
    """All of a few groups; of many, `SAMPLES` that are evenly spread."""
    if len(groups) <= SAMPLES:
        return list(groups)
    return [groups[(2 * nth + 1) * len(groups) // (2 * SAMPLES)] for nth in range(SAMPLES)]


def coded_size(pieces: Pieces, steps: Iterable[Step]) -> int:
    """About what `pieces` take in a payload."""
    diff, extra = bytearray(), bytearray()
    for step in steps:
        if isinstance(step, Add):
            diff += step.diff
        elif isinstance(step, Literal):
            extra += step.data
    return len(pieces) * PIECE_BYTES + sum(len(lzma.compress(part)) for part in (diff, extra) if part)


def extrapolated(layout: Layout, sizes: Sequence[int], compared: Sequence[int]) -> Estimate:
    """From what samples of so many bytes take to what all take; the more samples differ, the less certain."""
    fixed = OVERHEAD + len(layout.known) * PIECE_BYTES
    different, seen = sum(group.extents.total for group, _ in layout.groups), sum(compared)
    shares = [size / length for size, length in zip(sizes, compared, strict=True)]
    share = sum(sizes) / seen if seen else 0.0
    doubt = statistics.stdev(shares) / len(shares) ** 0.5 * 2 if different > seen and len(shares) > 1 else 0.0
    length = fixed + share * different
    low = fixed + max(0.0, share - doubt) * different
    high = fixed + (share + doubt) * different
    return Estimate(int(length), int(low * (1 - SPREAD)), int(high * (1 + SPREAD)), layout.known.total, different, seen)
