"""What a step has to say so that a handler can do it, held against what it says."""

from __future__ import annotations

from collections.abc import Collection

from agent.handling import StepError
from bridge.release.step import Place, Step


def who(step: Step) -> str:
    """What errors about `step` begin with."""
    return f"step {step.name}"


def require_place(step: Step, place: Place, why: str) -> None:
    """Raises: StepError where the step changes something else; `why` says what this handler is for."""
    if step.place is not place:
        raise StepError(f"{who(step)}: place is {step.place.value!r}; {why}")


def require_settings(step: Step, names: Collection[str]) -> None:
    """All of `names`, each with a value, and no other: a misspelt one would be passed over.

    Raises: StepError naming the setting.
    """
    listed = ", ".join(names) or "none"
    surplus = next((name for name in step.settings if name not in names), None)
    if surplus is not None:
        raise StepError(f"{who(step)}: settings.{surplus} is not understood by {step.handler!r}; there are: {listed}")
    missing = next((name for name in names if not step.settings.get(name)), None)
    if missing is not None:
        raise StepError(f"{who(step)}: settings.{missing} is missing; handler {step.handler!r} needs: {listed}")
