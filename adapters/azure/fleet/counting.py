"""How an order stands, asked of the hub and of Device Update; nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain

from adapters.azure.fleet import queries
from adapters.azure.fleet.orders import Held, State
from adapters.azure.fleet.refusals import Waiting
from adapters.azure.fleet.services import Services
from adapters.azure.fleet.standings import Counts, bad_report, counts, deadline, late_report, tally
from bridge.fleet import DeviceReport
from bridge.tally import Tally

LOOKS = 3


@dataclass(frozen=True, slots=True)
class Seen:
    """How an order stands; `is_taken` says that others cancelled or deleted its deployment before all had ended."""

    tally: Tally
    is_taken: bool = False


class Counting:
    """Counts devices of orders. Raises what Azure's libraries raise, Refused and Waiting."""

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
        record = held.record
        seen = self._counts(held)
        count = partial(tally, seen, record.size, self._late(held, seen), joined=record.joined)
        if record.state is not State.OPEN:
            return Seen(count(over=True))
        now = count(over=False)
        if now.ended < record.size and self.is_taken(held):
            return Seen(count(over=True), is_taken=True)
        return Seen(now)

    def reports(self, held: Held) -> Iterator[DeviceReport]:
        """How the devices ended that did not install, as far as they or the time have told; each once, also those that
        another order has taken.
        """
        told = set()
        for report in chain(self._bad(held), self._too_late(held), held.record.reports):
            if report.device not in told:
                told.add(report.device)
                yield report

    def _bad(self, held: Held) -> Iterator[DeviceReport]:
        rows = self._services.twins.rows(queries.bad_devices(held.stage))
        return (report for row in rows if (report := bad_report(held.stage, row)) is not None)

    def _too_late(self, held: Held) -> Iterator[DeviceReport]:
        """Asked last: by then the hub has told its time."""
        for row in self._services.twins.rows(queries.late_devices(held.stage, self._moment(held))):
            yield late_report(row, held.record.timeout_minutes)

    def late(self, held: Held, condition: str) -> str:
        """Condition: those under a condition, and in the order's group, that began too long ago and did not end."""
        return queries.begun_before(held.stage, condition, self._moment(held))

    def _counts(self, held: Held) -> Counts:
        """Devices change from one question to the other while another order takes them; then it is asked again."""
        stage, rows = held.stage, self._services.twins.rows
        if not held.record.lent:
            return counts(stage, rows(queries.standings(stage)))
        moved = tuple(rows(queries.moved_on(stage)))
        for _ in range(LOOKS):
            found, before = tuple(rows(queries.standings(stage))), moved
            moved = tuple(rows(queries.moved_on(stage)))
            if moved == before:
                return counts(stage, found, moved)
        raise Waiting(f"devices of stage {stage} are on their way to another stage")

    def _late(self, held: Held, seen: Counts) -> int:
        if not seen.running:
            return 0
        return self._services.twins.count(queries.late(held.stage, self._moment(held)))

    def _moment(self, held: Held) -> str:
        """By the hub's clock, which has noted when each device began."""
        return deadline(self._services.twins.now(), held.record.timeout_minutes)

    def is_taken(self, held: Held) -> bool:
        """Whether others cancelled or deleted the deployment of an open order; one that nobody joined yet has none."""
        if held.record.joined == 0:
            return False
        found = self._services.deployments.find(held.stage)
        return found is None or found.is_cancelled
