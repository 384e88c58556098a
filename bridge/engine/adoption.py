"""A job or deployment that was made without otabridge, as a rollout of one stage in one fleet: seen and ended, no more.

Nothing of it can be made again: what its devices were offered is known to its cloud alone. Pure.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from bridge.engine.progress import Order, OrderKind, Orders, Progress, State
from bridge.engine.record import Material, Parcel, Record
from bridge.errors import UsageError
from bridge.fleet import Adopted
from bridge.planning.plan import digest_of
from bridge.planning.planned import Cohort, Facts, Plan, PlannedFleet, PlannedRelease, PlannedStage
from bridge.release.bucket import BUCKETS, Buckets
from bridge.rollout.model import FleetPart, Rollout, Stage
from bridge.rollout.rules import Budget, Gates

ANY_NUMBER = 100_000_000
"""More failed devices than any cloud holds: nothing stops the rollout."""
EVERYBODY = (Buckets(0, BUCKETS - 1),)
FOR_EVER = "5000w"
"""It is not paused while its fleet is away: a pause would cancel it."""


def adopted_plan(name: str, fleet: str, facts: Facts, adopted: Adopted, failures: int | None) -> Plan:
    """The plan: all devices of the job at once; `failures` may fail before it is stopped, None: any number."""
    rollout = Rollout(
        name=name,
        release=adopted.native,
        fleets=(fleet,),
        stages=(Stage(percent=100.0),),
        budget=Budget(ANY_NUMBER if failures is None else failures),
        gates=Gates(unknown_limit=FOR_EVER),
    )
    size = max(1, adopted.size)  # one that has no devices yet may get some
    cohort = Cohort(fleet, buckets=EVERYBODY, count=size, models={"": size})
    planned = PlannedFleet(FleetPart(fleet), facts, {"": size})
    plan = Plan(rollout, PlannedRelease("", adopted.version), (planned,), (PlannedStage((cohort,)),), digest="")
    return msgspec.structs.replace(plan, digest=digest_of(plan))


def adopt(plan: Plan, adopted: Adopted, now: datetime) -> Record:
    """The rollout that watches `adopted`, as it is first recorded."""
    (fleet,) = plan.fleets
    size = plan.stages[0].size
    order = Order(OrderKind.ADOPTED, size, adopted.created, admitted=size, told=size, key=adopted.key)
    progress = Progress(state=State.RUNNING, begun=adopted.created, orders=(Orders(0, fleet.part.name, (order,)),))
    reason = f"{adopted.native} of fleet {fleet.part.name} was made without otabridge, and is watched from now on"
    return Record(plan, Material(Parcel(b"", Path()), ()), created=now, updated=now, progress=progress, reason=reason)


def require_same(found: Record, plan: Plan, adopted: Adopted) -> None:
    """Whether `found` watches `adopted` already. Raises: UsageError where it is another rollout."""
    keys = [(place.fleet, order.key) for place, _, order in found.progress.each()]
    if keys != [(plan.fleets[0].part.name, adopted.key)]:
        raise UsageError(
            f"rollout {found.name} is {found.state} and is not {adopted.native}: import it under another name"
        )
