"""What one pass finds out: tallies into the progress, everything else into a sight. Asks fleets, changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

import msgspec

from bridge.engine.believable import believable, healthy
from bridge.engine.evidence import FORWARD, size_of
from bridge.engine.joining import joiners
from bridge.engine.orders import tell
from bridge.engine.progress import Order, Progress, State
from bridge.engine.proof import spare
from bridge.engine.record import Record
from bridge.engine.sight import Consent, FailedDevice, Sight, wants_figures, wants_joined, wants_reports
from bridge.engine.stage_orders import key_of
from bridge.errors import UsageError
from bridge.fleet import Fleet, FleetError, HealthCount
from bridge.planning.planned import Place, Plan
from bridge.planning.selection import MAX_DEVICES, bounded
from bridge.rollout.model import FleetPart
from bridge.tally import Tally

T = TypeVar("T")
STRAGGLERS = timedelta(minutes=30)
"""How old the counts of earlier stages may be while nothing depends on them."""

OpenFleet = Callable[[str], Fleet]
"""The fleet of a name in the configuration; called often, so it opens each fleet once. Raises: FleetError."""


def reachable(fleets: OpenFleet) -> OpenFleet:
    """A fleet with broken settings is a fleet that cannot be reached: the others must still be asked, and told."""

    def open_fleet(name: str) -> Fleet:
        try:
            return fleets(name)
        except UsageError as error:
            raise FleetError(str(error)) from error

    return open_fleet


@dataclass(frozen=True, slots=True)
class Observed:
    """The record with the newest tallies, what else was found out, and what fleets refused. `rested`: stragglers of
    earlier stages were not asked about.
    """

    record: Record
    sight: Sight
    troubles: tuple[FleetError, ...]
    rested: bool = False


class Observer:
    """Asks the fleets of one rollout. A fleet that refuses does not keep the others from being asked: `unseen` says of
    which places nothing is known now, and why.
    """

    def __init__(self, fleets: OpenFleet) -> None:
        self._open = fleets
        self.unseen: dict[Place, str] = {}
        self._troubles: list[FleetError] = []
        self._rested = False

    def look(
        self, record: Record, now: datetime, plan_consent: Consent, stage_consent: Consent, *, whole: bool = False
    ) -> Observed:
        """The newest of everything that matters now; with `whole`, of all stragglers, too."""
        plan, progress = record.plan, self.count(record, now, whole=whole)
        figures = wants_figures(plan, progress, now)
        sight = Sight(
            failed=self._failed(plan, progress) if wants_reports(plan, progress) else {},
            resets=self._resets(plan, progress) if figures else None,
            health=self._health(plan, progress) if figures else {},
            joined=self._joined(plan, progress)
            if not stage_consent.missing and wants_joined(plan, progress, now)
            else {},
            plan_consent=plan_consent,
            stage_consent=stage_consent,
            unseen=self.unseen,
        )
        return Observed(replace(record, progress=progress), sight, tuple(self._troubles), self._rested)

    def count(self, record: Record, now: datetime, *, whole: bool = True) -> Progress:
        """The progress with the newest tallies of all orders that may still change; of orders of earlier stages, unless
        `whole`, only now and then: in a large fleet there are always stragglers, and each look costs calls.
        """
        plan, progress = record.plan, record.progress
        changes: dict[tuple[Place, int], Order] = {}
        resting = not whole and may_any_rest(plan, progress)
        for place, number, order in progress.each():
            if not may_change(plan, progress, place, number, order):
                continue
            if resting and may_rest(progress, place, order, now):
                self._rested = True
                continue
            try:
                tally = believable(place.fleet, self._open(place.fleet).tally(key_of(plan, place, number, order)))
            except FleetError as error:
                self._miss(place, error)
                continue
            changes[place, number] = msgspec.structs.replace(order, tally=_newest(order, tally), asked=now)
        return tell(progress, changes)

    def _miss(self, place: Place, error: FleetError) -> None:
        self.unseen[place] = str(error)
        self._troubles.append(error)

    def _failed(self, plan: Plan, progress: Progress) -> Mapping[Place, tuple[FailedDevice, ...]]:
        """A place of which one order could not be read is left out: it is not known then who failed last."""
        found: dict[Place, list[FailedDevice]] = {}
        unread: set[Place] = set()
        for place, number, order in progress.each():
            if order.kind not in FORWARD or order.tally is None or not order.tally.bad:
                continue
            failed = self._reports(place, number, key_of(plan, place, number, order))
            found.setdefault(place, []).extend(failed or ())
            if failed is None:
                unread.add(place)
        return {place: tuple(failed) for place, failed in found.items() if place not in unread}

    def _reports(self, place: Place, number: int, key: str) -> list[FailedDevice] | None:
        """Each device once, also where it is told of twice."""

        def read(fleet: Fleet) -> list[FailedDevice]:
            reports = islice(fleet.reports(key), MAX_DEVICES)
            return list({each.device: FailedDevice(each.device, number, each.code) for each in reports}.values())

        return self._ask(place, read)

    def _resets(self, plan: Plan, progress: Progress) -> int | None:
        if plan.rollout.gates_of(progress.stage).watchdog_resets is None:
            return None
        found = [self._count_resets(name, keys) for name, keys in forward_keys(plan, progress)]
        return None if any(count is None for count in found) else sum(count or 0 for count in found)

    def _count_resets(self, name: str, keys: tuple[str, ...]) -> int | None:
        return self._ask(Place(0, name), lambda fleet: fleet.watchdog_resets(keys))

    def _health(self, plan: Plan, progress: Progress) -> Mapping[str, Mapping[str, HealthCount]]:
        """A gate of which one fleet could not be read is not read at all: half a figure judges nobody."""
        found: dict[str, Mapping[str, HealthCount]] = {}
        for gate in plan.rollout.gates_of(progress.stage).health:
            asked = [(name, keys) for name, keys in forward_keys(plan, progress) if name in gate.queries]
            counts = {name: self._count_health(name, keys, gate.queries[name]) for name, keys in asked}
            read = {name: count for name, count in counts.items() if count is not None}
            if asked and len(read) == len(asked):
                found[gate.name] = read
        return found

    def _count_health(self, name: str, keys: tuple[str, ...], query: str) -> HealthCount | None:
        return self._ask(Place(0, name), lambda fleet: healthy(name, fleet.health(keys, query)))

    def _joined(self, plan: Plan, progress: Progress) -> Mapping[str, tuple[str, ...]]:
        """Of fleets that select by bucket nothing: what joins them before a stage begins is in it already."""
        found: dict[str, tuple[str, ...]] = {}
        for fleet in plan.fleets:
            if fleet.facts.by_bucket or fleet.part.devices is not None:
                continue
            name = fleet.part.name
            found[name] = joiners(plan, progress, name, self._list(fleet.part))
        return found

    def _list(self, part: FleetPart) -> Mapping[str, str]:
        return self._ask(Place(0, part.name), lambda fleet: bounded(fleet, fleet.devices(part))) or {}

    def _ask(self, place: Place, question: Callable[[Fleet], T]) -> T | None:
        """The answer of the fleet of `place`, None where it could not be asked; the rollout is unmeasured then."""
        try:
            return question(self._open(place.fleet))
        except FleetError as error:
            self._miss(place, error)
            return None


def may_change(plan: Plan, progress: Progress, place: Place, number: int, order: Order) -> bool:
    """Whether the tally of an order is asked for: until every device ended, and always for the newest of the stage."""
    tally = order.tally
    if tally is None:
        return not order.closed
    newest = place.stage == progress.stage and number + 1 == len(progress.at(place)) and not order.closed
    return newest or (tally.ended < size_of(plan, place, order) and (tally.open or tally.running > 0))


def may_any_rest(plan: Plan, progress: Progress) -> bool:
    """Whether the rollout would bear it if all devices of earlier stages that are still to end came to harm unseen."""
    earlier = [order for place, _, order in progress.each() if place.stage < progress.stage]
    return sum(_left(order) for order in earlier) <= spare(plan, progress)


def _left(order: Order) -> int:
    if order.tally is None:
        return 0 if order.closed else order.size
    return order.tally.running + (order.tally.waiting if order.tally.open else 0)


def may_rest(progress: Progress, place: Place, order: Order, now: datetime) -> bool:
    """Whether the tally of an order of an earlier stage was asked for lately enough."""
    if place.stage >= progress.stage or progress.state is not State.RUNNING or order.closing or order.tally is None:
        return False
    return order.asked is not None and now - order.asked < STRAGGLERS


def _newest(order: Order, tally: Tally | None) -> Tally | None:
    """An order that a fleet once knew and no longer does: what ended counts, the rest is not to be expected."""
    if tally is not None or order.tally is None:
        return tally
    left = order.tally.waiting + order.tally.running
    return replace(order.tally, open=False, running=0, waiting=left, cancelled=left > 0)


def forward_keys(plan: Plan, progress: Progress) -> list[tuple[str, tuple[str, ...]]]:
    """For each fleet with orders the keys of those towards the new release."""
    keys: dict[str, list[str]] = {}
    for place, number, order in progress.each():
        if order.kind in FORWARD and order.tally is not None:
            keys.setdefault(place.fleet, []).append(key_of(plan, place, number, order))
    return [(fleet, tuple(some)) for fleet, some in keys.items()]
