"""The records of a fleet's orders, one blob each. Whoever writes one must have read what was there."""

from __future__ import annotations

import msgspec

from adapters.azure.fleet.orders import Held, OrderRecord, parse_record, render_record
from adapters.azure.fleet.refusals import Refused
from adapters.azure.fleet.storage import Storage


class OrderBook:
    """Records under `orders/` in the container; `scope` tells hubs apart that share one."""

    def __init__(self, storage: Storage, scope: str) -> None:
        self._storage = storage
        self._scope = scope.replace(":", "-")

    def read(self, stage: str) -> Held | None:
        """The record of the order; None for one that was never begun. Raises: Refused, unreadable."""
        path = self._path(stage)
        found = self._storage.read(path)
        if found is None:
            return None
        try:
            return Held(stage, parse_record(found.octets), found.version)
        except ValueError as error:
            raise Refused(f"blob {path}: {error}; delete it if no rollout needs it") from error

    def create(self, stage: str, record: OrderRecord) -> Held:
        """Write the first record of an order. Raises: Waiting, there is another by now."""
        return Held(stage, record, self._storage.write(self._path(stage), render_record(record), None))

    def change(self, held: Held, **members: object) -> Held:
        """Write `held` with other members. Raises: Waiting, somebody has written it since."""
        return self.replace(held, msgspec.structs.replace(held.record, **members))

    def replace(self, held: Held, record: OrderRecord) -> Held:
        """Write `record` in the place of `held`. Raises: Waiting, somebody has written it since."""
        version = self._storage.write(self._path(held.stage), render_record(record), held.version)
        return Held(held.stage, record, version)

    def _path(self, stage: str) -> str:
        return self._storage.path("orders", self._scope, f"{stage}.json")
