"""What is known of a rollout: values that the store keeps and the controller works on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from bridge.engine.progress import Progress, State
from bridge.planning.planned import Plan


@dataclass(frozen=True, slots=True)
class Parcel:
    """A release as it is handed to fleets: the bytes of `release.json`, and the folder with its artifacts."""

    release: bytes
    folder: Path


@dataclass(frozen=True, slots=True)
class Material:
    """What the devices get: the release, the roots after the first, and the release that a roll back leads to."""

    new: Parcel
    roots: tuple[bytes, ...]
    back: Parcel | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One rollout as seen: its plan and material never change, the rest says how far it is.

    `reason` explains the state to people. `revision` rises with every save; a save of an older one is refused.
    """

    plan: Plan
    material: Material
    created: datetime
    updated: datetime
    progress: Progress = field(default_factory=Progress)
    reason: str = ""
    revision: int = 0

    @property
    def name(self) -> str:
        """The rollout's name."""
        return self.plan.rollout.name

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.progress.state


class Summary(msgspec.Struct, frozen=True):
    """One rollout in a list. `stage` counts from 1; `waiting` as in Progress."""

    name: str
    state: State
    version: str
    stage: int
    stages: int
    updated: datetime
    waiting: str
    reason: str
