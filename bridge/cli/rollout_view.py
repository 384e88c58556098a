"""What `otabridge rollout` prints: the documents for programs, and the same for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from bridge.ledger import Link
from bridge.plan import WHOLE, warnings
from bridge.record import Summary
from bridge.rollout import Plan, PlannedStage
from bridge.status import FleetStatus, RolloutStatus, StageStatus


class PlanView(msgspec.Struct, frozen=True):
    """`rollout plan`. `refusal` is why `apply` would refuse it, "" when it would not."""

    plan: Plan
    devices: int
    warnings: tuple[str, ...]
    refusal: str
    schema: int = 1


class RolloutList(msgspec.Struct, frozen=True):
    """`rollout list`."""

    rollouts: tuple[Summary, ...]
    schema: int = 1


class History(msgspec.Struct, frozen=True):
    """`rollout history`: the rollout's links of the ledger. `head` names the whole ledger; "" when it does not hold."""

    rollout: str
    head: str
    entries: tuple[Link, ...]
    schema: int = 1


def view_plan(plan: Plan, refusal: str) -> PlanView:
    """The document of a plan."""
    return PlanView(plan, sum(stage.size for stage in plan.stages), warnings(plan), refusal)


def describe_plan(view: PlanView) -> str:
    """A plan in text: one line a stage, then what to think about."""
    plan, budget = view.plan, view.plan.rollout.budget
    return "\n".join(
        [
            f"rollout  {plan.rollout.name}",
            f"release  {plan.release_version} (sha256 {plan.release_sha256[:12]})",
            f"plan     {plan.digest[:12]}",
            f"devices  {view.devices} in {', '.join(plan.rollout.fleets)}",
            f"budget   {budget.failures} devices, or {budget.percent:g} % of those begun where that is more",
            *(_planned(number, stage) for number, stage in enumerate(plan.stages, start=1)),
            *(f"warning: {text}" for text in view.warnings),
            *([f"warning: apply will refuse it: {view.refusal}"] if view.refusal else []),
        ]
    )


def _planned(number: int, stage: PlannedStage) -> str:
    shares = ", ".join(f"{cohort.fleet} {len(cohort.devices)}" for cohort in stage.cohorts)
    enough = f", {stage.enough:g} % of them installed are enough" if stage.enough < WHOLE else ""
    return f"stage {number}  up to {stage.percent:g} %: {stage.size} devices ({shares}){enough}"


def describe_status(status: RolloutStatus) -> str:
    """A rollout in text: where it stands, each stage and fleet, the devices that failed."""
    holding = f" ({status.holding})" if status.holding else ""
    return "\n".join(
        [
            f"rollout  {status.name}",
            f"release  {status.version}",
            f"plan     {status.plan[:12]}",
            f"state    {status.state}{holding}, stage {status.stage} of {len(status.stages)}{_since(status)}",
            f"because  {status.reason}",
            f"budget   {status.budget.spent} of {status.budget.limit} spent",
            *_unmeasured(status),
            *(line for stage in status.stages for line in _stage(stage)),
            *_failures(status),
        ]
    )


def _since(status: RolloutStatus) -> str:
    return f" since {_time(status.since)}" if status.since and not status.state.is_final else ""


def _unmeasured(status: RolloutStatus) -> Iterator[str]:
    if status.unknown_passes:
        yield f"unknown  the last {status.unknown_passes} passes could not measure every fleet"


def _stage(stage: StageStatus) -> Iterator[str]:
    begun = "" if stage.begun else ", not begun"
    yield f"stage {stage.number}  up to {stage.percent:g} %: {stage.devices} devices{begun}"
    if stage.begun:
        yield from (f"  {fleet.fleet}: {_tally(fleet)}" for fleet in stage.fleets)


def _tally(seen: FleetStatus) -> str:
    problem = f" [not from now: {seen.problem}]" if seen.problem else ""
    if seen.tally is None:
        return f"{seen.devices} devices, not started{problem}"
    names = ("waiting", "running", "installed", "failed", "rejected", "timed_out", "withdrawn")
    counts = [f"{getattr(seen.tally, name)} {name.replace('_', ' ')}" for name in names if getattr(seen.tally, name)]
    return f"{', '.join(counts) or 'no device yet'}{problem}"


def _failures(status: RolloutStatus) -> Iterator[str]:
    if status.failures:
        shown = len(status.failures)
        yield f"failed devices{f' (the first {shown})' if shown < status.budget.spent else ''}:"
    for device in status.failures:
        parts = [device.outcome, device.code, device.detail]
        yield f"  {device.fleet}/{device.device} stage {device.stage}: {'; '.join(part for part in parts if part)}"


def describe_list(rollouts: Sequence[Summary]) -> str:
    """One line a rollout."""
    lines = [
        f"{each.name}  {each.version}  {each.state}  stage {each.stage} of {each.stages}  {_time(each.updated)}"
        for each in rollouts
    ]
    return "\n".join(lines) or "no rollout is recorded"


def describe_history(links: Iterable[Link], head: str) -> str:
    """One line an entry with its evidence, then the head to note down."""
    lines = [_link(link) for link in links]
    return "\n".join([*lines, f"head     {head}" if head else "head     none: the ledger does not hold"])


def _link(link: Link) -> str:
    entry = link.entry
    evidence = ", ".join(f"{fact.name} {fact.value}" for fact in entry.evidence)
    return f"{link.number}  {_time(entry.time)}  {entry.actor}  {entry.what}: {entry.reason}" + (
        f" [{evidence}]" if evidence else ""
    )


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
