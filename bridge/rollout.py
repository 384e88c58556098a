"""The unified model: what a release manager wishes. Values only; reading the file is `bridge.plan`'s work.

Wished and seen are different types: a `Plan` is never changed by what happens to it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z")]
"""Lower-case words with dashes, at most 40 characters: it becomes part of job and group names (AWS: 64)."""
Percent = Annotated[float, msgspec.Meta(gt=0, le=100)]


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cumulative share of each fleet: `percent: 50` after `percent: 10` updates another 40 per cent.

    The next stage begins when every device has ended, or sooner: once each fleet has installed `enough` per cent of its
    devices of the stage and none is in the middle. The others keep their offer, and what becomes of them still counts.
    """

    percent: Percent
    enough: Percent = 100.0


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much may go wrong over the whole rollout, all fleets together, before it stops.

    A stage stops the rollout once more than `failures` devices have failed; `percent` (of the devices of the stages
    begun so far) may raise that number for large fleets, never lower it.
    """

    failures: Annotated[int, msgspec.Meta(ge=0)] = 0
    percent: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.0


class Rollout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`rollout.yaml`: one release, in stages, over fleets named in the configuration."""

    name: Name
    release: Annotated[str, msgspec.Meta(min_length=1)]
    """Path of the release's folder or `release.json`, relative to the rollout file."""
    fleets: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=32)]
    stages: Annotated[tuple[Stage, ...], msgspec.Meta(min_length=1, max_length=20)]
    budget: Budget = Budget()
    group: str | None = None
    """Only devices of this group of each fleet; absent means every device of the fleet."""
    timeout_minutes: Annotated[int, msgspec.Meta(ge=1, le=10080)] = 60
    """Minutes that one device may take from start to report (AWS: in-progress timeout)."""


class State(StrEnum):
    """Where a rollout stands. The last three are final: nothing leads out of them."""

    PLANNED = "planned"
    """Recorded; its artifacts may be on their way to the fleets. No device was offered anything."""
    RUNNING = "running"
    STOPPED = "stopped"
    """Its budget was spent."""
    ABORTED = "aborted"
    """A person ended it."""
    COMPLETED = "completed"

    @property
    def is_final(self) -> bool:
        """Whether the rollout has ended for good."""
        return self in {State.STOPPED, State.ABORTED, State.COMPLETED}


class Place(NamedTuple):
    """One fleet's part of one stage. `stage` counts from 0; people are shown `stage + 1`."""

    stage: int
    fleet: str


class Cohort(msgspec.Struct, frozen=True):
    """The devices of one fleet that one stage updates for the first time, in order of their bucket."""

    fleet: str
    devices: tuple[str, ...]


class PlannedStage(msgspec.Struct, frozen=True):
    """One stage with its devices settled."""

    percent: float
    cohorts: tuple[Cohort, ...]
    enough: float = 100.0

    @property
    def size(self) -> int:
        """Devices in all cohorts."""
        return sum(len(cohort.devices) for cohort in self.cohorts)


class Plan(msgspec.Struct, frozen=True):
    """What `apply` will do, in full. `digest` (sha256, hex) names it: another plan has another digest."""

    rollout: Rollout
    release_sha256: str
    release_version: str
    stages: tuple[PlannedStage, ...]
    digest: str

    def places(self, stage: int) -> tuple[Place, ...]:
        """The fleets that have devices in `stage` (from 0); the others get no order."""
        return tuple(Place(stage, cohort.fleet) for cohort in self.stages[stage].cohorts if cohort.devices)

    def devices(self, place: Place) -> tuple[str, ...]:
        """The devices of one place, in order of their bucket. Raises: KeyError for a fleet that is not in the plan."""
        return {cohort.fleet: cohort.devices for cohort in self.stages[place.stage].cohorts}[place.fleet]

    def uses(self, fleet: str) -> bool:
        """Whether any stage has devices of `fleet`."""
        return any(place.fleet == fleet for stage in range(len(self.stages)) for place in self.places(stage))

    def key(self, stage: int) -> str:
        """The name of the stage's orders, at most 53 characters: the same for the same plan and stage, for ever."""
        return f"{self.rollout.name}-{self.digest[:8]}-s{stage + 1}"
