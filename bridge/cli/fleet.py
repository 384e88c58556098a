"""`otabridge fleet`: what the configuration and the clouds say about fleets."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from bridge.cli.console import Output, OutputOption, show
from bridge.cli.options import ConfigOption
from bridge.config import DEFAULT_FILE, read_config
from bridge.wiring import fleet_opener

app = typer.Typer(help="Fleets: one account and region, or one hub, each.", no_args_is_help=True)


class FleetRow(msgspec.Struct, frozen=True):
    """One fleet of the configuration."""

    name: str
    cloud: str


class FleetList(msgspec.Struct, frozen=True):
    """`fleet list`."""

    fleets: tuple[FleetRow, ...]
    schema: int = 1


class DeviceList(msgspec.Struct, frozen=True):
    """`fleet devices`: ids in order."""

    fleet: str
    devices: tuple[str, ...]
    schema: int = 1


@app.command(name="list")
def list_(*, config: ConfigOption = DEFAULT_FILE, output: OutputOption = Output.TEXT) -> None:
    """List the fleets of the configuration; no cloud is asked."""
    fleets = read_config(config).fleets
    rows = tuple(FleetRow(name, fleets[name].cloud) for name in sorted(fleets))
    text = "\n".join(f"{row.name}  {row.cloud}" for row in rows) or f"{config}: no fleet is configured"
    show(FleetList(rows), text, output)


@app.command()
def devices(
    name: Annotated[str, typer.Argument(help="A fleet of the configuration.")],
    *,
    group: Annotated[str | None, typer.Option(help="Only devices of this group of the cloud.")] = None,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """List the devices of a fleet, as its cloud knows them now."""
    found = DeviceList(name, tuple(sorted(fleet_opener(read_config(config))(name).devices(group))))
    show(
        found, "\n".join(found.devices) or f"fleet {name} has no device{f' in group {group}' if group else ''}", output
    )
