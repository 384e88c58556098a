"""How an order ends: nobody begins any more, those in the middle finish, the devices go back to their own groups.

Whoever starts or stops an order sweeps, too: orders that have ended, also of other rollouts, are closed, so that the
customer's groups are whole again, and that Device Update's quotas (100 groups, 50 active deployments) are not used up
by stages that are over.
"""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from itertools import islice

from azure.core.exceptions import AzureError
from msrest.exceptions import ClientException

from adapters.azure.fleet import queries
from adapters.azure.fleet.counting import Counting
from adapters.azure.fleet.giving_back import GivingBack
from adapters.azure.fleet.memberships import leave
from adapters.azure.fleet.orders import Held, State, adopted_record, is_final
from adapters.azure.fleet.pacing import Patience
from adapters.azure.fleet.refusals import Refused, Waiting
from adapters.azure.fleet.services import Services
from bridge.tally import Tally

_log = logging.getLogger(__name__)

SWEPT = 25
"""Old orders looked at each time, as long as patience lasts."""
MOST_REASON = 500


class Closing:
    """Ends orders of one fleet. Raises: Waiting, Refused, and what Azure's libraries raise."""

    def __init__(self, services: Services, counting: Counting) -> None:
        self._services = services
        self._counting = counting
        self._giving_back = GivingBack(services)

    def stop(self, held: Held, reason: str) -> None:
        """Withdraw the offer from devices that have not begun; those in the middle finish."""
        patience = self._services.patience()
        self._services.jobs.settle(held, patience)
        if held.record.state is State.OPEN:
            held = self._freeze_if_ended(held)
        if held.record.state in (State.STARTING, State.OPEN):
            held = self._services.orders.change(held, state=State.STOPPED, stopped_reason=reason[:MOST_REASON])
        self._go_on(held, patience)

    def adopt(self, stage: str, key: str) -> Held | None:
        """A record for an order that lost its own, with its container for instance: what the hub still shows of it.

        None where the hub shows nothing: it was never started.
        """
        moved = queries.counted(queries.has_moved_on(stage))
        size = self._services.twins.count(queries.stage_size(stage)) + self._services.twins.count(moved)
        return self._services.orders.create(stage, adopted_record(key, size)) if size else None

    def sweep(self, but: str) -> None:
        """Close what has ended and was left; of many, some chosen by chance, so that all get their turn.

        One that cannot be closed is none of the caller's business: it hinders nobody, and is swept again next time.
        """
        stages = [stage for stage in self._services.deployments.stages() if stage != but]
        patience = self._services.patience()
        for stage in random.sample(stages, min(SWEPT, len(stages))):
            self._try(stage, patience)
            if patience.is_over:
                return

    def close_if_ended(self, stage: str) -> None:
        """Close one order, for which another one waits, as far as that is possible; what hinders is not raised."""
        self._try(stage, self._services.patience())

    def _try(self, stage: str, patience: Patience) -> None:
        try:
            self._sweep(stage, patience)
        except (Waiting, Refused, AzureError, ClientException) as error:
            _log.info("stage %s cannot be closed yet: %s", stage, error)

    def _sweep(self, stage: str, patience: Patience) -> None:
        """A group whose order is closed came back, or somebody deployed to it: it is cleaned once more."""
        held = self._services.orders.read(stage)
        if held is None or held.record.state is State.STARTING:
            return
        self._services.jobs.settle(held, patience)
        if held.record.state is State.CLOSED:
            self._clean(held, patience)
            return
        if held.record.state is State.OPEN:
            held = self._freeze_if_ended(held)
        self._go_on(held, patience)

    def _go_on(self, held: Held, patience: Patience) -> None:
        """Bring an order that is stopped or closing as far as it goes; others stay."""
        if held.record.state is State.STOPPED:
            held = self._withdraw(held, patience)
        if held.record.state is State.CLOSING:
            self._clean(held, patience)

    def _freeze_if_ended(self, held: Held) -> Held:
        seen = self._counting.count(held)
        if seen.is_taken or not is_final(seen.tally, held.record.size):
            return held
        return self._freeze(held, seen.tally)

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
        for was in self._giving_back.groups(queries.borrowed_from(stage, unbegun=True)):
            condition = queries.borrowed(stage, was, unbegun=True)
            held, _ = self._services.jobs.run(held, condition, leave(was), patience)
        return held

    def _freeze(self, held: Held, final: Tally) -> Held:
        """Write down how the order ended, while its devices still say so."""
        reports = tuple(islice(self._counting.reports(held), self._services.settings.most_reports))
        over = replace(final, open=False)
        return self._services.orders.change(held, state=State.CLOSING, tally=over, reports=reports)

    def _clean(self, held: Held, patience: Patience) -> None:
        """Deployment, tags, group; a group that Device Update still sees devices in is left for the next sweep."""
        self._services.deployments.cancel(held.stage)
        self._services.deployments.remove(held.stage)
        held = self._giving_back.stop_counting(self._giving_back.all_of(held, patience), patience)
        if self._services.deployments.remove_group(held.stage) and held.record.state is not State.CLOSED:
            self._services.orders.change(held, state=State.CLOSED)
