"""`otabridge rollout new`: a commented rollout file to begin with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bridge.cli.console import Output, OutputOption, show
from bridge.cli.options import ConfigOption
from bridge.config import DEFAULT_FILE, read_config
from bridge.errors import UsageError
from bridge.files import replace_file
from bridge.rollout.schema import SCHEMA_FILE, rollout_schema
from bridge.rollout.template import rollout_template

LONGEST_NAME = 40


class NewFile(msgspec.Struct, frozen=True):
    """`rollout new`: the files written; `schema_file` is None without --schema."""

    file: str
    schema_file: str | None
    schema: int = 1


def new(
    file: Annotated[Path, typer.Argument(help="The file to write, such as rollout.yaml; it must not exist.")],
    *,
    name: Annotated[str | None, typer.Option(help="The rollout's name; else after the file.")] = None,
    release: Annotated[str, typer.Option(help="Folder of the release, relative to the file.")] = "releases/1.0.0",
    fleet: Annotated[
        list[str] | None, typer.Option(help="Fleet; may be repeated; else all of the configuration.")
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help=f"Write {SCHEMA_FILE} beside it, so that editors complete the file.")
    ] = False,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write a rollout file with every field, its meaning and its default; nothing is ever overwritten."""
    fleets = tuple(fleet or sorted(read_config(config).fleets))
    text = rollout_template(name or _named_after(file), release, fleets, SCHEMA_FILE if schema else None)
    beside = _write_schema(file) if schema and not file.exists() else None
    _write(file, text)
    lines = [f"written  {path}" for path in (file, beside) if path]
    next_step = f"next     edit it, then `otabridge rollout plan {file}`"
    show(NewFile(str(file), str(beside) if beside else None), "\n".join([*lines, next_step]), output)


def _named_after(file: Path) -> str:
    """A name that a rollout can have, made of the file's."""
    name = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")
    return name[:LONGEST_NAME] or "rollout"


def _write_schema(file: Path) -> Path:
    """The schema is made by this otabridge, whatever one before it wrote."""
    document = msgspec.json.format(msgspec.json.encode(rollout_schema()))
    return replace_file(file.with_name(SCHEMA_FILE), document + b"\n")


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as new_file:
            new_file.write(text)
    except FileExistsError as error:
        raise UsageError(f"{file} exists, and is not overwritten: name another file") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
