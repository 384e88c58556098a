"""Plans and progress for tests of what is pure: no store, no controller, no fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from bridge.engine.decide import Decision, Wait
from bridge.engine.orders import begin, each
from bridge.engine.progress import Order, OrderKind, Orders, Progress, State
from bridge.engine.sight import FailedDevice, Sight
from bridge.ledger import Act
from bridge.planning.planned import Closure, Cohort, Facts, Place, Plan, PlannedFleet, PlannedRelease, PlannedStage
from bridge.release.bucket import Buckets
from bridge.release.errors import FailureCode
from bridge.rollout.model import FleetPart, Rollout
from bridge.tally import Tally

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FACTORY, DEPOT = "factory", "depot"
MINUTE = timedelta(minutes=1)
RELEASE = PlannedRelease("00" * 32, "2.0.0")
PREVIOUS = PlannedRelease("11" * 32, "1.9.0")
WINDOW = {"cron": "0 12 * * *", "duration": "1h"}
"""Open from 12 to 13 o'clock UTC: at NOW it opens."""
GOOD2, GOOD1, GOOD4 = Tally(installed=2, open=False), Tally(installed=1, open=False), Tally(installed=4, open=False)
HOUR = timedelta(hours=1)
F1, D1 = Place(0, FACTORY), Place(0, DEPOT)
GONE = Sight(unseen={D1: "fleet depot: throttled"})


def ids(prefix: str, count: int) -> tuple[str, ...]:
    """`count` device ids: prefix-000, prefix-001, ..."""
    return tuple(f"{prefix}-{number:03}" for number in range(count))


def new_rollout(**changes) -> Rollout:
    """10, 50, 100 per cent of fleets `factory` and `depot`, no failure allowed, unless `changes` say otherwise."""
    fields = {
        "name": "gates",
        "release": "release",
        "fleets": [FACTORY, DEPOT],
        "stages": [{"percent": 10}, {"percent": 50}, {"percent": 100}],
    }
    return msgspec.convert({**fields, **changes}, Rollout)


def new_plan(
    *sizes: tuple[int, int],
    facts: Facts | None = None,
    by_bucket: bool = False,
    closures: tuple[Closure, ...] = (),
    **changes,
) -> Plan:
    """A plan whose stages have so many devices in the factory and in the depot; it knows a way back.

    Without `stages` among the `changes` of the rollout they are percentages, the last one 100.
    """
    stages = [{"percent": 100.0 * (number + 1) / len(sizes)} for number in range(len(sizes))]
    facts = facts or Facts("test", by_bucket=by_bucket)
    return Plan(
        rollout=new_rollout(**{"stages": stages, "roll_back": {"release": "previous"}, **changes}),
        release=RELEASE,
        fleets=tuple(PlannedFleet(FleetPart(name), facts, {}) for name in (FACTORY, DEPOT)),
        stages=tuple(_stage(number, pair, by_bucket=by_bucket) for number, pair in enumerate(sizes)),
        digest="ab" * 32,
        back=PREVIOUS,
        closures=closures,
    )


def _stage(number: int, sizes: tuple[int, int], *, by_bucket: bool) -> PlannedStage:
    return PlannedStage(
        tuple(
            _cohort(name, number, size, by_bucket=by_bucket) for name, size in zip((FACTORY, DEPOT), sizes, strict=True)
        )
    )


def _cohort(fleet: str, number: int, size: int, *, by_bucket: bool) -> Cohort:
    if by_bucket:
        return Cohort(fleet, buckets=(Buckets(1000 * number, 1000 * number + 999),) if size else (), count=size)
    return Cohort(fleet, ids(f"{fleet}-s{number + 1}", size))


def running(plan: Plan, *stages: Mapping[str, Tally], since: datetime = NOW) -> Progress:
    """A rollout in the stage of the last of the `stages`; each says how its orders stand, by fleet; others are new."""
    progress = Progress(State.RUNNING)
    for number, tallies in enumerate(stages):
        progress = begin(plan, progress, number, since)
        for fleet, tally in tallies.items():
            progress = report(progress, Place(number, fleet), tally)
    return progress


def report(progress: Progress, place: Place, tally: Tally, number: int = -1) -> Progress:
    """`progress` with a new tally of the order `number` at `place`, the newest unless given."""
    wanted = number % len(progress.at(place))

    def told(at: Place, index: int, order: Order) -> Order:
        if (at, index) != (place, wanted):
            return order
        return msgspec.structs.replace(order, tally=tally, told=order.admitted)

    return each(progress, told)


def changed(progress: Progress, place: Place, number: int = -1, **changes) -> Progress:
    """`progress` with fields of one order changed."""
    wanted = number % len(progress.at(place))
    return each(
        progress,
        lambda at, index, order: msgspec.structs.replace(order, **changes) if (at, index) == (place, wanted) else order,
    )


def with_orders(place: Place, orders: Sequence[Order], **fields) -> Progress:
    """A running rollout with just these orders."""
    return Progress(
        State.RUNNING, stage=place.stage, orders=(Orders(place.stage, place.fleet, tuple(orders)),), **fields
    )


def kinds(progress: Progress, place: Place) -> list[OrderKind]:
    """What orders `place` has, oldest first."""
    return [order.kind for order in progress.at(place)]


def opened(progress: Progress, place: Place) -> list[bool]:
    """Which orders of `place` are not withdrawn, oldest first."""
    return [not order.closing for order in progress.at(place)]


def first(factory: Tally | None = None, depot: Tally | None = None) -> tuple[dict[str, Tally], ...]:
    """Tallies of stage 1 alone; None where a fleet has not told any."""
    found = {FACTORY: factory, DEPOT: depot}
    return ({name: tally for name, tally in found.items() if tally is not None},)


def second(factory: Tally, depot: Tally) -> tuple[dict[str, Tally], ...]:
    """Tallies of stage 2, after a good stage 1."""
    return (*first(GOOD2, GOOD1), {FACTORY: factory, DEPOT: depot})


def outcome(decision: Decision) -> Act | Wait:
    """What it came to: the act, or what a held rollout waits for."""
    return decision.wait if decision.act is Act.HELD and decision.wait else decision.act


def failed(*codes: FailureCode | None, number: int = 0, place: Place = F1) -> Sight:
    """The first devices of `place` failed in order `number`, with these codes."""
    devices = tuple(FailedDevice(f"factory-s1-{index:03}", number, code) for index, code in enumerate(codes))
    return Sight(failed={place: devices})


def broken(*orders: int, device: str = "factory-s1-000") -> tuple[FailedDevice, ...]:
    """One device that failed in each of the orders."""
    return tuple(FailedDevice(device, number, FailureCode.SLOT_WRITE) for number in orders)
