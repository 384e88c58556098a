"""`otabridge rollout watch`: a rollout as it goes, by what its controllers write into the store. No cloud is asked."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec
import typer
from rich.console import Console, RenderableType
from rich.live import Live

from bridge.cli.console import Output, OutputOption
from bridge.cli.options import ConfigOption, RolloutName
from bridge.cli.rollout_end import end_of
from bridge.cli.times import second
from bridge.cli.watch_view import live_view
from bridge.config import DEFAULT_FILE, read_config
from bridge.engine.record import Record
from bridge.engine.status import RolloutStatus, describe
from bridge.ledger import Link
from bridge.store.store import Store
from bridge.wiring import open_store

INTERRUPTED = 130
NEWEST = 5
"""Entries of the ledger that are shown."""

results = Console(highlight=False)
"""stdout: what is watched is the result."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The rollout at one moment, with its newest entries of the ledger."""

    record: Record
    status: RolloutStatus
    links: tuple[Link, ...]
    now: datetime


class Watcher:
    """Looks at one rollout again and again; reads no more of the store than is new."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._links: deque[Link] = deque(maxlen=NEWEST)
        self._read: int | None = None

    def look(self) -> Seen:
        """As it is now. Raises: UsageError, StoreError."""
        record = self._store.load(self._name)
        for link in self._store.links(self._read):
            self._read = link.number
            if link.entry.rollout == self._name:
                self._links.append(link)
        return Seen(record, describe(record), tuple(self._links), self._store.now())


def watch(
    name: RolloutName,
    *,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks at the store.")] = 2.0,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Watch a rollout until it ends, with the exit codes of apply. Ctrl-C ends the watching and nothing else.

    A live view on a terminal; else, and as JSON, one line for each change.
    """
    watcher = Watcher(open_store(read_config(config)), name)
    show = _live if results.is_terminal and output is Output.TEXT else _lines(output)
    try:
        last = show(_looks(watcher, interval))
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    end = end_of(last.record)
    if end is not None:
        raise end


def _looks(watcher: Watcher, interval: float) -> Iterator[Seen]:
    """Until the rollout has ended."""
    while True:
        seen = watcher.look()
        yield seen
        if seen.record.state.is_final:
            return
        time.sleep(interval)


def _live(looks: Iterator[Seen]) -> Seen:
    """A view that is drawn anew with each look."""
    seen = next(looks)
    with Live(console=results, auto_refresh=False, vertical_overflow="visible") as live:
        live.update(_drawn(seen), refresh=True)
        for seen in looks:
            live.update(_drawn(seen), refresh=True)
    return seen


def _drawn(seen: Seen) -> RenderableType:
    return live_view(seen.status, seen.links, seen.now, results.width)


def _lines(output: Output) -> Callable[[Iterator[Seen]], Seen]:
    """A line for each look at which something is otherwise than before; when it was looked at is nothing else."""
    line, content = (_document, _undated) if output is Output.JSON else (_sentence, _words)

    def show(looks: Iterator[Seen]) -> Seen:
        told: object = None
        for seen in looks:
            if content(seen.status) != told:
                typer.echo(line(seen.status))
            told = content(seen.status)
        return seen

    return show


def _undated(status: RolloutStatus) -> RolloutStatus:
    return msgspec.structs.replace(status, updated=status.created)


def _document(status: RolloutStatus) -> str:
    return msgspec.json.encode(status).decode()


def _words(status: RolloutStatus) -> str:
    waiting = f" ({status.waiting})" if status.waiting else ""
    return f"{status.state}{waiting}, stage {status.stage} of {len(status.stages)}: {status.reason}"


def _sentence(status: RolloutStatus) -> str:
    return f"{second(status.updated)}  {_words(status)}"
