"""`otabridge fleet`: what the configuration and the clouds say about fleets."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from bridge.cli import fleet_add, fleet_check
from bridge.cli.console import Output, OutputOption, show
from bridge.cli.options import ConfigOption
from bridge.config import DEFAULT_FILE, read_config
from bridge.rollout.model import FleetPart
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


class DeviceRow(msgspec.Struct, frozen=True, order=True):
    """One device; `model` is its hardware model, "" where the cloud does not know it."""

    id: str
    model: str


class DeviceList(msgspec.Struct, frozen=True):
    """`fleet devices`: in order of their ids."""

    fleet: str
    devices: tuple[DeviceRow, ...]
    schema: int = 2


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
    query: Annotated[
        str | None, typer.Option(help="Only devices that meet this condition in the cloud's own query language.")
    ] = None,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """List the devices of a fleet with their hardware models, as its cloud knows them now."""
    fleet = fleet_opener(read_config(config))(name)
    rows = sorted(DeviceRow(device.id, device.model) for device in fleet.devices(FleetPart(name, group, query)))
    text = "\n".join(f"{row.id}  {row.model}".rstrip() for row in rows)
    chosen = f" with {_chosen(group, query)}" if group or query else ""
    show(DeviceList(name, tuple(rows)), text or f"fleet {name} has no device{chosen}", output)


app.command(name="add")(fleet_add.add)
app.command(name="check")(fleet_check.check)


def _chosen(group: str | None, query: str | None) -> str:
    return " and ".join(f"{option} {value!r}" for option, value in (("--group", group), ("--query", query)) if value)
