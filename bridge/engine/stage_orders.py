"""What fleets are told: the orders of a plan, in the words of the port. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from bridge.engine.orders import whole
from bridge.engine.progress import Order, OrderKind
from bridge.engine.record import Material, Parcel
from bridge.fleet import Fleet, StageOrder
from bridge.planning.pace import pace
from bridge.planning.planned import Place, Plan


def key_of(plan: Plan, place: Place, number: int, order: Order) -> str:
    """The name by which the fleet knows the order `number` of `place`."""
    return order.key or plan.key(place, number)


def stage_order(plan: Plan, material: Material, place: Place, number: int, order: Order) -> StageOrder:
    """What the fleet of `place` is told."""
    cohort = plan.cohort(place)
    parcel, version = _parcel(plan, material, order)
    rate = pace(plan, place)
    cap = plan.fleet(place.fleet).facts.paces
    return StageOrder(
        key=key_of(plan, place, number, order),
        release=parcel.release,
        roots=material.roots,
        devices=order.devices or cohort.devices,
        timeout_minutes=plan.rollout.timeout_minutes,
        comment=f"{plan.rollout.name} {version}, stage {place.stage + 1} of {len(plan.stages)}, {order.kind}",
        buckets=() if order.devices else cohort.buckets,
        part=plan.fleet(place.fleet).part,
        models=plan.rollout.stages[place.stage].models,
        size=order.size,
        pace=None if rate is None or not cap else max(1, min(cap, math.floor(rate))),
        admitted=None if order.admitted >= order.size else order.admitted,
    )


def _parcel(plan: Plan, material: Material, order: Order) -> tuple[Parcel, str]:
    if order.kind is OrderKind.BACK and material.back is not None and plan.back is not None:
        return material.back, plan.back.version
    return material.new, plan.release.version


def check_orders(plan: Plan, material: Material, fleets: Mapping[str, Fleet], now: datetime) -> None:
    """Whether each fleet can be told every stage, and the way back, before the first is begun.

    Raises:
        LimitError: an order breaks a limit of its cloud; nothing was called.
    """
    kinds = (OrderKind.STAGE, OrderKind.BACK) if material.back else (OrderKind.STAGE,)
    for stage in range(len(plan.stages)):
        for place in plan.places(stage):
            for kind in kinds:
                order = whole(plan, place, kind, now)
                fleets[place.fleet].check(stage_order(plan, material, place, 0, order))
