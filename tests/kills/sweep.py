"""One run of a scenario with one blow in it, played to its end by the processes that come after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bridge.engine.progress import Progress
from bridge.errors import StoreError, UsageError
from bridge.store.store import Store
from tests.kills.faulty import Hook, KillAt, Killed
from tests.kills.judge import violations
from tests.kills.scenarios import Scenario
from tests.kills.world import World, request

STEP = timedelta(minutes=20)
MOST_PASSES = 400
SKEWS = (timedelta(), timedelta(minutes=7), timedelta(minutes=-7))
"""How wrong the clock of the process is that comes after a death, in turn."""
NAME = "swept"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one blow did. `calls` is how many calls left the first process."""

    at: int
    call: str
    calls: int
    violations: list[str]


def killed(scenario: Scenario, where: Path | str, at: int) -> Finding:
    """Play `scenario` with a kill at call number `at` of the first process; 0 for none."""
    hook = KillAt(at)
    play = Play(scenario, World(where, scenario.assumptions))
    try:
        play.go(hook)
        died = ""
    except Killed as call:
        died = str(call)
        play.go(KillAt(), SKEWS[at % len(SKEWS)])
    return Finding(at, died, len(hook.calls), play.violations())


def cut_off(scenario: Scenario, where: str, at: int, cut: Callable[[], None]) -> Finding:
    """Play `scenario` with every connection to the database lost at call number `at`; the process lives on."""
    hook = CutAt(at, cut)
    play = Play(scenario, World(where, scenario.assumptions))
    while not play.is_over:
        try:
            play.go(hook)
        except StoreError:
            continue  # what a controller that runs on does: the next round begins anew
    return Finding(at, hook.call, hook.count, play.violations())


@dataclass(slots=True)
class CutAt:
    """Cuts at the call number `at`, counting from 1, once."""

    at: int
    cut: Callable[[], None]
    count: int = 0
    call: str = ""

    def __call__(self, call: str) -> None:
        self.count += 1
        if self.count == self.at:
            self.call = call
            self.cut()


@dataclass(slots=True)
class Play:
    """Passes go on where the process before them stopped; what a person wanted is told again if it may be lost."""

    scenario: Scenario
    world: World
    passes: int = 0
    is_over: bool = False

    def go(self, hook: Hook, skew: timedelta = timedelta()) -> None:
        """Pass after pass to the end, by a process of its own."""
        controller, store = self.world.process(hook, skew)
        try:
            controller.admit(request(**self.scenario.rollout), (b"root 2",))
            while not self.is_over:
                self._people(controller)
                self._take(controller.step(NAME).record.progress)
        finally:
            store.close()

    def violations(self) -> list[str]:
        """What is wrong at the end."""
        store = Store(self.world.where)
        try:
            return violations(self.scenario, self.world, store, NAME)
        finally:
            store.close()

    def _take(self, progress: Progress) -> None:
        told = all(order.closed for _, _, order in progress.each())
        self.passes += 1
        self.is_over = (progress.state.is_final and told) or self.passes > MOST_PASSES
        self.world.now += STEP

    def _people(self, controller) -> None:
        """A control that was recorded already changes nothing, or is refused because it was carried out."""
        wanted = self.scenario.people.get(self.passes)
        if wanted is None:
            return
        change, act = wanted
        try:
            controller.control(NAME, change, act, "the scenario says so")
        except UsageError:
            return
