"""`otabridge rollout`: everything about staged rollouts. The commands are in the modules beside this one."""

from __future__ import annotations

from collections.abc import Callable

import typer

from bridge.cli import (
    rehearse,
    rollout_apply,
    rollout_approval,
    rollout_control,
    rollout_import,
    rollout_look,
    rollout_new,
    rollout_plan,
    rollout_watch,
)

app = typer.Typer(help="Rollouts: one release, in stages, over any number of fleets.", no_args_is_help=True)
_COMMANDS: tuple[Callable[..., None], ...] = (
    rollout_new.new,
    rollout_plan.plan,
    rehearse.rehearse,
    rollout_apply.apply,
    rollout_approval.approve,
    rollout_approval.reject,
    rollout_look.status,
    rollout_watch.watch,
    rollout_look.explain,
    rollout_look.history,
    *rollout_control.ALL,
)
for _command in _COMMANDS:
    app.command()(_command)
app.command(name="list")(rollout_look.list_)
app.command(name="import")(rollout_import.import_)
