"""Second half of the maker: all groups compared, by as many workers as there are, each result kept when it is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import closing
from dataclasses import dataclass

from bridge.delta.comparing import Compared, compare
from bridge.delta.differencer import Differencer
from bridge.delta.groups import Group
from bridge.delta.moves import Images
from bridge.delta.pieces import Extents, Pieces, joined
from bridge.delta.progress import Cancelled, Progress, require_wanted
from bridge.delta.work import Work, key_of

Task = tuple[Group, tuple[Extents, ...]]


@dataclass(frozen=True, slots=True)
class Workshop:
    """What comparing takes: the images, children, threads (`ahead` tasks wait for them), and where results are kept,
    under keys that `identity` of images and effort goes into; at which `stretches` groups are compared; who looks on.
    """

    images: Images
    differencer: Differencer
    executor: Executor
    ahead: int
    work: Work
    identity: bytes
    stretches: tuple[int, ...]
    progress: Progress
    cancelled: Cancelled

    def compare_all(self, tasks: Sequence[Task]) -> Compared:
        """The pieces of all groups, in order.

        Raises: MakingCancelled; UsageError where an image cannot be read or a result not kept.
        """
        self.progress.begin("difference", sum(group.extents.total for group, _ in tasks))
        pieces: list[Pieces] = []
        gave_up = 0
        with closing(self._results(tasks)) as results:
            for task, found in zip(tasks, results, strict=True):
                require_wanted(self.cancelled)
                pieces.append(found.pieces)
                gave_up += found.gave_up
                self.progress.advance(task[0].extents.total)
        return Compared(joined(pieces), gave_up)

    def _results(self, tasks: Sequence[Task]) -> Generator[Compared, None, None]:
        waiting: deque[Future[Compared]] = deque()
        try:
            for task in tasks:
                waiting.append(self.executor.submit(self._compare, task))
                if len(waiting) >= self.ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            self._abandon(waiting)

    def _abandon(self, waiting: Iterable[Future[Compared]]) -> None:
        """Whatever ended the work early: when this returns, nothing of it still runs, or reads the images."""
        if running := [future for future in waiting if not future.cancel()]:
            self.differencer.close()
            wait(running)

    def _compare(self, task: Task) -> Compared:
        group, windows = task
        columns = [values for extents in (group.extents, *windows) for values in (extents.start, extents.end)]
        key = key_of(self.identity, columns)
        kept = self.work.load(key)
        if kept is not None:
            return Compared(kept)
        found = compare(group.extents, windows, self.images, self.differencer, self.stretches)
        if not found.gave_up:
            self.work.save(key, found.pieces)
        return found
