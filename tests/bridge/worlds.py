"""A whole control plane in a folder: real store, real controller, fleets in memory, a clock that a test turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from bridge.engine import controls
from bridge.engine.controller import Control, Controller, Pass
from bridge.engine.record import Record
from bridge.fleet import Fleet
from bridge.ledger import Act
from bridge.planning.plan import Request, SignedRelease
from bridge.store.store import Store
from tests.bridge.fakes import PREVIOUS, FakeFleet, Hook, nothing
from tests.bridge.faulty_store import FaultyStore
from tests.bridge.plans import NOW, ids, new_rollout
from tests.releases import describe, new_release

__all__ = ["ARTIFACT", "NOW", "PASS", "ROOTS", "WAY_BACK", "World", "ids", "new_request", "new_rollout"]

ARTIFACT = describe(b"image", b"compressed image")
ROOTS = (b"root 2", b"root 3")
PASS = timedelta(seconds=10)
"""From one pass to the next."""
WAY_BACK = {"roll_back": {"release": "previous"}}


def new_request(folder: Path = Path("release"), document: bytes = b"release.json", **changes) -> Request:
    """A request for `new_rollout(**changes)`; its releases are not signed, the controller never looks."""
    rollout = new_rollout(**changes)
    previous = new_release(version="1.9.0", sequence=1, artifacts=(ARTIFACT,))
    back = SignedRelease(Path("previous"), PREVIOUS, previous) if rollout.roll_back else None
    return Request(rollout, SignedRelease(folder, document, new_release(artifacts=(ARTIFACT,))), back)


class FakePublisher:
    """Puts one artifact into each fleet; `refusal` is raised by `require`."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal = refusal

    def require(self, folder: Path) -> None:
        """Refuse if told so."""
        if self.refusal:
            raise self.refusal.with_traceback(None)
        assert folder in {Path("release"), Path("previous")}

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
        return FaultyStore(self.folder / "otabridge.db", self.clock)

    def process(self, hook: Hook = nothing) -> Controller:
        """A new process: a controller that knows nothing but what the store holds."""
        for fleet in self.fleets.values():
            fleet.hook = hook
        store = FaultyStore(self.folder / "otabridge.db", self.clock, hook)
        return Controller(store, self.fleets.__getitem__, self.publisher, "ada@desk")

    def clock(self) -> datetime:
        """A millisecond later with each look."""
        self.now += timedelta(milliseconds=1)
        return self.now

    def tick(self, span: timedelta = PASS) -> None:
        """Let time pass, and all devices move one step."""
        self.now += span
        for fleet in self.fleets.values():
            fleet.tick()

    def apply(self, request: Request | None = None, hook: Hook = nothing, passes: int = 30) -> Pass:
        """What `rollout apply` does in a process of its own, at most `passes` passes long."""
        controller = self.process(hook)
        record = controller.admit(request or new_request(), ROOTS)
        return controller.run(record.name, self.waits(passes), lambda _: None)

    def go_on(self, passes: int = 30, hook: Hook = nothing, span: timedelta = PASS) -> Pass:
        """What a controller that serves all rollouts does with this one."""
        return self.process(hook).run("gates", self.waits(passes, span), lambda _: None)

    def waits(self, passes: int, span: timedelta = PASS) -> Callable[[], bool]:
        """A wait in which devices move; says no after `passes` passes."""
        left = iter(range(passes - 1))

        def wait() -> bool:
            self.tick(span)
            return next(left, None) is not None

        return wait

    def pause(self, hook: Hook = nothing) -> Pass:
        """`rollout pause`."""
        return self.say(controls.pause, Act.PAUSED, "a look", hook)

    def resume(self, hook: Hook = nothing) -> Pass:
        """`rollout resume`."""
        return self.say(controls.resume, Act.RESUMED, "looked", hook)

    def promote(self, hook: Hook = nothing) -> Pass:
        """`rollout promote`."""
        return self.say(controls.promote, Act.PROMOTED, "seen it work", hook)

    def roll_back(self, hook: Hook = nothing) -> Pass:
        """`rollout rollback`."""
        return self.say(controls.roll_back, Act.ROLLING_BACK, "it is bad", hook)

    def abort(self, reason: str = "heat wave", hook: Hook = nothing) -> Pass:
        """`rollout abort`."""
        return self.say(controls.abort, Act.ABORTED, reason, hook)

    def say(self, control: Control, act: Act, reason: str, hook: Hook = nothing) -> Pass:
        """A person's command, in a process of its own."""
        return self.process(hook).tell("gates", control, act, reason)

    def record(self, name: str = "gates") -> Record:
        """The rollout as stored."""
        return self.store.load(name)

    def history(self) -> list[str]:
        """What the ledger says happened, in order, without the waiting."""
        return [link.entry.what.value for link in self.store.ledger() if link.entry.what is not Act.HELD]
