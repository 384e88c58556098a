"""A virtual fleet behind the port of real ones. It counts the calls that the real cloud would have been asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from bridge.fleet import (
    Adopted,
    Census,
    Device,
    DeviceReport,
    FleetError,
    HealthCount,
    LimitError,
    Savings,
    Sent,
    StageOrder,
)
from bridge.planning.planned import Facts
from bridge.rehearsal.columns import Columns, Fate, Rows
from bridge.rehearsal.order import RehearsedOrder
from bridge.release.bucket import Buckets
from bridge.release.errors import FailureCode
from bridge.release.manifest import Artifact, Release
from bridge.release.report import Outcome
from bridge.rollout.model import FleetPart
from bridge.tally import Tally

Seconds = Callable[[], float]
"""Virtual seconds since the rehearsal began."""
CENSUS_CALLS = 2
_ENDS = {
    Fate.FAILS: (Outcome.FAILED, FailureCode.DOWNLOAD),
    Fate.FALLS_BACK: (Outcome.FELL_BACK, FailureCode.UNHEALTHY),
    Fate.FALLS_SILENT: (None, None),
}


class RehearsedFleet:
    """`bridge.fleet.Fleet` over columns. `calls` counts API calls by the facts of the cloud that it stands for; `made`
    lists every order as it was made.
    """

    def __init__(self, name: str, facts: Facts, columns: Columns, seconds: Seconds, back: bytes | None) -> None:
        self._name = name
        self._facts = facts
        self._columns = columns
        self._seconds = seconds
        self._back = back
        self.orders: dict[str, RehearsedOrder] = {}
        self.made: list[str] = []
        self.calls = 0.0

    @property
    def name(self) -> str:
        """The fleet's name in the configuration."""
        return self._name

    def facts(self) -> Facts:
        """Those of the cloud that it stands for, with selection by bucket: names of devices are not rehearsed."""
        return self._facts

    def census(self, part: FleetPart, buckets: tuple[Buckets, ...] = (), models: tuple[str, ...] = ()) -> Census:  # noqa: ARG002 - the columns are the part
        """Counts by model."""
        self.calls += CENSUS_CALLS
        return Census(self._columns.count_models(self._columns.rows(buckets, models)))

    def devices(self, part: FleetPart, buckets: tuple[Buckets, ...] = ()) -> Iterator[Device]:
        """Row numbers as names; of a part that names devices, its own names, which stand for the first rows."""
        self.calls += 1
        if part.devices is not None:
            yield from (Device(device) for device in part.devices)
            return
        rows = self._columns.rows(buckets)
        models = [self._columns.names[model] for model in self._columns.models[rows].tolist()]
        yield from (Device(f"row-{row}", model) for row, model in zip(rows.tolist(), models, strict=True))

    def put_artifact(self, artifact: Artifact, source: Path, sent: Sent) -> None:  # noqa: ARG002 - nothing is sent
        """Nothing is sent."""
        self.calls += 1

    def check(self, order: StageOrder) -> None:
        """A virtual fleet has no limits."""

    def start(self, order: StageOrder) -> None:
        """Offer it, or admit more."""
        found = self.orders.get(order.key)
        if found is None:
            self.calls += self._facts.calls.start + len(order.devices) * self._facts.calls.per_device
            back = order.release == self._back
            timeout = order.timeout_minutes * 60.0
            self._remember()
            found = RehearsedOrder(self._columns, self._rows(order), self._seconds(), timeout, order.pace, back)
            self.orders[order.key] = found
            self.made.append(order.key)
        else:
            self.calls += 1
        found.admit(order.size if order.admitted is None else order.admitted, self._seconds())

    def tally(self, key: str) -> Tally | None:
        """Counts by now."""
        self.calls += self._facts.calls.tally
        order = self.orders.get(key)
        return None if order is None else order.tally(self._seconds())

    def reports(self, key: str) -> Iterator[DeviceReport]:
        """How the devices ended that did not install."""
        order = self.orders.get(key)
        if order is None:
            return
        rows, fates = order.bad(self._seconds())
        self.calls += 1 + len(rows) * self._facts.calls.per_device
        for row, fate in zip(rows.tolist(), fates.tolist(), strict=True):
            outcome, code = _ENDS[Fate(fate)]
            yield DeviceReport(f"row-{row}", outcome, code, "rehearsed")

    def health(self, keys: Sequence[str], condition: str) -> HealthCount:
        """Raises: LimitError: what a query would say is not rehearsed."""
        raise LimitError(f"fleet {self._name}: a rehearsal cannot answer {condition!r} for {len(keys)} orders")

    def watchdog_resets(self, keys: Sequence[str]) -> int:
        """None happen."""
        self.calls += len(keys)
        return 0

    def saved(self, keys: Sequence[str], release: Release) -> Savings:  # noqa: ARG002 - the port's parameter
        """Raises: LimitError: which artifact a device would take is not rehearsed."""
        raise LimitError(f"fleet {self._name}: a rehearsal cannot tell what deltas of {len(keys)} orders would save")

    def adopt(self, native: str) -> Adopted:
        """Raises: FleetError: there is nothing that others made."""
        raise FleetError(f"fleet {self._name}: a rehearsal has no {native}")

    def stop(self, key: str, reason: str) -> None:  # noqa: ARG002 - nobody reads it
        """Withdraw it."""
        self.calls += self._facts.calls.stop
        if key in self.orders:
            self.orders[key].stop(self._seconds())

    def exposed(self) -> int:
        """Devices that have taken an offer of the new release by now, each once."""
        now = self._seconds()
        seen = np.zeros(self._columns.size, np.bool_)
        for order in self.orders.values():
            if not order.back:
                seen[order.rows[order.takes <= now]] = True
        return int(seen.sum())

    def installed(self) -> int:
        """Devices that have the new release by now."""
        self._remember()
        return int(self._columns.installed.sum())

    def downloads(self) -> int:
        """Offers that were taken by devices without the release."""
        now = self._seconds()
        return sum(int(((order.takes <= now) & order.fetches).sum()) for order in self.orders.values())

    def _remember(self) -> None:
        for order in self.orders.values():
            order.conclude(self._seconds())

    def _rows(self, order: StageOrder) -> Rows:
        if order.devices:
            return np.array([_row(device, number) for number, device in enumerate(order.devices)], np.int64)
        return self._columns.rows(order.buckets, order.models)


def _row(device: str, number: int) -> int:
    """Test devices by name stand for the first rows."""
    name, _, row = device.rpartition("-")
    return int(row) if name == "row" and row.isdigit() else number
