"""`otabridge rollout apply`: a rollout file, or a plan that was saved, run to its end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.console import Output, OutputOption, messages
from bridge.cli.options import ConfigOption
from bridge.cli.rollout_end import end_of
from bridge.cli.rollout_progress import RolloutProgress, rollout_progress
from bridge.cli.rollout_view import show_status
from bridge.config import DEFAULT_FILE, Config, read_config
from bridge.engine.controller import Controller, Pass, Pause
from bridge.engine.decide import Wait
from bridge.engine.progress import State
from bridge.engine.record import Record
from bridge.errors import RolloutUnfinished
from bridge.planning.plan import Request, read_request
from bridge.planning.planned import Plan
from bridge.planning.saved_plan import is_saved_plan, read_plan
from bridge.wiring import open_controller, open_trust, patience, utc_now

INTERRUPTED = 130
"""What a shell expects after Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be applied: the request, and the plan that was looked at before, where one was saved."""

    request: Request
    seen: Plan | None


def apply(
    file: Annotated[Path, typer.Argument(help="The rollout file, or a plan that `rollout plan --out` saved.")],
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
    wish = _read(file, settings)
    try:
        with rollout_progress() as progress:
            controller = open_controller(settings, progress.bytes)
            roots = tuple(open_trust(settings).chain[1:])
            record = controller.admit(wish.request, roots, wish.seen)
            if wait:
                done = _run(controller, record.name, patience(interval, timeout), progress)
            else:
                done = controller.run(record.name, _once, progress.watch)
    except KeyboardInterrupt:
        _explain_interrupt(wish.request.rollout.name, file)
        raise typer.Exit(INTERRUPTED) from None
    show_status(settings, done.record, output)
    _raise_end(done, wait=wait)


def _read(file: Path, config: Config) -> Wish:
    if not is_saved_plan(file):
        return Wish(read_request(file, config.fleets, utc_now()), None)
    saved = read_plan(file)
    return Wish(read_request(Path(saved.file), config.fleets, utc_now()), saved.plan)


def _run(controller: Controller, name: str, pause: Pause, progress: RolloutProgress) -> Pass:
    """To its end, or until a person must do more than sign: signatures are waited for."""
    while True:
        done = controller.run(name, pause, progress.watch)
        if done.record.progress.waiting != Wait.APPROVAL or done.is_settled:
            return done
        progress.tell("approval", f"waits for approvers: {done.record.reason}\n{how_to_approve(done.record)}")
        if not pause():
            return done


def how_to_approve(record: Record) -> str:
    """Who may sign what the rollout waits for, and with which command."""
    stage = "" if record.state is State.PLANNED else f" --stage {record.progress.stage + 1}"
    who = ", ".join(approver.name for approver in record.plan.approvers)
    return f"approvers ({who}) sign with `otabridge rollout approve {record.name}{stage} --key KEY`"


def _once() -> bool:
    return False


def _explain_interrupt(name: str, file: Path) -> None:
    messages.print(
        f"otabridge: interrupted. Devices that were offered the release go on; no further stage begins until\n"
        f"`otabridge rollout apply {file}` is run again. To withdraw the offers: `otabridge rollout pause {name} "
        f"--reason WHY`, or abort in place of pause",
        markup=False,
        soft_wrap=True,
    )


def _raise_end(done: Pass, *, wait: bool) -> None:
    record = done.record
    end = end_of(record)
    if end is not None and record.progress.waiting == Wait.APPROVAL:
        raise type(end)(f"{end}; {how_to_approve(record)}, then it is applied again")
    if end is not None:
        raise end
    if wait and not done.is_settled:
        text = f"rollout {record.name} is {record.state}: {record.reason}"
        raise RolloutUnfinished(f"{text}; the time to wait is over, apply it again to go on")
