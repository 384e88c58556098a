"""The unified model: what a release manager wishes. Values only; reading the file is `bridge.plan`'s work.

Wished and seen are different types: a `Plan` is never changed by what happens to it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
"""Lower-case words with dashes, at most 40 characters: it becomes part of job and group names (AWS: 64)."""
Percent = Annotated[float, msgspec.Meta(gt=0, le=100)]


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cumulative share of each fleet: `percent: 50` after `percent: 10` updates another 40 per cent."""

    percent: Percent


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


class Cohort(msgspec.Struct, frozen=True):
    """The devices of one fleet that one stage updates for the first time, in order of their bucket."""

    fleet: str
    devices: tuple[str, ...]


class PlannedStage(msgspec.Struct, frozen=True):
    """One stage with its devices settled."""

    percent: float
    cohorts: tuple[Cohort, ...]

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
