"""Progress of work in several phases: a bar for each, on stderr, only on a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from bridge.cli.console import messages


class Phases:
    """A `bridge.delta.progress.Progress` that draws, and keeps what was noted for the result to tell."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self.notes: list[str] = []
        self.began: dict[str, float] = {}
        """When each phase began, in seconds of the monotonic clock."""

    def begin(self, phase: str, total: int) -> None:
        """A bar for `phase`; the one before it is full."""
        self._end()
        self.began[phase] = time.monotonic()
        self._task = self._bars.add_task(phase, total=total)

    def advance(self, count: int) -> None:
        """`count` more units of the phase are done."""
        if self._task is not None:
            self._bars.advance(self._task, count)

    def note(self, text: str) -> None:
        """A sentence for the result."""
        self.notes.append(text)

    def _end(self) -> None:
        if self._task is not None:
            self._bars.update(self._task, completed=self._bars.tasks[-1].total)


@contextmanager
def phases() -> Iterator[Phases]:
    """Bars while the block runs."""
    left = TimeRemainingColumn(compact=True, elapsed_when_finished=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), left)
    with Progress(*columns, console=messages, disable=not messages.is_terminal) as bars:
        yield Phases(bars)
