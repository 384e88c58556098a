"""`otabridge rollout plan`: what `apply` would do now, what it takes, and what stands against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.console import Output, OutputOption, show
from bridge.cli.layout import fitted
from bridge.cli.options import ConfigOption, RolloutFile
from bridge.cli.plan_view import PlanView, describe_plan, view_plan
from bridge.config import DEFAULT_FILE, Config, read_config
from bridge.engine.controller import material_of
from bridge.engine.record import Record
from bridge.engine.stage_orders import check_orders
from bridge.errors import UsageError
from bridge.fleet import Fleet, LimitError
from bridge.planning.estimate import estimate, warnings
from bridge.planning.plan import Request, differences, make_plan, read_request
from bridge.planning.planned import Plan
from bridge.planning.saved_plan import is_saved_plan, save_plan
from bridge.release.errors import OtabridgeError, ReleaseError
from bridge.release.trust import judge
from bridge.wiring import find_rollout, fleet_opener, open_trust, utc_now

DETAILED = "--detailed-exitcode"
TO_APPLY = 2


class PlanFailed(OtabridgeError):
    """Any error, where 2 means that there is something to apply."""


def plan(
    file: RolloutFile,
    *,
    out: Annotated[Path | None, typer.Option(help="Save the plan here, to be applied as it is: plan.json.")] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option(DETAILED, help="End with 0: nothing to do; 1: an error; 2: something to apply.")
    ] = False,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what apply would do now: stages with their devices, time, bytes, calls. Nothing is created or recorded."""
    with _detailed(detailed_exitcode):
        view = _planned(file, config)
        if out is not None:
            _save(out, file, view.plan)
        show(view, fitted(describe_plan(view)), output)
        if detailed_exitcode and view.refusal:
            raise PlanFailed(f"apply will refuse it: {view.refusal}")
    if detailed_exitcode and not view.applied:
        raise typer.Exit(TO_APPLY)


@contextmanager
def _detailed(wanted: bool) -> Iterator[None]:  # noqa: FBT001 - the value of an option
    try:
        yield
    except OtabridgeError as error:
        if not wanted:
            raise
        raise PlanFailed(str(error)) from error


def _save(out: Path, file: Path, made: Plan) -> None:
    if not is_saved_plan(out):
        raise UsageError(f"--out {out}: name it *.json, so that `rollout apply` knows it for a plan")
    save_plan(out, file, made)


def require_rollout_file(file: Path) -> None:
    """Raises: UsageError where `file` is named as a plan that was saved is."""
    if is_saved_plan(file):
        raise UsageError(
            f"{file}: that is how saved plans are named, and they are for `otabridge rollout apply`; give the rollout "
            f"file, *.yaml"
        )


def _planned(file: Path, config: Path) -> PlanView:
    require_rollout_file(file)
    settings, now = read_config(config), utc_now()
    request = read_request(file, settings.fleets, now)
    opener = fleet_opener(settings)
    fleets = {part.name: opener(part.name) for part in request.rollout.parts}
    made = make_plan(request, fleets)
    record = find_rollout(settings, request.rollout.name)
    return view_plan(
        made,
        estimate(made, request.signed.release.artifacts, now),
        warnings(made),
        now,
        refusal=_refusal(settings, request, made, fleets, record),
        applied=str(record.state) if record and not differences(record.plan, request) else "",
    )


def _refusal(config: Config, request: Request, made: Plan, fleets: Mapping[str, Fleet], record: Record | None) -> str:
    """Why `apply` would not even record the plan; "" when it would."""
    changed = differences(record.plan, request) if record else ()
    if record and changed:
        return f"rollout {record.name} was applied before, with another {', '.join(changed)}: give it another name"
    try:
        trust = open_trust(config)
        for signed in (request.signed, request.back):
            if signed is not None:
                judge(trust, signed.document, utc_now()).accepted()
        check_orders(made, material_of(request, tuple(trust.chain[1:])), fleets, utc_now())
    except (ReleaseError, LimitError) as error:
        return str(error)
    return ""
