"""Which devices joined a fleet after the plan was made, and belong to its last stage. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.engine.progress import Progress
from bridge.planning.cohort import rank
from bridge.planning.planned import Plan


def joiners(plan: Plan, progress: Progress, fleet: str, listed: Mapping[str, str]) -> tuple[str, ...]:
    """Of the devices that `fleet` lists now (id to hardware model) those that the last stage would have had.

    A stage takes the first devices in order of position. One that is listed before the last of them, and that nobody
    planned, was not there; one after it may have been, and was not wanted.
    """
    known, last = _known(plan, progress, fleet), _last(plan, fleet)
    models = plan.rollout.stages[-1].models
    new = (device for device, model in listed.items() if device not in known and (not models or model in models))
    return tuple(sorted(device for device in new if last is None or rank(plan.rollout.name, device) < last))


def _known(plan: Plan, progress: Progress, fleet: str) -> set[str]:
    """Devices of the fleet that any stage or order names."""
    planned = (cohort.devices for stage in plan.stages for cohort in stage.cohorts if cohort.fleet == fleet)
    ordered = (order.devices for place, _, order in progress.each() if place.fleet == fleet)
    return {device for devices in (*planned, *ordered) for device in devices}


def _last(plan: Plan, fleet: str) -> tuple[int, str] | None:
    """Where the last stage ends in the order of positions: None when it is for every device of its models."""
    if plan.rollout.stages[-1].percent == 100:  # noqa: PLR2004 - all of them
        return None
    taken = [device for cohort in plan.stages[-1].cohorts if cohort.fleet == fleet for device in cohort.devices]
    return max((rank(plan.rollout.name, device) for device in taken), default=(-1, ""))
