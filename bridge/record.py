"""What is known of a rollout: values that the store keeps and the controller works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from bridge.rollout import Place, Plan, State
from bridge.tally import Tally


@dataclass(frozen=True, slots=True)
class Material:
    """What the devices get: `release.json`, the roots after the first, and the folder with the artifacts."""

    release: bytes
    roots: tuple[bytes, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class Record:
    """One rollout as seen: its plan and material never change, the rest says how far it is.

    `stage` is the newest begun, from 0, since `begun` (None before the first); `reason` explains the state; `holding`
    names the kind of waiting that the last pass found ("" when it did not wait), `unknown_passes` how many passes in a
    row could not measure.
    """

    plan: Plan
    material: Material
    created: datetime
    updated: datetime
    state: State = State.PLANNED
    stage: int = 0
    begun: datetime | None = None
    reason: str = ""
    holding: str = ""
    unknown_passes: int = 0
    tallies: Mapping[Place, Tally] = field(default_factory=dict)
    revision: int = 0

    @property
    def name(self) -> str:
        """The rollout's name."""
        return self.plan.rollout.name


class Summary(msgspec.Struct, frozen=True):
    """One rollout in a list. `stage` counts from 1."""

    name: str
    state: State
    version: str
    stage: int
    stages: int
    updated: datetime
    reason: str
