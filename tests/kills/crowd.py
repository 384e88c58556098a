"""Three controllers on one database, who divide its rollouts among them and die at random, until all have ended."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from bridge.errors import RolloutBusy, StoreError
from bridge.store.store import Store
from tests.kills.faulty import Killed
from tests.kills.judge import violations
from tests.kills.scenarios import SCENARIOS, Scenario
from tests.kills.sweep import NAME, STEP
from tests.kills.world import World, request

ROLLOUTS = 9
CONTROLLERS = 3
DEADLY = 300
"""One call in so many is the last of its controller."""
MOST_ROUNDS = 400


@dataclass(slots=True)
class Crowd:
    """Rollouts of a database at `url`, each with fleets of its own. One lock makes each call of a fleet one act."""

    url: str
    seed: int
    worlds: dict[str, World] = field(default_factory=dict)
    scenarios: dict[str, Scenario] = field(default_factory=dict)
    deaths: int = 0
    stepped: dict[str, set[int]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def admit(self) -> None:
        """Record the rollouts; those of people need a person, so the scenarios without are played."""
        quiet = [scenario for scenario in SCENARIOS if not scenario.people]
        for number in range(ROLLOUTS):
            name, scenario = f"{NAME}-{number}", quiet[number % len(quiet)]
            self.worlds[name], self.scenarios[name] = World(self.url, scenario.assumptions), scenario
            controller, store = self.worlds[name].process()
            controller.admit(request(name=name, **scenario.rollout), ())
            store.close()

    def play(self) -> None:
        """Rounds by three controllers at once; time moves on between them."""
        for _ in range(MOST_ROUNDS):
            if not self._unfinished():
                return
            threads = [threading.Thread(target=self._round, args=(number,)) for number in range(CONTROLLERS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for world in self.worlds.values():
                world.now += STEP

    def violations(self) -> Iterator[str]:
        """What is wrong with any of the rollouts at the end."""
        store = Store(self.url)
        try:
            for name, world in self.worlds.items():
                found = violations(self.scenarios[name], world, store, name)
                yield from (f"{name}: {violation}" for violation in found)
        finally:
            store.close()

    def _unfinished(self) -> tuple[str, ...]:
        store = Store(self.url)
        try:
            return store.unfinished()
        finally:
            store.close()

    def _round(self, number: int) -> None:
        """One controller goes over what is to be done, as long as it lives."""
        dice = random.Random(f"{self.seed} {number} {self.deaths}")
        for name in self._unfinished():
            try:
                self._step(name, number, dice)
            except RolloutBusy:
                continue  # another controller has it
            except StoreError:
                continue  # the next round begins anew
            except Killed:
                with self.lock:
                    self.deaths += 1

    def _step(self, name: str, number: int, dice: random.Random) -> None:
        def fate(call: str) -> None:
            if dice.random() < 1 / DEADLY:
                raise Killed(call)

        controller, store = self.worlds[name].process(fate, lock=self.lock)
        try:
            controller.step(name, wait=0)
            self.stepped.setdefault(name, set()).add(number)
        finally:
            store.close()
