"""What `otabridge rollout` prints of rollouts that were applied: documents for programs, and the same for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from bridge.cli.console import Output, show
from bridge.cli.layout import fitted
from bridge.cli.sizes import in_bytes
from bridge.cli.times import second
from bridge.config import Config
from bridge.engine.adoption import ANY_NUMBER
from bridge.engine.explain import Explanation
from bridge.engine.progress import FleetSavings
from bridge.engine.record import Record, Summary
from bridge.engine.status import (
    BudgetStatus,
    Counts,
    FleetStatus,
    RolloutStatus,
    SavingsStatus,
    StageStatus,
    look,
)
from bridge.ledger import Link
from bridge.wiring import fleet_opener


class RolloutList(msgspec.Struct, frozen=True):
    """`rollout list`."""

    rollouts: tuple[Summary, ...]
    schema: int = 2


class History(msgspec.Struct, frozen=True):
    """`rollout history`: the rollout's links of the ledger. `head` names the whole ledger; "" when it does not hold."""

    rollout: str
    head: str
    entries: tuple[Link, ...]
    schema: int = 1


def show_status(config: Config, record: Record, output: Output) -> None:
    """Print where a rollout stands, asking its fleets. Raises: nothing for a fleet that cannot be asked."""
    status = look(record, fleet_opener(config))
    show(status, fitted(describe_status(status)), output)


def describe_status(status: RolloutStatus) -> str:
    """A rollout in text: where it stands, each stage and fleet, the devices that failed."""
    waiting = f" ({status.waiting})" if status.waiting else ""
    return "\n".join(
        [
            f"rollout  {status.name}",
            f"release  {status.version or 'unknown'}",
            f"plan     {status.plan[:12]}",
            f"state    {status.state}{waiting}, stage {status.stage} of {len(status.stages)}{_since(status)}",
            f"because  {status.reason}",
            f"budget   {describe_budget(status.budget)}",
            *(f"gate     {gate.name}: {gate.reading}" for gate in status.gates),
            *_unmeasured(status),
            *_savings(status.savings),
            *(line for stage in status.stages for line in _stage(stage)),
            *_failures(status),
        ]
    )


def _since(status: RolloutStatus) -> str:
    return f" since {second(status.since)}" if status.since and not status.state.is_final else ""


def describe_budget(budget: BudgetStatus) -> str:
    """What is spent, of what."""
    spent = f"{budget.spent} spent, of any number" if budget.limit == ANY_NUMBER else _spent(budget)
    if budget.silent_limit is None:
        return spent
    return f"{spent}; {budget.silent} of {budget.silent_limit} silent"


def _spent(budget: BudgetStatus) -> str:
    return f"{budget.spent} of {budget.limit} spent"


def _unmeasured(status: RolloutStatus) -> Iterator[str]:
    if status.unknown_since:
        yield f"unknown  since {second(status.unknown_since)} not every fleet could be measured"


def _savings(savings: SavingsStatus | None) -> Iterator[str]:
    if savings is None:
        return
    yield f"saved    {describe_savings(savings)}"
    if len(savings.fleets) > 1 or savings.fleets[0].problem:
        yield from (f"  {fleet.fleet}: {_fleet_savings(fleet)}" for fleet in savings.fleets)


def describe_savings(savings: SavingsStatus) -> str:
    """`1.2 GB that 40 devices did not download, by deltas`; at least that, where a fleet cannot tell."""
    unknown = sum(bool(fleet.problem) for fleet in savings.fleets)
    if unknown == len(savings.fleets):
        return "unknown: no fleet can tell what deltas saved"
    least = "at least " if unknown else ""
    if not savings.devices:
        return "nothing that is known" if unknown else "nothing: no device has said that it took a delta"
    return f"{least}{in_bytes(savings.saved)} that {_devices(savings.devices)} did not download, by deltas"


def _fleet_savings(fleet: FleetSavings) -> str:
    return f"cannot tell: {fleet.problem}" if fleet.problem else f"{in_bytes(fleet.saved)}, {_devices(fleet.devices)}"


def _devices(count: int) -> str:
    return "1 device" if count == 1 else f"{count} devices"


def _stage(stage: StageStatus) -> Iterator[str]:
    begun = "" if stage.begun else ", not begun"
    yield f"stage {stage.number}  {stage.share}: {stage.devices} devices{begun}"
    if stage.begun:
        yield from (f"  {fleet.fleet}: {_fleet(fleet)}" for fleet in stage.fleets)


def _fleet(seen: FleetStatus) -> str:
    problem = f" [not from now: {seen.problem}]" if seen.problem else ""
    if not seen.orders:
        return f"{seen.counts.devices} devices, not started{problem}"
    back = f"; back: {describe_counts(seen.back)}" if seen.back else ""
    return f"{describe_counts(seen.counts)}{back}{problem}"


def describe_counts(counts: Counts) -> str:
    """`2 waiting, 3 installed`; what is none is left out."""
    names = ("waiting", "running", "installed", "bad", "withdrawn")
    parts = [f"{getattr(counts, name)} {name}" for name in names if getattr(counts, name)]
    return ", ".join(parts) or "no device yet"


def _failures(status: RolloutStatus) -> Iterator[str]:
    if status.failures:
        shown = len(status.failures)
        yield f"failed devices{f' (the first {shown})' if shown < status.budget.spent else ''}:"
    for device in status.failures:
        parts = [device.outcome, device.code, device.detail]
        yield f"  {device.fleet}/{device.device} stage {device.stage}: {'; '.join(part for part in parts if part)}"


def describe_list(rollouts: Sequence[Summary]) -> str:
    """One line a rollout."""
    return "\n".join(map(_summary, rollouts)) or "no rollout is recorded"


def _summary(each: Summary) -> str:
    waiting = f" ({each.waiting})" if each.waiting else ""
    stage = f"stage {each.stage} of {each.stages}"
    return f"{each.name}  {each.version or '-'}  {each.state}{waiting}  {stage}  {second(each.updated)}"


def describe_history(links: Iterable[Link], head: str) -> str:
    """One line an entry with its evidence, then the head to note down."""
    lines = [describe_link(link) for link in links]
    return "\n".join([*lines, f"head     {head}" if head else "head     none: the ledger does not hold"])


def describe_link(link: Link) -> str:
    """One entry with who, what, why, and the evidence."""
    entry = link.entry
    evidence = ", ".join(f"{fact.name} {fact.value}" for fact in entry.evidence)
    line = f"{link.number}  {second(entry.time)}  {entry.actor}  {entry.what}: {entry.reason}"
    return f"{line} [{evidence}]" if evidence else line


def describe_explanation(explanation: Explanation) -> str:
    """What, why, and what would move it."""
    return "\n".join(
        [
            explanation.subject,
            f"  {explanation.state}",
            "because",
            *(f"  - {text}" for text in explanation.because),
            "it moves on by",
            *(f"  - {text}" for text in explanation.moves),
        ]
    )
