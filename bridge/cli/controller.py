"""`otabridge controller`: looks after all rollouts of the store, as one of any number that do."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from typing import Annotated

import msgspec
import typer

from bridge.cli.console import Output, OutputOption
from bridge.cli.interruption import Ending
from bridge.cli.options import ConfigOption
from bridge.cli.times import second
from bridge.config import DEFAULT_FILE, Config, read_config
from bridge.engine.record import Record
from bridge.engine.rounds import Rounds, Turn, delay_after, is_lost
from bridge.errors import StoreError, UsageError
from bridge.rollout.duration import span
from bridge.wiring import open_rounds, utc_now

SHORTEST, LONGEST = 1, 3600
"""Seconds between two rounds."""
_EVERY = re.compile(r"[0-9]{1,5}[smh]|[0-9]{1,3}m[0-9]{1,2}s")

app = typer.Typer(help="Controllers: look after all rollouts, any number of them at once.", no_args_is_help=True)


class TurnView(msgspec.Struct, frozen=True):
    """One line of `controller`: a rollout that changed, or with which something is wrong. `state`, `stage`, `stages`
    and `waiting` are empty where it could not be looked at.
    """

    time: datetime
    rollout: str
    state: str
    stage: int
    stages: int
    waiting: str
    reason: str
    problems: tuple[str, ...]
    schema: int = 1


class Reporter:
    """Prints what changed since the last round: results to stdout, problems to stderr."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._told: dict[str, tuple[object, ...]] = {}

    def take(self, turn: Turn) -> None:
        """One turn; of a rollout that another process holds there is nothing to tell."""
        if turn.done is None and turn.error is None:
            return
        view = _view(turn)
        seen = (view.state, view.stage, view.waiting, view.problems)
        if self._told.get(turn.name) != seen:
            self._print(view)
        self._told[turn.name] = seen

    def lost(self, error: StoreError) -> None:
        """The store is away."""
        self._complain(str(error))

    def _print(self, view: TurnView) -> None:
        if self._output is Output.JSON:
            typer.echo(msgspec.json.encode(view).decode())
        elif view.state:
            waiting = f" ({view.waiting})" if view.waiting else ""
            where = f"{view.state}{waiting}, stage {view.stage} of {view.stages}"
            typer.echo(f"{second(view.time)}  {view.rollout}  {where}: {view.reason}")
        for problem in view.problems:
            self._complain(f"rollout {view.rollout}: {problem}")

    def _complain(self, text: str) -> None:
        sys.stdout.flush()
        typer.echo(f"otabridge: {text}", err=True)


def _view(turn: Turn) -> TurnView:
    if turn.done is None:
        return TurnView(utc_now(), turn.name, "", 0, 0, "", str(turn.error), turn.problems)
    record: Record = turn.done.record
    progress, stages = record.progress, len(record.plan.stages)
    return TurnView(
        utc_now(), turn.name, progress.state, progress.stage + 1, stages, progress.waiting, record.reason, turn.problems
    )


@app.command()
def run(
    *,
    every: Annotated[str, typer.Option(help="How long to rest between rounds: 30s, 5m.")] = "30s",
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make rounds over all rollouts until SIGTERM or Ctrl-C; the act that is under way then is done first.

    Any number of them may run: each rollout is looked after by one at a time. A store that is away is waited for.
    """
    seconds, settings, ending = _seconds(every), read_config(config), Ending()
    with ending.listening():
        _run(settings, ending, Reporter(output), seconds)


def _run(config: Config, ending: Ending, reporter: Reporter, seconds: float) -> None:
    rounds, failures = None, 0
    while not ending.is_asked():
        try:
            rounds = rounds or open_rounds(config, ending.is_asked)
            lost = is_lost(_round(rounds, reporter))
        except StoreError as error:
            reporter.lost(error)
            lost = True
        failures = failures + 1 if lost else 0
        ending.sleep(delay_after(failures) if failures else seconds)


@app.command()
def once(*, config: ConfigOption = DEFAULT_FILE, output: OutputOption = Output.TEXT) -> None:
    """Make one round over all rollouts, for cron and functions. Ends with 0 when each could be looked after."""
    ending, settings = Ending(), read_config(config)
    with ending.listening():
        turns = _once(settings, ending, Reporter(output))
    if any(turn.error is not None for turn in turns):
        raise typer.Exit(1)


def _once(config: Config, ending: Ending, reporter: Reporter) -> list[Turn]:
    return _round(open_rounds(config, ending.is_asked), reporter)


def _round(rounds: Rounds, reporter: Reporter) -> list[Turn]:
    turns = []
    for turn in rounds.make():
        reporter.take(turn)
        turns.append(turn)
    return turns


def _seconds(every: str) -> float:
    seconds = span(every).total_seconds() if _EVERY.fullmatch(every) else 0
    if not SHORTEST <= seconds <= LONGEST:
        raise UsageError(f"--every {every}: write a time from 1s to 1h, such as 30s or 5m")
    return seconds
