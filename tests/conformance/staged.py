"""A stage order in a fleet, and what the controller does about it: the same by names and by buckets."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from bridge.fleet import Fleet, FleetError, StageOrder
from bridge.release.state import DeviceState
from bridge.tally import Tally
from tests.conformance.cloud import WAIT

POLL = 0.05
PASSES = 3


@dataclass(frozen=True)
class Staged:
    """An order for three devices."""

    fleet: Fleet
    order: StageOrder

    def order_with(self, **changes: object) -> StageOrder:
        """The order with other fields."""
        return replace(self.order, **changes)

    def start(self, **changes: object) -> StageOrder:
        """Start it, or with `changes` another one, until the fleet has taken it."""
        order = self.order_with(**changes)
        until_taken(lambda: self.fleet.start(order))
        return order

    def begin(self, **changes: object) -> StageOrder:
        """The same as far as it goes while a device is in the middle of something else."""
        order = self.order_with(**changes)
        for _ in range(PASSES):
            try:
                self.fleet.start(order)
            except FleetError as error:
                if not error.retryable:
                    raise
        return order

    def named(self, key: str, *devices: str, **changes: object) -> StageOrder:
        """Start the same release for `devices` by name."""
        return self.start(key=key, devices=devices, buckets=(), models=(), size=len(devices), **changes)

    def stop(self, order: StageOrder) -> None:
        """Withdraw it, until the fleet has taken it."""
        until_taken(lambda: self.fleet.stop(order.key, "the test says so"))

    def tally(self, order: StageOrder) -> Tally | None:
        """How it stands."""
        return self.fleet.tally(order.key)


def until_taken(act) -> None:
    """`act` as the controller does it, again after each error that may pass."""
    deadline = time.monotonic() + WAIT
    while True:
        try:
            return act()
        except FleetError as error:
            if not error.retryable or time.monotonic() > deadline:
                raise
        time.sleep(POLL)


def eventually(holds) -> None:
    """Wait until `holds`: a cloud counts some things a little later."""
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(POLL)


def state_of(model: str, sequence: int = 1, resets: int = 0) -> DeviceState:
    """What a device says of itself."""
    return DeviceState(
        model=model,
        release=f"{sequence}.0.0",
        sequence=sequence,
        slot="a",
        expected_slot="a",
        boots=1 + resets,
        fallbacks=0,
        watchdog_resets=resets,
        agent="1.0.0",
        outcome="",
    )
