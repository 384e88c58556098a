"""How the orders of a rollout are made, paced, withdrawn and made again: one progress in, the next one out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial

import msgspec

from bridge.engine.evidence import is_done, is_whole, live, size_of
from bridge.engine.progress import Order, OrderKind, Orders, Progress
from bridge.planning.pace import admitted
from bridge.planning.planned import Place, Plan

MINUTE = timedelta(minutes=1)


def begin(plan: Plan, progress: Progress, stage: int, now: datetime) -> Progress:
    """An order for every place of `stage` (from 0), which is the newest from now on."""
    begun = msgspec.structs.replace(progress, stage=stage, begun=now, proven=None)
    for place in plan.places(stage):
        begun = add(begun, place, whole(plan, place, OrderKind.STAGE, now))
    return begun


def whole(plan: Plan, place: Place, kind: OrderKind, now: datetime) -> Order:
    """An order for all devices of `place`."""
    size = plan.cohort(place).size
    return Order(kind, size, now, admitted=admitted(plan, place, size, now, now))


def some(plan: Plan, place: Place, kind: OrderKind, devices: tuple[str, ...], now: datetime) -> Order:
    """An order for `devices` by name."""
    return Order(kind, len(devices), now, admitted(plan, place, len(devices), now, now), devices)


def add(progress: Progress, place: Place, order: Order) -> Progress:
    """`progress` with one more order at `place`."""
    return _put(progress, place, (*progress.at(place), order))


def each(progress: Progress, change: Callable[[Place, int, Order], Order]) -> Progress:
    """`progress` with every order as `change(place, number, order)` makes it."""
    return msgspec.structs.replace(
        progress,
        orders=tuple(
            Orders(at.stage, at.fleet, tuple(change(at.place, number, order) for number, order in enumerate(at.orders)))
            for at in progress.orders
        ),
    )


def withdraw(progress: Progress) -> Progress:
    """Every order is to be withdrawn."""
    return each(progress, lambda _place, _number, order: msgspec.structs.replace(order, closing=True))


def finish(progress: Progress) -> Progress:
    """Every order is to be withdrawn, but for those of others, which go on without us."""

    def end(_place: Place, _number: int, order: Order) -> Order:
        ours = order.kind is not OrderKind.ADOPTED
        return msgspec.structs.replace(order, closing=ours, closed=not ours or order.closed)

    return each(progress, end)


def is_offering(progress: Progress) -> bool:
    """Whether any order may still be offered to a device that has not begun."""
    return any(not order.closing and (order.tally is None or order.tally.open) for _, _, order in progress.each())


def reopen(plan: Plan, progress: Progress, now: datetime) -> Progress:
    """New orders for what was withdrawn before all its devices had ended."""
    opened = progress
    for at in progress.orders:
        for order in _unfinished(plan, at):
            opened = add(opened, at.place, _again(plan, at.place, order, now))
    return opened


def _unfinished(plan: Plan, at: Orders) -> Iterator[Order]:
    """The newest order for the whole stage; and those for named devices, of which it holds the retried ones."""
    left_out = partial(_is_unfinished, plan, at.place)
    newest = max((number for number, order in enumerate(at.orders) if order.kind is OrderKind.STAGE), default=None)
    stage = [] if newest is None else list(filter(left_out, at.orders[newest : newest + 1]))
    yield from stage
    yield from filter(left_out, (order for order in live(at.orders) if order.kind is OrderKind.LATE))
    if not stage:
        since = live(at.orders[newest or 0 :])
        yield from filter(left_out, (order for order in since if order.kind is OrderKind.RETRY))


def _is_unfinished(plan: Plan, place: Place, order: Order) -> bool:
    return order.closing and not is_done(order, size_of(plan, place, order))


def _again(plan: Plan, place: Place, order: Order, now: datetime) -> Order:
    """Devices that ended under `order` do not wait for their turn once more."""
    new = _anew(plan, place, order, now)
    before = order.before if order.tally is None else max(order.before, order.tally.installed + order.tally.bad)
    return msgspec.structs.replace(new, before=before, admitted=min(new.size, before + new.admitted))


def _anew(plan: Plan, place: Place, order: Order, now: datetime) -> Order:
    if order.kind is OrderKind.STAGE:
        return whole(plan, place, order.kind, now)
    named = some(plan, place, order.kind, order.devices, now)
    return msgspec.structs.replace(named, again=order.again, silent=order.silent)


def turn_back(plan: Plan, progress: Progress, now: datetime) -> Progress:
    """Every forward order withdrawn, and at every place begun one towards the previous release for whom each was."""
    back = withdraw(progress)
    for at in progress.orders:
        for order in _to_turn_back(plan, at, now):
            back = add(back, at.place, order)
    return back


def _to_turn_back(plan: Plan, at: Orders, now: datetime) -> Iterator[Order]:
    if any(order.kind is OrderKind.BACK for order in at.orders):
        return
    if any(is_whole(order) for order in at.orders):
        yield whole(plan, at.place, OrderKind.BACK, now)
    for order in live(at.orders):
        if order.kind is OrderKind.LATE:
            yield some(plan, at.place, OrderKind.BACK, order.devices, now)


def admit(plan: Plan, progress: Progress, now: datetime) -> Progress:
    """Every open order with as many devices admitted as the pace allows by now; never fewer than before."""

    def more(place: Place, _: int, order: Order) -> Order:
        if order.closing:
            return order
        allowed = order.before + admitted(plan, place, order.size, order.since, now)
        return msgspec.structs.replace(order, admitted=max(order.admitted, min(order.size, allowed)))

    return each(progress, more)


def catch_up(progress: Progress, now: datetime) -> Progress:
    """`progress` whose orders are as much younger as fleets were beyond reach: their pace has not saved up devices."""
    if progress.unknown_since is None:
        return progress
    lost = now - progress.unknown_since
    return each(progress, lambda _place, _number, order: msgspec.structs.replace(order, since=order.since + lost))


def tell(progress: Progress, changes: Mapping[tuple[Place, int], Order]) -> Progress:
    """`progress` with some orders replaced, by place and number."""
    return each(progress, lambda place, number, order: changes.get((place, number), order))


def _put(progress: Progress, place: Place, orders: Iterable[Order]) -> Progress:
    new = Orders(place.stage, place.fleet, tuple(orders))
    if any(at.place == place for at in progress.orders):
        kept = tuple(new if at.place == place else at for at in progress.orders)
    else:
        kept = (*progress.orders, new)
    return msgspec.structs.replace(progress, orders=kept)
