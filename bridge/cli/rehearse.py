"""`otabridge rollout rehearse`: the plan on a virtual fleet, many times, before a device is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.progress import track

from bridge.cli.console import Output, OutputOption, messages, show
from bridge.cli.layout import fitted
from bridge.cli.options import ConfigOption
from bridge.cli.rollout_plan import require_rollout_file
from bridge.config import DEFAULT_FILE, Config, read_config
from bridge.errors import UsageError
from bridge.planning.plan import Request, read_request
from bridge.rollout.duration import Duration, span
from bridge.wiring import fleet_opener, stated_facts, utc_now

if TYPE_CHECKING:
    from bridge.rehearsal.assumptions import Assumptions
    from bridge.rehearsal.run import Script, Troupe

MOST_DEVICES = 5_000_000
"""Virtual devices of one fleet."""


def rehearse(
    file: Annotated[Path, typer.Argument(help="The rollout file, such as rollout.yaml.")],
    *,
    assume: Annotated[
        Path | None, typer.Option(help="What to assume of the devices (TOML; docs/how-to/rehearse-a-rollout.md).")
    ] = None,
    failing: Annotated[float | None, typer.Option(min=0, max=100, help="Per cent of devices that fail.")] = None,
    offline: Annotated[float | None, typer.Option(min=0, max=100, help="Per cent of devices that are off.")] = None,
    devices: Annotated[
        list[str] | None,
        typer.Option(help="FLEET=COUNT or FLEET:MODEL=COUNT virtual devices. Absent: as many as the fleet has."),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, max=10_000, help="How often.")] = 20,
    every: Annotated[str, typer.Option(help="Virtual time between passes of the controller.")] = "5m",
    seed: Annotated[int, typer.Option(min=0, help="Another seed deals other fates to the devices.")] = 1,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Run the rollout on virtual devices: how many a bad release would reach, how long it takes, what it costs."""
    from bridge.cli.rehearse_view import describe
    from bridge.rehearsal.run import rehearse as run_once
    from bridge.rehearsal.spread import summary

    require_rollout_file(file)
    settings = read_config(config)
    request = read_request(file, settings.fleets, utc_now())
    script = _script(settings, request, _assumptions(assume, failing, offline), devices or [], _interval(every))
    now = utc_now()
    numbers = track(range(seed, seed + runs), "rehearse", console=messages, disable=not messages.is_terminal)
    endings = [run_once(script, number, now) for number in numbers]
    size = sum(sum(troupe.models.values()) for troupe in script.troupes.values())
    made = summary(request.rollout.name, size, endings, script.length)
    show(made, fitted(describe(made)), output)


def _interval(every: str) -> timedelta:
    try:
        interval = span(msgspec.convert(every, Duration))
    except msgspec.ValidationError as error:
        raise UsageError(f"--every {every}: write a duration such as 30s or 5m") from error
    if not interval:
        raise UsageError(f"--every {every}: the controller must pass some time between its passes, such as 5m")
    return interval


def _assumptions(file: Path | None, failing: float | None, offline: float | None) -> Assumptions:
    from bridge.rehearsal.assumptions import Assumptions, read_assumptions

    base = Assumptions() if file is None else read_assumptions(file)
    given = {name: value for name, value in (("failing", failing), ("offline", offline)) if value is not None}
    return msgspec.structs.replace(base, **given)


def _script(config: Config, request: Request, assumptions: Assumptions, devices: list[str], every: timedelta) -> Script:
    from bridge.rehearsal.run import Script

    wanted = _counts(devices, [part.name for part in request.rollout.parts])
    troupes = {part.name: _troupe(config, request, part.name, wanted.get(part.name)) for part in request.rollout.parts}
    return Script(request, troupes, assumptions, every, request.signed.release.most_bytes)


def _troupe(config: Config, request: Request, name: str, models: Mapping[str, int] | None) -> Troupe:
    """Asks the cloud only for what was not given."""
    from bridge.rehearsal.run import Troupe

    facts = msgspec.structs.replace(stated_facts(config, name), by_bucket=True)
    if models is None:
        part = next(part for part in request.rollout.parts if part.name == name)
        models = fleet_opener(config)(name).census(part).models
    return Troupe(facts, models)


def _counts(given: list[str], fleets: list[str]) -> Mapping[str, Mapping[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for fleet, model, count in _parsed(given):
        if fleet not in fleets:
            raise UsageError(f"--devices {fleet}: the rollout has no such fleet; it has {', '.join(fleets)}")
        counts.setdefault(fleet, {})[model] = count
    return counts


def _parsed(given: list[str]) -> Iterator[tuple[str, str, int]]:
    for text in given:
        name, equals, count = text.partition("=")
        fleet, _, model = name.partition(":")
        if not equals or not count.isdigit() or not 0 < int(count) <= MOST_DEVICES:
            raise UsageError(f"--devices {text}: write FLEET=COUNT or FLEET:MODEL=COUNT, 1 to {MOST_DEVICES} devices")
        yield fleet, model, int(count)
