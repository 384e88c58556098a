"""`otabridge fleet check`: proves what the work on a fleet needs, call by call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from bridge.cli.console import Output, OutputOption, show
from bridge.cli.options import ConfigOption
from bridge.config import DEFAULT_FILE, read_config
from bridge.errors import FleetLacks, FleetUnproven
from bridge.probing import Duty, Found, Proven, prove
from bridge.wiring import fleet_probes


class ProbeView(msgspec.Struct, frozen=True):
    """One probe. `needs` and `variable` are "" unless something is missing; `variable` also where none mends it."""

    probe: str
    tried: str
    found: Found
    said: str
    needs: str
    variable: str


class FleetChecked(msgspec.Struct, frozen=True):
    """`fleet check`: the probes in the order in which they were run; how many found something missing, or nothing."""

    fleet: str
    duties: tuple[Duty, ...]
    probes: tuple[ProbeView, ...]
    missing: int
    unknown: int
    schema: int = 1


def check(
    name: Annotated[str, typer.Argument(help="A fleet of the configuration.")],
    *,
    duty: Annotated[
        list[Duty] | None, typer.Option(help="Only what this duty needs; may be repeated. Else all of them.")
    ] = None,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Prove each permission and resource that a fleet needs, against its cloud. Nothing is changed there.

    Ends with 0 when all are proven, 34 when something is missing, 35 when nothing is known to be missing and some could
    not be told.
    """
    duties = tuple(each for each in Duty if not duty or each in duty)
    proven = list(prove(fleet_probes(read_config(config), name), duties))
    checked = _view(name, duties, proven)
    show(checked, "\n".join(map(_line, checked.probes)), output)
    _raise_end(checked)


def _view(name: str, duties: tuple[Duty, ...], proven: Sequence[Proven]) -> FleetChecked:
    found = [each.finding.found for each in proven]
    return FleetChecked(
        name, duties, tuple(map(_probe, proven)), found.count(Found.MISSING), found.count(Found.UNKNOWN)
    )


def _probe(proven: Proven) -> ProbeView:
    probe, finding = proven.probe, proven.finding
    return ProbeView(probe.name, probe.tried, finding.found, finding.said, finding.needs, finding.variable)


def _line(view: ProbeView) -> str:
    head = f"{view.found:14}  {view.probe:32}  {view.tried}"
    match view.found:
        case Found.MISSING:
            return f"{head}: missing {view.needs}; {_cure(view)}"
        case Found.UNKNOWN:
            return f"{head}: {view.said}"
    return head


def _cure(view: ProbeView) -> str:
    return f"Terraform variable {view.variable}" if view.variable else view.said


def _raise_end(checked: FleetChecked) -> None:
    """Raises: FleetLacks, FleetUnproven."""
    fleet, count = checked.fleet, len(checked.probes)
    if checked.missing:
        raise FleetLacks(f"fleet {fleet}: {checked.missing} of {count} probes found something missing")
    if checked.unknown:
        raise FleetUnproven(
            f"fleet {fleet}: nothing is known to be missing, but {checked.unknown} of {count} probes could not tell"
        )
