"""The world of the kill sweep: virtual fleets that survive every controller, a clock, a real store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from bridge.engine.controller import Controller
from bridge.fleet import Fleet
from bridge.planning.plan import Request, SignedRelease
from bridge.planning.planned import Facts
from bridge.rehearsal.assumptions import Assumptions
from bridge.rehearsal.columns import draw
from bridge.rehearsal.fleet import RehearsedFleet
from bridge.rollout.model import Rollout
from bridge.store.store import Store
from tests.kills.faulty import FLEET, LISTS, NO_LOCK, Faulty, FaultyStore, Hook
from tests.releases import describe, new_release

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
FACTS = {"factory": Facts("one", by_bucket=True, paces=1000), "depot": Facts("another")}
ARTIFACT = describe(b"image", b"compressed image")
DEVICES = 40
SEED = 7


def nothing(_: str) -> None:
    """A hook for fair weather."""


@dataclass(slots=True)
class World:
    """Two fleets, one that selects by bucket and paces, one that does neither; a clock; a store at `where`."""

    where: Path | str
    assumptions: Assumptions
    now: datetime = START
    fleets: dict[str, RehearsedFleet] = field(init=False)

    def __post_init__(self) -> None:
        dice = np.random.default_rng(SEED)
        self.fleets = {
            name: RehearsedFleet(
                name, facts, draw({"rev-a": DEVICES}, self.assumptions, dice), self.seconds, b"previous release"
            )
            for name, facts in FACTS.items()
        }

    def seconds(self) -> float:
        """Since the beginning."""
        return (self.now - START).total_seconds()

    def process(
        self, hook: Hook = nothing, skew: timedelta = timedelta(), lock: AbstractContextManager = NO_LOCK
    ) -> tuple[Controller, Store]:
        """A new process, whose clock is wrong by `skew`, with a hook around each call that leaves it. Where several
        run at once, `lock` keeps their calls of a fleet apart, as a cloud would.
        """
        store = Store(self.where)
        faulty = FaultyStore(store, hook, lambda: self.now + skew)
        fleets = {name: Faulty(fleet, FLEET + LISTS, hook, lock) for name, fleet in self.fleets.items()}
        return Controller(faulty, fleets.__getitem__, Publisher(hook), "ada@desk"), store


class Publisher:
    """Puts one artifact into each fleet."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook

    def require(self, folder: Path) -> None:
        """The release is good."""

    def publish(self, folder: Path, fleets: Sequence[Fleet]) -> None:
        """Put the artifact."""
        for fleet in fleets:
            fleet.put_artifact(ARTIFACT, folder / ARTIFACT.name, lambda _: None)


def request(**changes) -> Request:
    """A rollout of three stages with a way back, unless `changes` say otherwise."""
    fields = {
        "name": "swept",
        "release": "release",
        "fleets": ["factory", "depot"],
        "stages": [{"count": 4, "soak": "1h"}, {"percent": 40, "enough": 80}, {"percent": 100, "enough": 80}],
        "roll_back": {"release": "previous"},
        "pace": 15,
    }
    release = new_release(artifacts=(ARTIFACT,))
    new, back = (SignedRelease(Path(name), name.encode() + b" release", release) for name in ("new", "previous"))
    return Request(msgspec.convert({**fields, **changes}, Rollout), new, back)
