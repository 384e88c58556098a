"""`otabridge rollout import`: a job or deployment that was made without otabridge, watched as a rollout."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from bridge.cli.console import Output, OutputOption, messages
from bridge.cli.options import ConfigOption
from bridge.cli.rollout_view import show_status
from bridge.config import DEFAULT_FILE, read_config
from bridge.errors import UsageError
from bridge.rollout.model import Name
from bridge.wiring import find_rollout, open_controller


def import_(
    name: Annotated[str, typer.Argument(help="A name for it, unique for ever.")],
    *,
    fleet: Annotated[str, typer.Option(help="The fleet of the configuration in which it is.")],
    job: Annotated[str, typer.Option(help="Its name in the cloud: AWS the job's id, Azure GROUP/DEPLOYMENT.")],
    failures: Annotated[
        int | None, typer.Option(min=0, help="Devices that may fail before it is stopped; else nothing stops it.")
    ] = None,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Adopt a job or deployment that exists already: status, watch, explain and abort work on it from then on."""
    _require_name(name)
    settings = read_config(config)
    settings.fleet(fleet)
    is_known = find_rollout(settings, name) is not None
    record = open_controller(settings).adopt(name, fleet, job, failures)
    show_status(settings, record, output)
    if is_known:
        messages.print(f"otabridge: nothing to do, rollout {name} watches {job} already", markup=False, soft_wrap=True)


def _require_name(name: str) -> None:
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{name!r} cannot name a rollout: use lower-case letters, digits and dashes, at most 40 characters"
        ) from error
