"""What Terraform printed, as commands take it: a file or stdin, and the name of the output."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from bridge.config import DEFAULT_FILE
from bridge.files import read_bounded
from bridge.tool_config import MAX_BYTES, OUTPUT, ToolConfig, parse_tool_config

STDIN = Path("-")
FILE_HELP = "What `terraform output -json`, or `terraform output -json tool_config`, printed; - is stdin."
OutputNameOption = Annotated[str, typer.Option(help="The output to take, where it has another name.")]


def made_by_terraform(file: Path, output: str) -> ToolConfig:
    """The `tool_config` in `file`, or on stdin. Raises: UsageError, naming where it came from and what to do."""
    return parse_tool_config(_read(file), source_of(file), output)


def source_of(file: Path) -> str:
    """What messages call it."""
    return "stdin" if file == STDIN else str(file)


def add_again(name: str, config: Path, file: Path, output: str) -> str:
    """The command that gives the fleet `name` the settings that Terraform tells now."""
    named = () if output == OUTPUT else ("--terraform-output", output)
    where = () if config == DEFAULT_FILE else ("--config", str(config))
    words = ("otabridge", "fleet", "add", name, "--from-terraform", str(file), *named, "--replace", *where)
    return shlex.join(words)


def _read(file: Path) -> bytes:
    if file == STDIN:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    return read_bounded(file, MAX_BYTES, "Terraform's output")
