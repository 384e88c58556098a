"""A rollout as it goes, on stderr: on a terminal bytes first, then devices, one bar a stage that fits 60 columns.

What fleets refuse, and whose signature is awaited, is printed in full, once, also where no terminal is: logs of
pipelines need it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from bridge.cli.console import messages
from bridge.engine.controller import Pass
from bridge.engine.evidence import count
from bridge.wiring import Progress as Bytes

BAR_SHARE = 5
"""A bar takes one in so many columns of the terminal."""
WIDEST_BAR = 40


class RolloutProgress:
    """Bars that grow as the rollout does. Bytes have no total: which fleets lack them is not known before."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._counts: dict[str, int] = {}
        self._told: dict[str, str] = {}
        self.bytes = Bytes(self._read, self._sent)

    def watch(self, done: Pass) -> None:
        """Take over what a pass found."""
        self.tell("warning", "\n".join(f"warning: {trouble}" for trouble in done.troubles))
        if done.decision is None or done.record.progress.begun is None:
            return
        seen, plan = done.decision.evidence, done.record.plan
        task = self._task(f"stage {seen.stage} of {len(plan.stages)}")
        figures = _figures(done, seen.stage - 1, seen.devices)
        self._progress.update(task, total=max(1, seen.devices), completed=seen.ended, figures=figures)

    def tell(self, kind: str, text: str) -> None:
        """Print `text` above the bars, unless it is the last of its `kind`; "" ends it."""
        if text and text != self._told.get(kind):
            console = self._progress.console
            console.print(text, markup=False, soft_wrap=not console.is_terminal)
        self._told[kind] = text

    def _read(self, count: int) -> None:
        self._grow("verify", count)

    def _sent(self, fleet: str, count: int) -> None:
        self._grow(f"publish to {fleet}", count)

    def _grow(self, title: str, count: int) -> None:
        self._counts[title] = self._counts.get(title, 0) + count
        self._progress.update(self._task(title), figures=decimal(self._counts[title]))

    def _task(self, title: str) -> TaskID:
        if title not in self._tasks:
            self._tasks[title] = self._progress.add_task(title, total=None, figures="")
        return self._tasks[title]


def _figures(done: Pass, stage: int, devices: int) -> str:
    """`3/8 installed, 2 running, 1 failed`; failed are those that spend budget."""
    plan, progress = done.record.plan, done.record.progress
    counts = [count(plan, place, progress.at(place)) for place in plan.places(stage)]
    running, bad = sum(each.running for each in counts), sum(each.bad for each in counts)
    installed = f"{sum(each.installed for each in counts)}/{devices} installed"
    others = [f"{number} {name}" for number, name in ((running, "running"), (bad, "failed")) if number]
    return ", ".join([installed, *others])


@contextmanager
def rollout_progress() -> Iterator[RolloutProgress]:
    """Shows the bars while the block runs; only warnings where stderr is no terminal."""
    columns = (
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=min(WIDEST_BAR, messages.width // BAR_SHARE)),
        TextColumn("{task.fields[figures]}", markup=False, table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=messages, disable=not messages.is_terminal) as progress:
        yield RolloutProgress(progress)
