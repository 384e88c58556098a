"""`otabridge fleet check`: proves what the work on a fleet needs, call by call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bridge.cli.console import Output, OutputOption, show
from bridge.cli.layout import fitted
from bridge.cli.options import ConfigOption
from bridge.cli.terraform import FILE_HELP, STDIN, OutputNameOption, add_again, made_by_terraform, source_of
from bridge.config import DEFAULT_FILE, Config, read_config
from bridge.errors import FleetLacks, FleetUnproven, UsageError
from bridge.made_settings import Origin, compared
from bridge.probing import ROLLOUTS, SIGNING, Duty, Found, Probe, Proven, prove
from bridge.tool_config import OUTPUT, ToolConfig
from bridge.wiring import fleet_probes


class ProbeView(msgspec.Struct, frozen=True):
    """One probe. `needs` and `variable` are "" unless something is missing, or would let a probe tell that could not;
    `variable` also where none mends it.
    """

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
        list[Duty] | None,
        typer.Option(help="Only what this duty needs; may be repeated. Else controller, publisher and viewer."),
    ] = None,
    from_terraform: Annotated[
        Path | None, typer.Option("--from-terraform", metavar="FILE", help=f"Look at all that it names. {FILE_HELP}")
    ] = None,
    terraform_output: OutputNameOption = OUTPUT,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Prove each permission and resource that a fleet needs, against its cloud. Nothing is changed there.

    With --from-terraform the fleet's settings are compared with Terraform's, each resource that it made is looked at,
    and who rolls out is proven not to be able to sign.

    Ends with 0 when all are proven, 34 when something is missing, 35 when nothing is known to be missing and some could
    not be told. What no probe is known for is listed, and fails nothing.
    """
    made = None if from_terraform is None else made_by_terraform(from_terraform, terraform_output)
    duties = _asked(duty or [], made)
    again = add_again(name, config, from_terraform or STDIN, terraform_output)
    probes = _probes(read_config(config), name, made, Origin(source_of(from_terraform or STDIN), again))
    checked = _view(name, duties, list(prove(probes, duties)))
    show(checked, fitted("\n".join(map(_line, checked.probes))), output)
    _raise_end(checked)


def _asked(duty: Sequence[Duty], made: ToolConfig | None) -> tuple[Duty, ...]:
    """Raises: UsageError, for a duty of whose keys the settings know nothing."""
    signing = next((each for each in duty if each in SIGNING), None)
    if signing is not None and made is None:
        raise UsageError(
            f"--duty {signing}: which keys it signs with is in Terraform's output alone: add --from-terraform FILE"
        )
    return tuple(each for each in Duty if each in (duty or ROLLOUTS))


def _probes(config: Config, name: str, made: ToolConfig | None, origin: Origin) -> Sequence[Probe]:
    """Those of the settings, and where `made` is given those of what it names. Raises: UsageError."""
    if made is None:
        return fleet_probes(config, name, {})
    fleet = config.fleet(name)
    settings = compared(name, {"cloud": fleet.cloud, **fleet.settings}, made, origin)
    return (*settings, *fleet_probes(config, name, made.resources))


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
            return f"{head}: {view.said}{_would_tell(view)}"
        case Found.SKIPPED:
            return f"{head}: {view.said}"
    return head


def _would_tell(view: ProbeView) -> str:
    return f"; it needs {view.needs}: Terraform variable {view.variable}" if view.needs and view.variable else ""


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
