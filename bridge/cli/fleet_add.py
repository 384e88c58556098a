"""`otabridge fleet add`: what Terraform made becomes a fleet of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bridge.cli.console import Output, OutputOption, show
from bridge.cli.options import ConfigOption
from bridge.cli.terraform import FILE_HELP, OutputNameOption, made_by_terraform
from bridge.config import DEFAULT_FILE, Config
from bridge.fleet_adding import Added, add_fleet
from bridge.fleet_table import Change
from bridge.tool_config import OUTPUT
from bridge.wiring import stated_facts


class FleetAdded(msgspec.Struct, frozen=True):
    """`fleet add`: `result` is added, changed or unchanged; null in `changes` is a setting that is not there."""

    fleet: str
    file: Path
    result: str
    changes: tuple[Change, ...]
    schema: int = 1


def add(
    name: Annotated[str, typer.Argument(help="What the fleet is to be called: lower-case letters, digits, dashes.")],
    *,
    from_terraform: Annotated[Path, typer.Option("--from-terraform", metavar="FILE", help=FILE_HELP)],
    terraform_output: OutputNameOption = OUTPUT,
    replace: Annotated[
        bool, typer.Option("--replace", help="Change a fleet that is there; settings that Terraform lacks stay.")
    ] = False,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Add a fleet to the configuration from what Terraform made. No cloud is asked; done again, nothing changes."""
    made = made_by_terraform(from_terraform, terraform_output)
    added = add_fleet(config, name, made.settings, lambda edited: _judge(edited, name), replace=replace)
    show(FleetAdded(name, added.file, _result(added), added.changes), _describe(added), output)


def _judge(config: Config, name: str) -> None:
    stated_facts(config, name)


def _result(added: Added) -> str:
    if added.is_new:
        return "added"
    return "changed" if added.changes else "unchanged"


def _describe(added: Added) -> str:
    lines = [f"{added.file}: fleet {added.name} {_result(added)}", *(f"  {change}" for change in added.changes)]
    return "\n".join([*lines, f"next: otabridge fleet check {added.name}"] if added.changes else lines)
