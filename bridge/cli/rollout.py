"""`otabridge rollout`: plan, apply, watch and end staged rollouts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.console import Output, OutputOption, messages, show
from bridge.cli.options import ConfigOption
from bridge.cli.rollout_progress import rollout_progress
from bridge.cli.rollout_view import (
    History,
    RolloutList,
    describe_history,
    describe_list,
    describe_plan,
    describe_status,
    view_plan,
)
from bridge.config import DEFAULT_FILE, Config, read_config
from bridge.controller import Pass
from bridge.errors import BrokenLedger, RolloutAborted, RolloutInconclusive, RolloutStopped, RolloutUnfinished
from bridge.fleet import Fleet, FleetError, LimitError
from bridge.ledger import verify
from bridge.plan import Request, check_orders, make_plan, read_request
from bridge.record import Record
from bridge.release.errors import ReleaseError
from bridge.release.trust import judge
from bridge.rollout import Plan, State
from bridge.status import look
from bridge.wiring import fleet_opener, open_controller, open_store, open_trust, patience, utc_now

app = typer.Typer(help="Rollouts: one release, in stages, over any number of fleets.", no_args_is_help=True)

INTERRUPTED = 130
"""What a shell expects after Ctrl-C."""
RolloutFile = Annotated[Path, typer.Argument(help="The rollout file, such as rollout.yaml.")]
RolloutName = Annotated[str, typer.Argument(help="The rollout's name.")]


@app.command()
def plan(file: RolloutFile, *, config: ConfigOption = DEFAULT_FILE, output: OutputOption = Output.TEXT) -> None:
    """Show what apply would do now: every stage with its devices. Nothing is created or recorded."""
    settings = read_config(config)
    request = read_request(file, settings.fleets)
    opener = fleet_opener(settings)
    fleets = {name: opener(name) for name in request.rollout.fleets}
    made = make_plan(request, fleets)
    view = view_plan(made, _refusal(settings, request, made, fleets))
    show(view, describe_plan(view), output)


def _refusal(config: Config, request: Request, made: Plan, fleets: Mapping[str, Fleet]) -> str:
    """Why `apply` would not even record the plan; "" when it would."""
    try:
        trust = open_trust(config)
        judge(trust, request.signed.document, utc_now()).accepted()
        check_orders(made, request, tuple(trust.chain[1:]), fleets)
    except (ReleaseError, LimitError) as error:
        return str(error)
    return ""


@app.command()
def apply(
    file: RolloutFile,
    *,
    wait: Annotated[
        bool, typer.Option(help="Stay until the rollout ends; else make one pass, again with each call.")
    ] = True,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between passes.")] = 15.0,
    timeout: Annotated[float | None, typer.Option(min=0.0, help="Seconds to wait at most; else until the end.")] = None,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Verify the release, publish it, and run its stages. Applied again, it goes on where it was."""
    settings = read_config(config)
    request = read_request(file, settings.fleets)
    try:
        with rollout_progress() as progress:
            controller = open_controller(settings, progress.bytes)
            record = controller.admit(request, tuple(open_trust(settings).chain[1:]))
            pace = patience(interval, timeout) if wait else _once
            done = controller.run(record.name, pace, progress.watch)
    except KeyboardInterrupt:
        _explain_interrupt(request.rollout.name, file)
        raise typer.Exit(INTERRUPTED) from None
    _report(settings, done, output, wait=wait)


def _once() -> bool:
    return False


def _explain_interrupt(name: str, file: Path) -> None:
    messages.print(
        f"otabridge: interrupted. Devices that were offered the release go on; no further stage begins until\n"
        f"`otabridge rollout apply {file}` is run again. To withdraw the offers: `otabridge rollout abort {name}`",
        markup=False,
        soft_wrap=True,
    )


def _report(config: Config, done: Pass, output: Output, *, wait: bool) -> None:
    """The status to stdout, then the end as an exit code."""
    _show_status(config, done.record, output)
    _raise_end(done, wait=wait)


def _raise_end(done: Pass, *, wait: bool) -> None:
    record = done.record
    text = f"rollout {record.name} is {record.state}: {record.reason}"
    if record.state is State.STOPPED:
        raise RolloutStopped(f"{text}. Fix the release, then start it as a rollout of another name")
    if record.state is State.ABORTED:
        raise RolloutAborted(text)
    if done.needs_person:
        raise RolloutInconclusive(text)
    if wait and not done.is_settled:
        raise RolloutUnfinished(f"{text}; the time to wait is over, apply it again to go on")


def _show_status(config: Config, record: Record, output: Output) -> None:
    status = look(record, fleet_opener(config))
    show(status, describe_status(status), output)


@app.command()
def status(name: RolloutName, *, config: ConfigOption = DEFAULT_FILE, output: OutputOption = Output.TEXT) -> None:
    """Show where a rollout stands, what each fleet says now, and the first devices that failed."""
    settings = read_config(config)
    _show_status(settings, open_store(settings).load(name), output)


@app.command()
def abort(
    name: RolloutName,
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger and told to the clouds.")],
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """End a rollout for good: withdraw its offers. Devices in the middle of an update finish it."""
    settings = read_config(config)
    done = open_controller(settings).abort(name, reason)
    _show_status(settings, done.record, output)
    if done.troubles:
        told = "; ".join(map(str, done.troubles))
        raise FleetError(f"the abort is recorded, but not every offer is withdrawn: {told}. Abort it again")


@app.command(name="list")
def list_(*, config: ConfigOption = DEFAULT_FILE, output: OutputOption = Output.TEXT) -> None:
    """List all rollouts, the newest change first; no cloud is asked."""
    rollouts = open_store(read_config(config)).summaries()
    show(RolloutList(rollouts), describe_list(rollouts), output)


@app.command()
def history(name: RolloutName, *, config: ConfigOption = DEFAULT_FILE, output: OutputOption = Output.TEXT) -> None:
    """Show every act and decision of a rollout with its evidence, and verify the whole ledger."""
    store = open_store(read_config(config))
    store.load(name)
    ledger = store.ledger()
    entries = tuple(link for link in ledger if link.entry.rollout == name)
    try:
        head, broken = verify(ledger), None
    except BrokenLedger as error:
        head, broken = "", error
    show(History(name, head, entries), describe_history(entries, head), output)
    if broken is not None:
        raise broken
