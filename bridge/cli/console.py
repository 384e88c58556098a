"""What every command shares: results to stdout as text or JSON, progress to stderr and only on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import PurePath
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

messages = Console(stderr=True, highlight=False)
"""For people: progress, warnings. Results never go here."""


class Output(StrEnum):
    """How a command prints its result."""

    TEXT = "text"
    JSON = "json"


OutputOption = Annotated[
    Output, typer.Option("--output", "-o", envvar="OTABRIDGE_OUTPUT", help="text for people, json for programs.")
]


def show(result: object, text: str, output: Output) -> None:
    """Print `result` (anything msgspec encodes: structs, dataclasses, builtins; and paths) as JSON, or `text`."""
    typer.echo(_as_json(result) if output is Output.JSON else text)


def _as_json(result: object) -> str:
    return msgspec.json.format(msgspec.json.encode(result, enc_hook=_plain)).decode()


def _plain(value: object) -> str:
    if isinstance(value, PurePath):
        return str(value)
    raise NotImplementedError


@contextmanager
def transfer(title: str, total: int) -> Iterator[Progress]:
    """A progress bar of bytes with one task; silent where stderr is no terminal. `total` in bytes."""
    left = TimeRemainingColumn(compact=True, elapsed_when_finished=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), left)
    with Progress(*columns, console=messages, disable=not messages.is_terminal) as progress:
        progress.add_task(title, total=total)
        yield progress
