"""Makes the clouds agree with the progress: orders that are decided on are started, those that close are stopped.

Every act is idempotent under a name that depends on the plan alone, so it is repeated until a fleet has taken it, also
after a crash at any line. Before each act it is asked whether the rollout is still the one that was decided about, and
whether this process may still act on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from bridge.engine.observing import OpenFleet
from bridge.engine.progress import Order
from bridge.engine.record import Record
from bridge.engine.stage_orders import key_of, stage_order
from bridge.fleet import Fleet, FleetError
from bridge.planning.planned import Place

Changes = dict[tuple[Place, int], Order]


class Superseded(Exception):
    """The rollout is no longer the one that the acts were for; nothing more was done."""


@dataclass(frozen=True, slots=True)
class Acted:
    """The orders that fleets were told of, as they are now, and what fleets refused."""

    changes: Changes
    troubles: tuple[FleetError, ...]


class Actor:
    """Tells the fleets of one rollout. `require` is called before each act and raises to stop it."""

    def __init__(self, fleets: OpenFleet, require: Callable[[], None]) -> None:
        self._open = fleets
        self._require = require
        self._troubles: list[FleetError] = []

    def act(self, record: Record, blind: frozenset[Place]) -> Acted:
        """Withdraw first, so that no device is offered two things; places in `blind` could not be asked, and wait."""
        changes: Changes = {}
        for place, number, order in record.progress.each():
            if order.closing and not order.closed and self._stop(record, place, number, order):
                closed = place not in blind and is_over(order)
                changes[place, number] = msgspec.structs.replace(order, closed=closed)
        for place, number, order in record.progress.each():
            if needs_start(order) and place not in blind:
                self._start(record, place, number, order, changes)
        return Acted(changes, tuple(self._troubles))

    def _stop(self, record: Record, place: Place, number: int, order: Order) -> bool:
        """Also where no start is known: the process may have died right after it."""
        key = key_of(record.plan, place, number, order)
        return self._tell(place.fleet, lambda fleet: fleet.stop(key, record.reason))

    def _start(self, record: Record, place: Place, number: int, order: Order, changes: Changes) -> None:
        told = stage_order(record.plan, record.material, place, number, order)
        if self._tell(place.fleet, lambda fleet: fleet.start(told)):
            changes[place, number] = msgspec.structs.replace(order, told=order.admitted)

    def _tell(self, name: str, act: Callable[[Fleet], None]) -> bool:
        self._require()
        try:
            act(self._open(name))
        except FleetError as error:
            self._troubles.append(error)
            return False
        return True


def is_over(order: Order) -> bool:
    """Whether one withdrawal is enough: no device is in the middle, and none can have begun since it was counted. It is
    told again until then: some clouds give back what an order took only after the last device.
    """
    tally = order.tally
    return tally is None or not (tally.running or (tally.open and tally.waiting))


def needs_start(order: Order) -> bool:
    """Whether the fleet was not told of the order, or not of all that it may admit, or does not know it yet."""
    return not order.closing and not order.key and (order.told < order.admitted or order.tally is None)
