"""A rollout as `rollout watch` shows it on a terminal: the current stage in full, the others in a line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bridge.cli.rollout_view import describe_budget, describe_savings
from bridge.cli.times import second
from bridge.engine.status import BudgetStatus, FleetStatus, RolloutStatus, StageStatus
from bridge.ledger import Link
from bridge.rollout.duration import in_words

BAR_SHARE = 4
"""A bar takes one in so many columns."""
WIDEST_BAR = 40


def live_view(status: RolloutStatus, links: Sequence[Link], now: datetime, width: int) -> RenderableType:
    """All of it, for a terminal of `width` columns: words wrap, nothing is cut. Of `links` the newest is last."""
    bar = min(WIDEST_BAR, width // BAR_SHARE)
    return Group(
        Text(f"{status.name} {status.version}".strip(), style="bold"),
        _pairs(_head(status, now)),
        _budget(status.budget, bar),
        *(_stage(stage, bar, is_current=stage.number == status.stage) for stage in status.stages),
        _pairs(("gate", f"{gate.name}: {gate.reading}") for gate in status.gates),
        *_ledger(links),
    )


def _ledger(links: Sequence[Link]) -> Iterator[RenderableType]:
    if links:
        yield Text("ledger", style="bold")
        yield _pairs(_entry(link) for link in links)


def _pairs(rows: Iterator[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for label, text in rows:
        table.add_row(Text(label), Text(text))
    return table


def _head(status: RolloutStatus, now: datetime) -> Iterator[tuple[str, str]]:
    waiting = f", waits: {status.waiting}" if status.waiting else ""
    yield "state", f"{status.state}, stage {status.stage} of {len(status.stages)}{waiting}"
    yield "because", status.reason
    if status.savings:
        yield "saved", describe_savings(status.savings)
    yield "seen", f"{in_words(now - status.updated)} ago, at {second(status.updated)}"


def _budget(budget: BudgetStatus, width: int) -> Table:
    row = Table.grid(padding=(0, 1))
    over = budget.spent > budget.limit
    bar = ProgressBar(total=max(1, budget.limit), completed=min(budget.spent, max(1, budget.limit)), width=width)
    row.add_row(Text("budget"), bar, Text(describe_budget(budget), style="red" if over else ""))
    return row


def _stage(stage: StageStatus, width: int, *, is_current: bool) -> RenderableType:
    title = f"stage {stage.number}  {stage.share}"
    if not stage.begun:
        return Text(f"{title}: {stage.devices} devices, not begun", style="dim")
    if not is_current:
        counts = [fleet.counts for fleet in stage.fleets]
        installed, bad = sum(each.installed for each in counts), sum(each.bad for each in counts)
        return Text(f"{title}: {installed} of {stage.devices} installed{f', {bad} bad' if bad else ''}")
    table = Table.grid(padding=(0, 1))
    table.add_column(overflow="fold")
    table.add_column(width=width)
    table.add_column(ratio=1, overflow="fold")
    for fleet in stage.fleets:
        table.add_row(Text(f"  {fleet.fleet}"), _bar(fleet, width), Text(_figures(fleet)))
    return Group(Text(title), table)


def _bar(fleet: FleetStatus, width: int) -> ProgressBar:
    counts = fleet.back or fleet.counts
    done = counts.installed + counts.bad + counts.withdrawn
    return ProgressBar(total=max(1, counts.devices), completed=done, width=width)


def _figures(fleet: FleetStatus) -> str:
    counts = fleet.back or fleet.counts
    words = "back" if fleet.back else "installed"
    parts = [f"{counts.installed}/{counts.devices} {words}"]
    parts += [f"{number} {name}" for number, name in ((counts.running, "running"), (counts.bad, "bad")) if number]
    return ", ".join(parts)


def _entry(link: Link) -> tuple[str, str]:
    return f"{link.entry.time:%H:%M:%S}", f"{link.entry.what}: {link.entry.reason}"
