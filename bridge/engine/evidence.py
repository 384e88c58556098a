"""The counts behind a decision, made from the tallies of all orders of a rollout. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from bridge.engine.progress import Order, OrderKind, Orders, Progress
from bridge.planning.planned import Place, Plan
from bridge.tally import Tally

NOTHING = Tally()
BAD = "bad"
SILENT = "silent"
"""Names of the budget's figures in `Progress.forgiven`."""
FALLBACKS = "fallbacks"
"""The name of that gate, and of its figure."""
FORWARD = frozenset({OrderKind.STAGE, OrderKind.RETRY, OrderKind.LATE, OrderKind.ADOPTED})


@dataclass(frozen=True, slots=True)
class Evidence:
    """The counts behind a decision. `stage` counts from 1, as people do; the figures after it are the stage's.

    `bad`, `limit`, `silent` and `silent_limit` (None: silence spends the same budget) span all stages begun, less what
    was forgiven. `bad` holds the silent ones where they have no limit of their own. `retrying` failed, and are to be
    tried again.
    """

    stage: int
    devices: int
    waiting: int
    running: int
    ended: int
    installed: int
    withdrawn: int
    bad: int
    limit: int
    silent: int = 0
    silent_limit: int | None = None
    retrying: int = 0


@dataclass(frozen=True, slots=True)
class Spared:
    """Bad devices of one place that spend nothing yet, since they are to be tried again; `silent` ones among them."""

    devices: int
    silent: int


NOBODY = Spared(0, 0)


@dataclass(frozen=True, slots=True)
class PlaceCounts:
    """How the devices of one place stand, all its orders taken together. `started`: every order has a tally.

    `open`: the newest order may still be handed to devices. `withdrawn` devices were left out by an end that otabridge
    did not ask for; those that it withdrew itself are waiting for the next order. `retrying` ones are to be tried
    again: they are neither bad nor at their end.
    """

    size: int
    waiting: int
    running: int
    installed: int
    bad: int
    withdrawn: int
    started: bool
    open: bool
    cancelled: bool
    retrying: int = 0

    @property
    def ended(self) -> int:
        """Devices of which no more is expected."""
        return min(self.size, self.installed + self.bad + self.withdrawn)


def count(
    plan: Plan, place: Place, orders: Sequence[Order], kinds: frozenset[OrderKind] = FORWARD, retrying: int = 0
) -> PlaceCounts:
    """How the devices of `place` stand. Only the newest order of the whole stage counts its devices: a later one is for
    the same devices, and those that have the release answer it at once.
    """
    own = [order for order in live(orders) if order.kind in kinds]
    whole = max((number for number, order in enumerate(own) if is_whole(order)), default=0)
    now = own[whole:]
    tallies = [order.tally or NOTHING for order in now]
    retried = sum(order.size for order in now if order.kind is OrderKind.RETRY)
    size = sum(size_of(plan, place, order) for order in now if order.kind is not OrderKind.RETRY)
    first = now[0] if now else None
    left_out = sum(tally.withdrawn for order, tally in zip(now, tallies, strict=True) if not order.closing)
    return PlaceCounts(
        size=size if now else plan.cohort(place).size,
        waiting=sum(tally.waiting for tally in tallies) + sum(tally.withdrawn for tally in tallies) - left_out,
        running=sum((order.tally or NOTHING).running for order in own),
        installed=sum(tally.installed for tally in tallies),
        bad=max(0, sum(tally.bad for tally in tallies) - retried - retrying),
        withdrawn=left_out,
        started=bool(now) and all(order.tally is not None for order in now),
        open=any(tally.open for tally in tallies) and not (first and first.closing),
        cancelled=any(tally.cancelled and not order.closing for order, tally in zip(now, tallies, strict=True)),
        retrying=retrying,
    )


def live(orders: Sequence[Order]) -> tuple[Order, ...]:
    """Without orders for named devices that were withdrawn before their end and made again for the same devices."""
    return tuple(order for number, order in enumerate(orders) if not _is_remade(order, orders[number + 1 :]))


def _is_remade(order: Order, later: Sequence[Order]) -> bool:
    if not order.closing or not order.devices or is_done(order, order.size):
        return False
    return any((each.kind, each.devices) == (order.kind, order.devices) for each in later)


def is_done(order: Order, size: int) -> bool:
    """Whether none of `size` devices was left without the offer; those in the middle end by themselves."""
    tally = order.tally
    return tally is not None and not tally.withdrawn and not tally.waiting and tally.total >= size


