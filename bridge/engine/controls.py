"""What a person may tell a rollout: pause, resume, promote, roll back, abort. Pure; each twice is each once.

A control changes the progress; the next pass tells the fleets. `None` means that the rollout is so already.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from bridge.engine.breaches import FAILURE_RATE, RESETS, SIGN_OFF, UNKNOWN, health_key
from bridge.engine.evidence import BAD, FALLBACKS, SILENT, bad_events, silent_events
from bridge.engine.orders import reopen, turn_back, withdraw
from bridge.engine.progress import OrderKind, Progress, State
from bridge.errors import UsageError
from bridge.planning.planned import Plan


def pause(plan: Plan, progress: Progress, now: datetime) -> Progress | None:  # noqa: ARG001 - one shape for all controls
    """Withdraw every offer until it is resumed. Raises: UsageError where there is nothing to pause."""
    if progress.state is State.PAUSED:
        return None
    if progress.state is not State.RUNNING:
        raise UsageError(f"rollout {plan.rollout.name} is {progress.state}: only a running rollout can be paused")
    _require_own(plan, progress, "paused")
    return msgspec.structs.replace(withdraw(progress), state=State.PAUSED, breach=None)


def resume(plan: Plan, progress: Progress, now: datetime) -> Progress | None:
    """Go on. What a breach was about is forgiven: it was looked at, and what comes after counts anew.

    Raises: UsageError where it is not paused.
    """
    if progress.state is State.RUNNING:
        return None
    if progress.state is not State.PAUSED:
        raise UsageError(f"rollout {plan.rollout.name} is {progress.state}: only a paused rollout can be resumed")
    _require_own(plan, progress, "resumed")
    resumed = msgspec.structs.replace(
        progress,
        state=State.RUNNING,
        breach=None,
        forgiven=_forgiven(plan, progress),
        unknown_since=None,
        unknown_passes=0,
    )
    return reopen(plan, resumed, now)


def _require_own(plan: Plan, progress: Progress, what: str) -> None:
    if any(order.kind is OrderKind.ADOPTED for _, _, order in progress.each()):
        raise UsageError(
            f"rollout {plan.rollout.name} cannot be {what}: {plan.rollout.release} was made without otabridge, which "
            "could withdraw its offers but not make them again; abort it to withdraw them for good"
        )


def promote(
    plan: Plan,
    progress: Progress,
    now: datetime,  # noqa: ARG001 - one shape for all controls
    stage: int | None = None,
) -> Progress | None:
    """Let the current stage pass without the rest of its soak and of its evidence; the budget still holds.

    With `stage` (from 0), only that one: told again once it has passed, this does not promote the next.
    Raises: UsageError where no stage is under way, or `stage` has not begun.
    """
    if stage is not None and stage < progress.stage:
        return None
    if progress.state is State.PAUSED:
        raise UsageError(f"rollout {plan.rollout.name} is paused: resume it first, then promote the stage")
    if progress.state is not State.RUNNING:
        raise UsageError(f"rollout {plan.rollout.name} is {progress.state}: only a running one has a stage to promote")
    if stage is not None and stage > progress.stage:
        raise UsageError(f"rollout {plan.rollout.name} is at stage {progress.stage + 1}, not yet at {stage + 1}")
    if progress.promoted == progress.stage:
        return None
    return msgspec.structs.replace(progress, promoted=progress.stage)


def promote_stage(stage: int) -> Callable[[Plan, Progress, datetime], Progress | None]:
    """`promote` for `stage` (from 0) alone: said again, it does not promote the next one.

    Raises (when used): UsageError where that stage has not begun, or cannot be promoted.
    """

    def control(plan: Plan, progress: Progress, now: datetime) -> Progress | None:
        if stage < progress.stage or (stage == progress.stage and progress.state is State.COMPLETED):
            return None
        if stage > progress.stage or progress.begun is None:
            at = f"is at stage {progress.stage + 1}" if progress.begun else "has begun no stage"
            raise UsageError(f"rollout {plan.rollout.name} {at}: stage {stage + 1} cannot be promoted before it begins")
        return promote(plan, progress, now)

    return control


def roll_back(plan: Plan, progress: Progress, now: datetime) -> Progress | None:
    """Offer the previous release to every device of the stages begun.

    Raises: UsageError where the file names no previous release, nothing was begun, or it has ended.
    """
    if progress.state in {State.ROLLING_BACK, State.ROLLED_BACK}:
        return None
    if plan.back is None:
        raise UsageError(
            f"rollout {plan.rollout.name} names no previous release: roll_back.release in its file is the way back"
        )
    if progress.state not in {State.RUNNING, State.PAUSED}:
        raise UsageError(
            f"rollout {plan.rollout.name} is {progress.state}: only one that runs or is paused can be rolled back; "
            "otherwise roll out the previous release under a new name"
        )
    return msgspec.structs.replace(turn_back(plan, progress, now), state=State.ROLLING_BACK)


def abort(plan: Plan, progress: Progress, now: datetime) -> Progress | None:  # noqa: ARG001 - one shape for all controls
    """End it for good and withdraw its offers. Raises: UsageError where it has come to its own end."""
    if progress.state in {State.COMPLETED, State.ROLLED_BACK}:
        raise UsageError(f"rollout {plan.rollout.name} is {progress.state}: there is nothing to abort")
    if progress.state.is_final:
        return None
    return msgspec.structs.replace(withdraw(progress), state=State.ABORTED)


def _forgiven(plan: Plan, progress: Progress) -> dict[str, int]:
    """Where nothing was broken by devices, nothing is forgiven them."""
    if progress.breach is None or progress.breach.gate in {UNKNOWN, SIGN_OFF}:
        return progress.forgiven
    stage = progress.stage + 1
    gates = plan.rollout.gates_of(progress.stage)
    return {
        BAD: bad_events(plan, progress),
        SILENT: silent_events(plan, progress),
        FAILURE_RATE: stage,
        FALLBACKS: progress.figures.get(FALLBACKS, 0),
        RESETS: progress.figures.get(RESETS, 0),
        **{health_key(gate.name): stage for gate in gates.health},
    }
