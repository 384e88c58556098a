"""`otabridge rollout pause|resume|promote|rollback|abort`: what a person tells a rollout, with a reason, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.console import Output, OutputOption, messages
from bridge.cli.options import ConfigOption, ReasonOption, RolloutName
from bridge.cli.rollout_view import show_status
from bridge.config import DEFAULT_FILE, read_config
from bridge.engine import controls
from bridge.engine.controller import Control, Pass
from bridge.engine.progress import Progress
from bridge.errors import UsageError
from bridge.fleet import FleetError
from bridge.ledger import Act
from bridge.planning.planned import Plan
from bridge.wiring import open_controller

MOST_REASON = 1000
"""Characters: it goes into the ledger, and into what clouds keep of a job."""


@dataclass(slots=True)
class _Noted:
    """A control, and whether it found the rollout otherwise than it was to be."""

    control: Control
    changed: bool = field(default=False, init=False)

    def __call__(self, plan: Plan, progress: Progress, now: datetime) -> Progress | None:
        """As the control."""
        told = self.control(plan, progress, now)
        self.changed = told is not None
        return told


def pause(
    name: RolloutName, *, reason: ReasonOption, config: ConfigOption = DEFAULT_FILE, output: OutputOption = Output.TEXT
) -> None:
    """Withdraw every offer until the rollout is resumed. Devices in the middle of an update finish it."""
    _tell(name, controls.pause, Act.PAUSED, reason, config=config, output=output)


def resume(
    name: RolloutName, *, reason: ReasonOption, config: ConfigOption = DEFAULT_FILE, output: OutputOption = Output.TEXT
) -> None:
    """Go on with a paused rollout. What it was paused for is forgiven; what comes after counts anew."""
    _tell(name, controls.resume, Act.RESUMED, reason, config=config, output=output)


def promote(
    name: RolloutName,
    *,
    stage: Annotated[int, typer.Option(min=1, help="The stage, from 1: said twice, the next one is not promoted.")],
    reason: ReasonOption,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Let a stage pass without the rest of its devices, soak and evidence. The budget still holds."""
    _tell(name, controls.promote_stage(stage - 1), Act.PROMOTED, reason, config=config, output=output)


def rollback(
    name: RolloutName, *, reason: ReasonOption, config: ConfigOption = DEFAULT_FILE, output: OutputOption = Output.TEXT
) -> None:
    """Send every device that was offered the release back to the one under `roll_back` in the rollout file."""
    _tell(name, controls.roll_back, Act.ROLLING_BACK, reason, config=config, output=output)


def abort(
    name: RolloutName, *, reason: ReasonOption, config: ConfigOption = DEFAULT_FILE, output: OutputOption = Output.TEXT
) -> None:
    """End a rollout for good: withdraw its offers. Devices in the middle of an update finish it."""
    _tell(name, controls.abort, Act.ABORTED, reason, config=config, output=output)


def _tell(name: str, control: Control, act: Act, reason: str, *, config: Path, output: Output) -> None:
    _require_reason(reason)
    settings, noted = read_config(config), _Noted(control)
    done = open_controller(settings).tell(name, noted, act, reason)
    show_status(settings, done.record, output)
    if not noted.changed:
        messages.print(f"otabridge: nothing to do, {_already(done, act)}", markup=False, soft_wrap=True)
    if done.troubles:
        told = "; ".join(dict.fromkeys(map(str, done.troubles)))
        raise FleetError(f"it is recorded, but not every fleet was told: {told}. Run the same command again")


def _already(done: Pass, act: Act) -> str:
    """What it is; a stage that was promoted may have passed since."""
    if act is Act.PROMOTED:
        return f"the stage of rollout {done.record.name} has passed already, or was promoted before"
    return f"rollout {done.record.name} is {done.record.state} already"


def _require_reason(reason: str) -> None:
    if not reason.strip() or not reason.isprintable() or len(reason) > MOST_REASON:
        raise UsageError(f"--reason {reason[:40]!r}: write one line of 1 to {MOST_REASON} printable characters")


ALL: tuple[Callable[..., None], ...] = (pause, resume, promote, rollback, abort)
