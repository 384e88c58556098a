"""How far a rollout is: the orders that were decided on, what is known of each, and where the rollout stands. Values.

An order is written here before any cloud hears of it. What the fleets must be told follows from it alone: an order
without a tally is to be started, one that is `closing` is to be stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

import msgspec

from bridge.planning.planned import Place
from bridge.tally import Tally


class State(StrEnum):
    """Where a rollout stands. The last four are final: nothing leads out of them."""

    PLANNED = "planned"
    """Recorded; it may wait for approvals, and its artifacts may be on their way. No device was offered anything."""
    RUNNING = "running"
    PAUSED = "paused"
    """Every offer is withdrawn until a person resumes it, rolls it back or aborts it."""
    ROLLING_BACK = "rolling-back"
    """The devices of the stages begun are offered the previous release."""
    STOPPED = "stopped"
    """A gate or the budget was breached."""
    ABORTED = "aborted"
    """A person ended it."""
    ROLLED_BACK = "rolled-back"
    """Every device that can be reached runs the previous release again."""
    COMPLETED = "completed"

    @property
    def is_final(self) -> bool:
        """Whether the rollout has ended for good."""
        return self in {State.STOPPED, State.ABORTED, State.ROLLED_BACK, State.COMPLETED}


class OrderKind(StrEnum):
    """Why an order was made."""

    STAGE = "stage"
    """The devices of the stage; again after a pause, with those that have it already."""
    RETRY = "retry"
    """Devices of the stage whose failure may be tried again."""
    LATE = "late"
    """Devices that joined the fleet after the plan was made."""
    BACK = "back"
    """The devices of the stage, towards the previous release."""
    ADOPTED = "adopted"
    """A job or deployment that was made without otabridge."""


class Order(msgspec.Struct, frozen=True):
    """One offer of a release to devices of one fleet. Its number is its place among the orders of its stage and fleet.

    `size` devices: those in `devices`, or without any the cohort's. `admitted` of them may have been offered it by now.
    `since` is when it was decided on. `told` is how many the fleet was told to admit, -1 before it was told anything;
    `tally` its newest counts, of `asked`, None until it has some. `closing`: it was decided to withdraw it; `closed`:
    the fleet was told so, and no device is in the middle any more. `key` names an adopted one, "" names it by the plan.
    `again` devices came to harm before, `silent` of them by silence, and that harm is not counted any more: those of a
    retry, and those that fail again after a pause. `before` devices ended under the order that this one makes again.
    """

    kind: OrderKind
    size: int
    since: datetime
    admitted: int
    devices: tuple[str, ...] = ()
    told: int = -1
    tally: Tally | None = None
    asked: datetime | None = None
    closing: bool = False
    closed: bool = False
    key: str = ""
    again: int = 0
    silent: int = 0
    before: int = 0


class Orders(msgspec.Struct, frozen=True):
    """All orders of one place, oldest first."""

    stage: int
    fleet: str
    orders: tuple[Order, ...]

    @property
    def place(self) -> Place:
        """Where."""
        return Place(self.stage, self.fleet)


class Breach(msgspec.Struct, frozen=True):
    """What was broken: `budget`, `silence`, `failure-rate`, `fallbacks`, `watchdog-resets`, `health`, or `unknown`."""

    gate: str
    reason: str


class FleetSavings(msgspec.Struct, frozen=True):
    """What deltas saved in one fleet: `saved` bytes, by `devices` that took one. `problem` says why it cannot tell."""

    fleet: str
    devices: int = 0
    saved: int = 0
    problem: str = ""


class Saved(msgspec.Struct, frozen=True):
    """What deltas saved the devices of a rollout, fleet by fleet."""

    fleets: tuple[FleetSavings, ...]

    @property
    def devices(self) -> int:
        """Devices that took a delta, in the fleets that can tell."""
        return sum(each.devices for each in self.fleets)

    @property
    def bytes(self) -> int:
        """Bytes that they did not have to fetch."""
        return sum(each.saved for each in self.fleets)


class Progress(msgspec.Struct, frozen=True):
    """All that changes about a rollout from pass to pass.

    `stage`, the newest begun, counts from 0; it began at `begun` (None before the first) and was first found ended and
    good at `proven` (None: not yet, or no longer). `breach` is why it stopped or paused, None where a person did it.
    `figures` are the newest readings by gate, `forgiven` those that a person accepted by resuming after a breach.
    `promoted` is a stage (from 0) that a person let pass. `looks` counts how often each health gate was read, by name,
    the last time at `looked`, when `looked_installed` devices had the release. `retry_since` is when devices were
    first seen to wait for another try, `unknown_since` when a fleet was first beyond reach, None while all answer;
    `unknown_passes` in a row could not measure. `waiting` names the kind of waiting that the last pass found: one of
    `bridge.engine.decide.Wait`, "" when it did not wait. `saved` is what deltas had saved when the rollout ended by
    itself, None before, or where the release has none.
    """

    state: State = State.PLANNED
    stage: int = 0
    begun: datetime | None = None
    proven: datetime | None = None
    orders: tuple[Orders, ...] = ()
    breach: Breach | None = None
    figures: dict[str, int] = {}
    forgiven: dict[str, int] = {}
    promoted: int | None = None
    looks: dict[str, int] = {}
    looked: datetime | None = None
    looked_installed: int = 0
    retry_since: datetime | None = None
    unknown_since: datetime | None = None
    unknown_passes: int = 0
    waiting: str = ""
    saved: Saved | None = None

    def at(self, place: Place) -> tuple[Order, ...]:
        """The orders of `place`, oldest first; none before it begins."""
        return next((orders.orders for orders in self.orders if orders.place == place), ())

    def each(self) -> Iterator[tuple[Place, int, Order]]:
        """Every order with its place and number."""
        for orders in self.orders:
            for number, order in enumerate(orders.orders):
                yield orders.place, number, order