def is_whole(order: Order) -> bool:
    """Whether the order is for all devices of its place."""
    return order.kind in {OrderKind.STAGE, OrderKind.BACK, OrderKind.ADOPTED} and not order.devices


def is_remade(at: Orders) -> bool:
    """Whether devices came to harm under more than one order for the whole of the place."""
    return sum(is_whole(order) and bool((order.tally or NOTHING).bad) for order in at.orders) > 1


def size_of(plan: Plan, place: Place, order: Order) -> int:
    """How many devices an order has. One by buckets has those that its cloud found when it was made; a cloud that
    found none at all did not look, or lost them.
    """
    if order.devices or not plan.cohort(place).buckets or order.tally is None:
        return order.size
    return order.tally.total or order.size


def forward_orders(progress: Progress) -> list[Order]:
    """The orders towards the new release, at all places."""
    return [order for at in progress.orders for order in live(at.orders) if order.kind in FORWARD]


def bad_events(plan: Plan, progress: Progress) -> int:
    """Failures, refusals and silences of all forward orders, less those that were tried again."""
    return sum(harm(plan, at, bad_of) for at in progress.orders)


def silent_events(plan: Plan, progress: Progress) -> int:
    """Devices that took an offer and were silent past their deadline, less those that were tried again."""
    return sum(harm(plan, at, silent_of) for at in progress.orders)


def bad_of(order: Order) -> tuple[int, int]:
    """How many devices came to harm under an order, and how many of them, or of others, are not counted any more."""
    return (order.tally or NOTHING).bad, order.again


def silent_of(order: Order) -> tuple[int, int]:
    """The same of the devices that fell silent."""
    return (order.tally or NOTHING).timed_out, order.silent


def harm(plan: Plan, at: Orders, count_of: Callable[[Order], tuple[int, int]]) -> int:
    """What the orders of one place add up to. An order made again after a pause offers the release to the same devices:
    of those that came to harm before it, as many count as have not ended again.
    """
    whole = late = 0
    for order in live(at.orders):
        harmed, again = count_of(order)
        if order.kind is OrderKind.LATE:
            late += harmed
        elif order.kind in FORWARD:
            left = whole - again
            whole = harmed + (min(max(0, left), _left(plan, at.place, order)) if is_whole(order) else left)
    return max(0, whole + late)


def _left(plan: Plan, place: Place, order: Order) -> int:
    tally = order.tally or NOTHING
    return max(0, size_of(plan, place, order) - tally.installed - tally.bad)


def weigh(plan: Plan, progress: Progress, spared: Mapping[Place, Spared] | None = None) -> Evidence:
    """The counts of the current stage, and the budget over all stages begun; `spared` devices spend nothing."""
    spared = spared or {}
    stage = progress.stage
    here = stage_now(plan, progress, spared).values()
    allowed = plan.rollout.budget.silent
    retrying = sum(each.devices for each in spared.values())
    quiet = sum(each.silent for each in spared.values())
    silent = max(0, silent_events(plan, progress) - quiet - progress.forgiven.get(SILENT, 0))
    bad = max(0, bad_events(plan, progress) - retrying - progress.forgiven.get(BAD, 0))
    return Evidence(
        stage=stage + 1,
        devices=sum(place.size for place in here),
        waiting=sum(place.waiting for place in here),
        running=sum(place.running for place in here),
        ended=sum(place.ended for place in here),
        installed=sum(place.installed for place in here),
        withdrawn=sum(place.withdrawn for place in here),
        bad=bad if allowed is None else max(0, bad - silent),
        limit=limit(plan, stage),
        silent=silent,
        silent_limit=allowed,
        retrying=retrying,
    )


def stage_now(plan: Plan, progress: Progress, spared: Mapping[Place, Spared]) -> dict[Place, PlaceCounts]:
    """How each place of the current stage stands; devices may have joined where the plan has none."""
    joined = (at.place for at in progress.orders if at.stage == progress.stage)
    return {
        place: count(plan, place, progress.at(place), retrying=spared.get(place, NOBODY).devices)
        for place in (*plan.places(progress.stage), *joined)
    }


def limit(plan: Plan, stage: int) -> int:
    """How many devices may be bad while `stage` is the newest begun: the larger of the budget's two figures."""
    budget = plan.rollout.budget
    return max(budget.failures, math.floor(Fraction(str(budget.percent)) * plan.begun(stage) / 100))
