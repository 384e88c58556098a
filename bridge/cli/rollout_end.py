"""How a rollout ended, as an exit code and a sentence."""

from __future__ import annotations

from bridge.engine.decide import Wait
from bridge.engine.progress import State
from bridge.engine.record import Record
from bridge.errors import (
    GateFailed,
    NotApproved,
    RolloutAborted,
    RolloutInconclusive,
    RolloutPaused,
    RolloutRolledBack,
    RolloutStopped,
)
from bridge.release.errors import OtabridgeError

SPENT = frozenset({"budget", "silence"})
"""Breaches of the budget; the others are gates."""
WAITING: dict[str, type[OtabridgeError]] = {
    Wait.APPROVAL: NotApproved,
    Wait.INCONCLUSIVE: RolloutInconclusive,
    Wait.RESUME: RolloutPaused,
}


def end_of(record: Record) -> OtabridgeError | None:
    """What is to be told of a rollout that has ended badly, or that a person must act on; None of all others."""
    text = f"rollout {record.name} is {_why(record)}"
    match record.state:
        case State.STOPPED:
            broken = record.progress.breach
            kind = RolloutStopped if broken is None or broken.gate in SPENT else GateFailed
            return kind(f"{text}. Fix the release, then start it as a rollout of another name")
        case State.ABORTED:
            return RolloutAborted(text)
        case State.ROLLED_BACK | State.ROLLING_BACK:
            return RolloutRolledBack(text)
        case State.COMPLETED:
            return None
    waiting = Wait.RESUME if record.state is State.PAUSED else record.progress.waiting
    if waiting not in WAITING:
        return None
    return WAITING[waiting](text if waiting == Wait.APPROVAL else f"{text}. {_next_step(record)}")


def _why(record: Record) -> str:
    """The state with its reason, which may name the state itself."""
    return record.reason if record.reason.startswith(record.state) else f"{record.state}: {record.reason}"


def _next_step(record: Record) -> str:
    return f"`otabridge rollout explain {record.name}` says what would move it on"
