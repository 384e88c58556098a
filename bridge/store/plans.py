"""Plans that were decoded before: one may name a million devices, and never changes."""

from __future__ import annotations

import threading
from collections import OrderedDict

import sqlalchemy as sa

from bridge.planning.planned import Plan
from bridge.store.rows import plan_of
from bridge.store.tables import PLANS

KEPT = 8


class Plans:
    """The plans used last, by rollout and digest. For all threads."""

    def __init__(self) -> None:
        self._plans = OrderedDict[tuple[str, str], Plan]()
        self._turn = threading.Lock()

    def read(self, connection: sa.Connection, name: str, digest: str) -> Plan:
        """The plan of the rollout `name`. Raises: ValueError when it is not the one with `digest`."""
        with self._turn:
            kept = self._plans.get((name, digest))
        if kept is None:
            document = connection.execute(sa.select(PLANS.c.plan).where(PLANS.c.rollout == name)).scalar_one()
            kept = plan_of(document, name, digest)
        self.keep(kept)
        return kept

    def keep(self, plan: Plan) -> None:
        """Remember `plan`, and forget the one that was not used for longest."""
        with self._turn:
            self._plans[plan.rollout.name, plan.digest] = plan
            self._plans.move_to_end((plan.rollout.name, plan.digest))
            while len(self._plans) > KEPT:
                self._plans.popitem(last=False)
