"""A plan: a rollout with its devices settled. Values only; `bridge.planning.plan` makes them, nothing changes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from bridge.release.bucket import Buckets
from bridge.rollout.model import FleetPart, Rollout


class Place(NamedTuple):
    """One fleet's part of one stage. `stage` counts from 0; people are shown `stage + 1`."""

    stage: int
    fleet: str


class How(StrEnum):
    """Who does what a rollout asks for."""

    NATIVE = "native"
    """The cloud does it."""
    EMULATED = "emulated"
    """otabridge does it with what the cloud has."""
    ABSENT = "absent"
    """It cannot be had in this fleet."""


class Feature(msgspec.Struct, frozen=True):
    """How a fleet gives one thing that a rollout may ask for; `note` says by what, or why not."""

    name: str
    how: How
    note: str


FEATURES = (
    "percentage stages",
    "device query",
    "pause",
    "pace",
    "maintenance windows",
    "freeze calendar",
    "timeouts",
    "retries",
    "silence",
    "roll back",
    "late joiners",
    "failure budget",
    "abort criteria",
    "health metrics",
    "watchdog resets",
    "adoption",
)
"""The names of all features, in the order in which people are shown them; every fleet says how it gives each."""


class Calls(msgspec.Struct, frozen=True):
    """What one order costs in calls of the cloud's API. `per_device` is 0 where a fleet selects by bucket."""

    start: float
    stop: float
    tally: float
    per_device: float = 0.0


class Facts(msgspec.Struct, frozen=True):
    """What a fleet's cloud and settings give; asked once, while the plan is made.

    `by_bucket`: the cloud itself finds the devices of a range of buckets. `paces`: the cloud itself offers at most so
    many devices a minute (0: it does not). `orders_a_minute` is the rate at which orders can be started,
    `feedback_minutes` how long a device's report takes to show in a tally at worst, `cost_a_gigabyte` the price of
    transfer to devices (None: not told), in `currency`.
    """

    cloud: str
    by_bucket: bool = False
    paces: int = 0
    orders_a_minute: float = 60.0
    feedback_minutes: float = 1.0
    cost_a_gigabyte: float | None = None
    currency: str = "USD"
    calls: Calls = Calls(start=3, stop=2, tally=1)
    features: tuple[Feature, ...] = ()


class PlannedFleet(msgspec.Struct, frozen=True):
    """One fleet of the plan: which part of it, how many devices of which hardware model, what its cloud gives.

    `unplaced` devices report no bucket, so that a fleet which selects by bucket cannot reach them.
    """

    part: FleetPart
    facts: Facts
    models: Mapping[str, int]
    unplaced: int = 0

    @property
    def size(self) -> int:
        """Devices that the rollout is for."""
        return sum(self.models.values())


class Cohort(msgspec.Struct, frozen=True):
    """The devices of one fleet that one stage updates for the first time: by name in order of position, or as ranges
    of buckets. `count` is how many there were when the plan was made; `models` counts them by hardware model.
    """

    fleet: str
    devices: tuple[str, ...] = ()
    buckets: tuple[Buckets, ...] = ()
    count: int = 0
    models: Mapping[str, int] = {}

    @property
    def size(self) -> int:
        """How many devices."""
        return self.count if self.buckets else len(self.devices)


class PlannedStage(msgspec.Struct, frozen=True):
    """One stage with its devices settled; what it wishes is in `plan.rollout.stages`."""

    cohorts: tuple[Cohort, ...]

    @property
    def size(self) -> int:
        """Devices in all cohorts."""
        return sum(cohort.size for cohort in self.cohorts)


class Closure(msgspec.Struct, frozen=True):
    """An event of a freeze calendar: from `start` until before `end`, aware."""

    start: datetime
    end: datetime
    summary: str


class Approver(msgspec.Struct, frozen=True):
    """Who may approve: the public key (TUF's JSON of a key, with its keyid), and the file's name for people."""

    name: str
    keyid: str
    key: bytes


class PlannedRelease(msgspec.Struct, frozen=True):
    """A release by what was signed: sha256 of `release.json` in lower-case hex, and its version."""

    sha256: str
    version: str


class Plan(msgspec.Struct, frozen=True):
    """What `apply` will do, in full. `digest` (sha256, hex) names it: another plan has another digest.

    `back` is where a roll back leads. `freezes` are the sha256 of the freeze calendars, `closures` their events of the
    next year or so.
    """

    rollout: Rollout
    release: PlannedRelease
    fleets: tuple[PlannedFleet, ...]
    stages: tuple[PlannedStage, ...]
    digest: str
    back: PlannedRelease | None = None
    freezes: tuple[str, ...] = ()
    closures: tuple[Closure, ...] = ()
    approvers: tuple[Approver, ...] = ()

    def places(self, stage: int) -> tuple[Place, ...]:
        """The fleets that have devices in `stage` (from 0); the others get no order."""
        return tuple(Place(stage, cohort.fleet) for cohort in self.stages[stage].cohorts if cohort.size)

    def cohort(self, place: Place) -> Cohort:
        """The devices of one place. Raises: KeyError for a fleet that is not in the plan."""
        return {cohort.fleet: cohort for cohort in self.stages[place.stage].cohorts}[place.fleet]

    def fleet(self, name: str) -> PlannedFleet:
        """The fleet `name`. Raises: KeyError for one that is not in the plan."""
        return {fleet.part.name: fleet for fleet in self.fleets}[name]

    def uses(self, fleet: str) -> bool:
        """Whether any stage has devices of `fleet`."""
        return any(place.fleet == fleet for stage in range(len(self.stages)) for place in self.places(stage))

    def begun(self, stage: int) -> int:
        """Devices of all stages up to `stage` (from 0)."""
        return sum(planned.size for planned in self.stages[: stage + 1])

    def key(self, place: Place, order: int = 0) -> str:
        """The name of the order number `order` (from 0) at `place`: the same for the same plan, for ever.

        The fleet is not in it: each fleet has names of its own.
        """
        again = f"-{order + 1}" if order else ""
        return f"{self.rollout.name}-{self.digest[:8]}-s{place.stage + 1}{again}"
