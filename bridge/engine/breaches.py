"""What breaks a rollout: the budget, and each gate, against what is known. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from bridge.engine.evidence import BAD, FALLBACKS, SILENT, Evidence, PlaceCounts, bad_events, silent_events
from bridge.engine.progress import Breach, Progress
from bridge.engine.proof import stage_counts
from bridge.engine.repeats import repeated
from bridge.engine.sight import Sight, installed_devices
from bridge.gates import failure_rate, health
from bridge.gates.verdict import Breached
from bridge.planning.planned import Place, Plan
from bridge.release.errors import FailureCode
from bridge.rollout.rules import Gates, Health

RESETS = "watchdog-resets"
FAILURE_RATE = "failure-rate"
UNKNOWN = "unknown"
SIGN_OFF = "sign-off"
"""What pauses a rollout although no device came to harm."""
TRIAL_CODES = frozenset({FailureCode.UNHEALTHY, FailureCode.FELL_BACK})


def health_key(name: str) -> str:
    """The name of a health gate in `Progress.forgiven`."""
    return f"health {name}"


def read_figures(plan: Plan, progress: Progress, sight: Sight, now: datetime) -> Progress:
    """`progress` with the newest readings of the gates, and the looks that they took."""
    progress = repeated(progress, sight)
    figures = dict(progress.figures)
    figures[FALLBACKS] = max(figures.get(FALLBACKS, 0), _fallen(sight))
    if sight.resets is not None:
        figures[RESETS] = max(figures.get(RESETS, 0), sight.resets)
    read = msgspec.structs.replace(progress, figures=figures, forgiven=_still_forgiven(plan, progress))
    if sight.resets is None and not sight.health:
        return read
    looks = {**progress.looks, **{name: progress.looks.get(name, 0) + 1 for name in sight.health}}
    return msgspec.structs.replace(read, looks=looks, looked=now, looked_installed=installed_devices(plan, progress))


def _fallen(sight: Sight) -> int:
    """Devices, however often each fell back."""
    fallen = {
        (place.fleet, each.device)
        for place, failed in sight.failed.items()
        for each in failed
        if each.code in TRIAL_CODES
    }
    return len(fallen)


def _still_forgiven(plan: Plan, progress: Progress) -> dict[str, int]:
    """A device that was forgiven and then installed leaves no room for another one to fail."""
    counted = {BAD: bad_events, SILENT: silent_events}
    return {
        name: min(figure, counted[name](plan, progress)) if name in counted else figure
        for name, figure in progress.forgiven.items()
    }


def breach_of(
    plan: Plan, progress: Progress, evidence: Evidence, counts: Mapping[Place, PlaceCounts], sight: Sight
) -> Breach | None:
    """The first thing that is broken, in the order of weight; None while nothing is. `counts` are the stage's."""
    gates = plan.rollout.gates_of(progress.stage)
    if evidence.bad > evidence.limit:
        return Breach("budget", _spent(evidence))
    if evidence.silent_limit is not None and evidence.silent > evidence.silent_limit:
        return Breach("silence", _silent(evidence))
    return next(_gates(progress, gates, counts, sight), None)


def _gates(progress: Progress, gates: Gates, counts: Mapping[Place, PlaceCounts], sight: Sight) -> Iterator[Breach]:
    yield from _failure_rate(progress, gates, counts)
    yield from _figure(progress, FALLBACKS, gates.fallbacks, "devices fell back")
    yield from _figure(progress, RESETS, gates.watchdog_resets, "updated devices were reset by a watchdog")
    for gate in gates.health:
        yield from _health(progress, gate, sight)


def _failure_rate(progress: Progress, gates: Gates, counts: Mapping[Place, PlaceCounts]) -> Iterator[Breach]:
    if gates.failure_rate is None or _is_forgiven(progress, FAILURE_RATE):
        return
    verdict = failure_rate.judge(gates.failure_rate, *stage_counts(counts))
    if isinstance(verdict, Breached):
        yield Breach(FAILURE_RATE, f"stage {progress.stage + 1}: {verdict.reason}")


def _is_forgiven(progress: Progress, gate: str) -> bool:
    """A gate on a share that a person resumed after is silent for the rest of its stage."""
    return progress.forgiven.get(gate) == progress.stage + 1


def _figure(progress: Progress, name: str, limit: int | None, what: str) -> Iterator[Breach]:
    found = progress.figures.get(name, 0) - progress.forgiven.get(name, 0)
    if limit is not None and found > limit:
        yield Breach(name, f"{found} {what}; the gate allows {limit}")


def _health(progress: Progress, gate: Health, sight: Sight) -> Iterator[Breach]:
    if gate.name not in sight.health or _is_forgiven(progress, health_key(gate.name)):
        return
    verdict = health.judge(gate, sight.health[gate.name], progress.looks[gate.name])
    if isinstance(verdict, Breached):
        yield Breach("health", f"{gate.name}: {verdict.reason}")


def _spent(evidence: Evidence) -> str:
    return (
        f"{evidence.bad} devices failed, were rejected or timed out; the budget allows {evidence.limit} "
        f"up to stage {evidence.stage}"
    )


def _silent(evidence: Evidence) -> str:
    return (
        f"{evidence.silent} devices took the offer and were silent past their deadline; the budget of silence allows "
        f"{evidence.silent_limit}"
    )
