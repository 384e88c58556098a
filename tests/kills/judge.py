"""What must hold however often, and wherever, controllers died. Reads the clouds and the store only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bridge.engine.progress import OrderKind
from bridge.engine.record import Record
from bridge.engine.stage_orders import key_of
from bridge.errors import BrokenLedger
from bridge.ledger import Act, verify
from bridge.store.store import Store
from tests.kills.scenarios import Scenario
from tests.kills.world import World


def violations(scenario: Scenario, world: World, store: Store, name: str) -> list[str]:
    """Everything that is wrong at the end; empty where all holds."""
    record = store.load(name)
    return [
        *_end(scenario, record),
        *_orders(world, record),
        *_ledger(store, record),
        *_open_orders(world),
    ]


def _end(scenario: Scenario, record: Record) -> Iterator[str]:
    if record.state is not scenario.ends:
        yield f"it ended {record.state} ({record.reason}), and should have ended {scenario.ends}"


def _orders(world: World, record: Record) -> Iterator[str]:
    """Each order in a cloud is one that was decided on, made once; no stage has one before the stage before it."""
    decided = {fleet: set[str]() for fleet in world.fleets}
    for place, number, order in record.progress.each():
        decided[place.fleet].add(key_of(record.plan, place, number, order))
    for name, fleet in world.fleets.items():
        for key in set(fleet.orders) - decided[name]:
            yield f"fleet {name} has {key}, which nobody decided on"
        for key, times in Counter(fleet.made).items():
            if times > 1:
                yield f"fleet {name} was made {key} {times} times"
    yield from _order_of_stages(world, record)


def _order_of_stages(world: World, record: Record) -> Iterator[str]:
    began: dict[int, float] = {}
    for place, number, order in record.progress.each():
        found = world.fleets[place.fleet].orders.get(key_of(record.plan, place, number, order))
        if found is not None and order.kind is OrderKind.STAGE:
            began[place.stage] = min(began.get(place.stage, found.began), found.began)
    for stage, moment in began.items():
        if stage and (stage - 1 not in began or began[stage - 1] >= moment):
            yield f"stage {stage + 1} began before stage {stage}"


def _ledger(store: Store, record: Record) -> Iterator[str]:
    links = store.ledger()
    try:
        verify(links)
    except BrokenLedger as error:
        yield f"the ledger does not hold: {error}"
    acts = Counter(link.entry.what for link in links if link.entry.rollout == record.name)
    advanced = acts[Act.ADVANCED]
    if advanced != record.progress.stage:
        yield f"the ledger tells of {advanced} advances, the rollout is at stage {record.progress.stage + 1}"
    for act in (Act.PLANNED, Act.PUBLISHED, Act.COMPLETED, Act.STOPPED, Act.ABORTED, Act.ROLLED_BACK):
        if acts[act] > 1:
            yield f"the ledger tells {acts[act]} times that it was {act}"


def _open_orders(world: World) -> Iterator[str]:
    """Nobody watches a rollout that has ended: no offer of it may be left open."""
    for name, fleet in world.fleets.items():
        for key, order in fleet.orders.items():
            tally = order.tally(world.seconds())
            if tally.open and tally.waiting:
                yield f"fleet {name} still offers {key} to {tally.waiting} devices"
