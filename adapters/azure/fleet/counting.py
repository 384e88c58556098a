"""How an order stands, asked of the hub and of Device Update; nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from adapters.azure.fleet import queries
from adapters.azure.fleet.orders import Held, State
from adapters.azure.fleet.services import Services
from adapters.azure.fleet.standings import Counts, bad_report, counts, deadline, late_report, tally
from bridge.fleet import DeviceReport
from bridge.tally import Tally


@dataclass(frozen=True, slots=True)
class Seen:
    """How an order stands; `is_taken` says that others cancelled or deleted its deployment before all had ended."""

    tally: Tally
    is_taken: bool = False


class Counting:
    """Counts devices of orders. Raises what Azure's libraries raise, and Refused."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def tally(self, stage: str) -> Tally | None:
        """The tally of the order of `stage`, whose record did not change while its devices were counted: one that is
        stopped or closed meanwhile loses devices, cancelled or given back, that nobody took away.

        None for one that was never started, or is being started.
        """
        held = self._services.orders.read(stage)
        while held is not None and held.record.tally is None and held.record.state is not State.STARTING:
            seen = self.count(held)
            again = self._services.orders.read(stage)
            if again is not None and again.version == held.version:
                return seen.tally
            held = again
        return None if held is None else held.record.tally

    def count(self, held: Held) -> Seen:
        """The tally of an order whose devices still carry its tag."""
        stage, size = held.stage, held.record.size
        seen = counts(stage, self._services.twins.rows(queries.standings(stage)))
        late = self._late(held, seen)
        if held.record.state is not State.OPEN:
            return Seen(tally(seen, size, late, over=True))
        now = tally(seen, size, late, over=False)
        if now.ended < size and self._is_taken(stage):
            return Seen(tally(seen, size, late, over=True), is_taken=True)
        return Seen(now)

    def reports(self, held: Held) -> Iterator[DeviceReport]:
        """How the devices ended that did not install, as far as they or the time have told."""
        stage, minutes = held.stage, held.record.timeout_minutes
        twins = self._services.twins
        found = (bad_report(stage, row) for row in twins.rows(queries.bad_devices(stage)))
        yield from (report for report in found if report is not None)
        yield from (late_report(row, minutes) for row in twins.rows(queries.late_devices(stage, self._moment(held))))

    def _late(self, held: Held, seen: Counts) -> int:
        if not seen.running:
            return 0
        return self._services.twins.count(queries.late(held.stage, self._moment(held)))

    def _moment(self, held: Held) -> str:
        """By the hub's clock, which has noted when each device began."""
        return deadline(self._services.twins.now(), held.record.timeout_minutes)

    def _is_taken(self, stage: str) -> bool:
        found = self._services.deployments.find(stage)
        return found is None or found.is_cancelled
