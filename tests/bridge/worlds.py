"""A whole control plane in a folder: real store, real controller, fleets in memory, a clock that a test turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from bridge.controller import Controller, Pass
from bridge.fleet import Fleet
from bridge.plan import Request, SignedRelease
from bridge.record import Record
from bridge.rollout import Rollout
from bridge.store import Store
from tests.bridge.fakes import FakeFleet, FaultyStore, Hook, nothing
from tests.releases import describe, new_release

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARTIFACT = describe(b"image", b"compressed image")
ROOTS = (b"root 2", b"root 3")


def ids(prefix: str, count: int) -> tuple[str, ...]:
    """`count` device ids: prefix-000, prefix-001, ..."""
    return tuple(f"{prefix}-{number:03}" for number in range(count))


def new_rollout(**changes) -> Rollout:
    """10, 50, 100 per cent of fleets `factory` and `depot`, no failure allowed, unless `changes` say otherwise."""
    fields = {
        "name": "gates",
        "release": "release",
        "fleets": ["factory", "depot"],
        "stages": [{"percent": 10}, {"percent": 50}, {"percent": 100}],
    }
    return msgspec.convert({**fields, **changes}, Rollout)


def new_request(folder: Path = Path("release"), document: bytes = b"release.json", **changes) -> Request:
    """A request for `new_rollout(**changes)`; its release is not signed, the controller never looks."""
    return Request(new_rollout(**changes), SignedRelease(folder, document, new_release(artifacts=(ARTIFACT,))))


class FakePublisher:
    """Puts one artifact into each fleet; `refusal` is raised by `require`."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal = refusal

    def require(self, folder: Path) -> None:
        """Refuse if told so."""
        if self.refusal:
            raise self.refusal.with_traceback(None)
        assert folder == Path("release")

    def publish(self, folder: Path, fleets: Sequence[Fleet]) -> None:
        """Put the artifact."""
        for fleet in fleets:
            fleet.put_artifact(ARTIFACT, folder / ARTIFACT.name, lambda _: None)


@dataclass(slots=True)
class World:
    """Two fleets of 20 devices each; `processes` share the store in `folder`, as after a crash."""

    folder: Path
    factory: FakeFleet = field(default_factory=lambda: FakeFleet("factory", ids("factory", 20)))
    depot: FakeFleet = field(default_factory=lambda: FakeFleet("depot", ids("depot", 20)))
    publisher: FakePublisher = field(default_factory=FakePublisher)
    now: datetime = NOW

    @property
    def fleets(self) -> dict[str, FakeFleet]:
        """By name."""
        return {"factory": self.factory, "depot": self.depot}

    @property
    def store(self) -> Store:
        """The store, opened anew."""
        return Store(self.folder / "otabridge.db")

    def process(self, hook: Hook = nothing) -> Controller:
        """A new process: a controller that knows nothing but what the store holds."""
        for fleet in self.fleets.values():
            fleet.hook = hook
        store = FaultyStore(self.folder / "otabridge.db", hook)
        return Controller(store, self.fleets.__getitem__, self.publisher, self.clock, "ada@desk")

    def clock(self) -> datetime:
        """A second later with each look."""
        self.now += timedelta(seconds=1)
        return self.now

    def tick(self) -> None:
        """Let all devices move one step."""
        for fleet in self.fleets.values():
            fleet.tick()

    def apply(self, request: Request | None = None, hook: Hook = nothing, passes: int = 30) -> Pass:
        """What `rollout apply` does in a process of its own, at most `passes` passes long."""
        controller = self.process(hook)
        record = controller.admit(request or new_request(), ROOTS)
        return controller.run(record.name, self.waits(passes), lambda _: None)

    def waits(self, passes: int):
        """A wait in which devices move; says no after `passes` passes."""
        left = iter(range(passes - 1))

        def wait() -> bool:
            self.tick()
            return next(left, None) is not None

        return wait

    def record(self, name: str = "gates") -> Record:
        """The rollout as stored."""
        return self.store.load(name)

    def history(self) -> list[str]:
        """What the ledger says happened, in order."""
        return [link.entry.what.value for link in self.store.ledger()]
