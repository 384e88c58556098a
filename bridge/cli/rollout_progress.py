"""A rollout as it goes, on stderr and only on a terminal: bytes first, then devices, one bar a stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from bridge.cli.console import messages
from bridge.controller import Pass
from bridge.wiring import Progress as Bytes


class RolloutProgress:
    """Bars that grow as the rollout does. Bytes have no total: which fleets lack them is not known before."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self.bytes = Bytes(self._read, self._sent)

    def watch(self, done: Pass) -> None:
        """Take over what a pass found."""
        if done.decision is None:
            return
        seen, plan = done.decision.evidence, done.record.plan
        task = self._task(f"stage {seen.stage} of {len(plan.stages)}")
        note = escape("; ".join([done.decision.reason, *map(str, done.troubles)]))
        self._progress.update(task, total=seen.devices, completed=seen.ended, note=note)

    def _read(self, count: int) -> None:
        self._progress.advance(self._task("verify"), count)

    def _sent(self, fleet: str, count: int) -> None:
        self._progress.advance(self._task(f"publish to {fleet}"), count)

    def _task(self, title: str) -> TaskID:
        if title not in self._tasks:
            self._tasks[title] = self._progress.add_task(title, total=None, note="")
        return self._tasks[title]


@contextmanager
def rollout_progress() -> Iterator[RolloutProgress]:
    """Shows the bars while the block runs; silent where stderr is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=messages, disable=not messages.is_terminal) as progress:
        yield RolloutProgress(progress)
