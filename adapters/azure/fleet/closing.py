"""How an order ends: nobody begins any more, those in the middle finish, the devices go back to their own groups.

An order that all devices have ended needs no one to stop it: whoever looks at it closes it, so that the customer's
groups are whole again, and that Device Update's quotas (100 groups, 100 deployments) are never used up.
"""

from __future__ import annotations

import random
from contextlib import suppress
from itertools import islice

from adapters.azure.fleet import queries
from adapters.azure.fleet.counting import Counting
from adapters.azure.fleet.memberships import TwinPatch, forget, give_back, leave
from adapters.azure.fleet.orders import Held, State, is_final
from adapters.azure.fleet.pacing import Patience
from adapters.azure.fleet.refusals import Waiting
from adapters.azure.fleet.services import Services
from bridge.tally import Tally

SWEPT = 25
"""Old orders looked at each time."""
MOST_REASON = 500


class Closing:
    """Ends orders of one fleet. Raises: Waiting, Refused, and what Azure's libraries raise."""

    def __init__(self, services: Services, counting: Counting) -> None:
        self._services = services
        self._counting = counting

    def stop(self, held: Held, reason: str) -> None:
        """Withdraw the offer from devices that have not begun; those in the middle finish. Over: nothing."""
        if held.record.state is State.CLOSED:
            return
        patience = self._services.patience()
        self._services.jobs.settle(held, patience)
        if held.record.state is State.OPEN:
            held = self._freeze_if_ended(held)
        if held.record.state in (State.STARTING, State.OPEN):
            held = self._services.orders.change(held, state=State.STOPPED, stopped_reason=reason[:MOST_REASON])
        if held.record.state is State.STOPPED:
            held = self._withdraw(held, patience)
        if held.record.state is State.CLOSING:
            self._clean(held, patience)

    def tally(self, held: Held) -> Tally | None:
        """The order's tally; what all devices have ended is closed first. Raises: Waiting, closing takes longer."""
        if held.record.state is State.STARTING:
            return None
        if held.record.tally is not None:
            return self._cleaned(held).record.tally
        seen = self._counting.count(held)
        if seen.is_taken and (again := self._services.orders.read(held.stage)) and again.version != held.version:
            return self.tally(again)
        if seen.is_taken or not is_final(seen.tally, held.record.size):
            return seen.tally
        return self._cleaned(self._close(held, seen.tally)).record.tally or seen.tally

    def sweep(self, but: str) -> None:
        """Close what has ended and was left; of many, some chosen by chance, so that all get their turn."""
        stages = [stage for stage in self._services.deployments.stages() if stage != but]
        for stage in random.sample(stages, min(SWEPT, len(stages))):
            with suppress(Waiting):  # it is swept again next time; nobody waits for it now
                self._sweep(stage)

    def _sweep(self, stage: str) -> None:
        held = self._services.orders.read(stage)
        if held is None or held.record.state is State.STARTING:
            return
        if held.record.state is State.CLOSED:  # its group came back: Device Update had not seen all devices leave
            self._services.deployments.remove_group(stage)
            return
        self.tally(held)

    def _freeze_if_ended(self, held: Held) -> Held:
        seen = self._counting.count(held)
        if seen.is_taken or not is_final(seen.tally, held.record.size):
            return held
        return self._freeze(held, seen.tally)

    def _close(self, held: Held, final: Tally) -> Held:
        """An order that all devices have ended; a stopped one may find somebody who has just begun."""
        patience = self._services.patience()
        self._services.jobs.settle(held, patience)
        if held.record.state is State.OPEN:
            return self._freeze(held, final)
        return self._withdraw(held, patience)

    def _withdraw(self, held: Held, patience: Patience) -> Held:
        """Of a stopped order: with nobody running the deployment ends for all, else those who wait leave the group."""
        if not self._counting.count(held).tally.running:
            self._services.deployments.cancel(held.stage)
            final = self._counting.count(held).tally  # nobody can begin any more, but somebody may just have
            if not final.running:
                return self._freeze(held, final)
        return self._take_out(held, patience)

    def _take_out(self, held: Held, patience: Patience) -> Held:
        stage = held.stage
        for was in self._groups(queries.borrowed_from(stage, unbegun=True)):
            held = self._run(held, queries.borrowed(stage, was, unbegun=True), leave(was), patience)
        return held

    def _freeze(self, held: Held, final: Tally) -> Held:
        """Write down how the order ended, while its devices still say so."""
        reports = tuple(islice(self._counting.reports(held), self._services.settings.most_reports))
        return self._services.orders.change(held, state=State.CLOSING, tally=final, reports=reports)

    def _cleaned(self, held: Held) -> Held:
        if held.record.state is State.CLOSING:
            patience = self._services.patience()
            self._services.jobs.settle(held, patience)
            return self._clean(held, patience)
        return held

    def _clean(self, held: Held, patience: Patience) -> Held:
        """Deployment, tags, group; a group that Device Update still sees devices in is left for the next sweep."""
        self._services.deployments.cancel(held.stage)
        self._services.deployments.remove(held.stage)
        held = self._give_back(held, patience)
        if not self._services.deployments.remove_group(held.stage):
            return held
        return self._services.orders.change(held, state=State.CLOSED)

    def _give_back(self, held: Held, patience: Patience) -> Held:
        stage = held.stage
        twins = self._services.twins
        for was in self._groups(queries.borrowed_from(stage)):
            held = self._run(held, queries.borrowed(stage, was), give_back(was), patience)
        if twins.count(queries.stage_size(stage)):
            held = self._run(held, queries.in_stage(stage), forget(), patience)
        while left := twins.count(queries.stage_size(stage)):
            if not patience.wait():
                raise Waiting(f"{left} devices of stage {stage} are on their way back to their groups")
        return held

    def _groups(self, query: str) -> list[str | None]:
        """Where devices came from."""
        rows = self._services.twins.rows(query)
        return [None if row.get("was") is None else str(row.get("was")) for row in rows]

    def _run(self, held: Held, condition: str, patch: TwinPatch, patience: Patience) -> Held:
        held, _ = self._services.jobs.run(held, condition, patch, patience)
        return held
