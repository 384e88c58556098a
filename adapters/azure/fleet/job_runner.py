"""The jobs of one order, one after the other: written down, asked for, waited for."""

from __future__ import annotations

from adapters.azure.fleet.memberships import TwinPatch
from adapters.azure.fleet.order_book import OrderBook
from adapters.azure.fleet.orders import Held
from adapters.azure.fleet.pacing import Patience
from adapters.azure.fleet.refusals import Waiting
from adapters.azure.fleet.twins import Job, Twins


class JobRunner:
    """Runs jobs. Raises: Waiting, a job is still under way when patience is over."""

    def __init__(self, twins: Twins, orders: OrderBook) -> None:
        self._twins = twins
        self._orders = orders

    def settle(self, held: Held, patience: Patience) -> None:
        """Wait for the last job that was ever asked for: what it does must not come after what is done next."""
        if held.record.jobs:
            self._await(held.job_id, patience)

    def run(self, held: Held, condition: str, patch: TwinPatch, patience: Patience) -> tuple[Held, Job | None]:
        """Patch the twins under `condition`; None for a job that the hub does not know."""
        held = self._orders.change(held, jobs=held.record.jobs + 1)
        self._twins.create_job(held.job_id, condition, patch, patience)
        return held, self._await(held.job_id, patience)

    def _await(self, name: str, patience: Patience) -> Job | None:
        while True:
            job = self._twins.job(name)
            if job is None or job.is_over:
                return job
            if not patience.wait():
                raise Waiting(str(job))
