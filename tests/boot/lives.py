"""Several lives side by side, each of a device of its own in a process of its own: a guest that starts, hangs or waits
leaves a core to the others. Lives of one kind share a list of scenarios, and each takes the next one when it is done.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from tests.boot.cloud import full_artifact
from tests.boot.device import FACTORY_VERSION
from tests.boot.hardware import Hardware
from tests.boot.images import Flavour, slot_image
from tests.boot.life import live
from tests.boot.machine import NotSeen
from tests.boot.platforms import Platform
from tests.boot.programs import ProgramFailed
from tests.boot.scenarios import Scenario
from tests.boot.tally import Tally

FORK = multiprocessing.get_context("fork")
"""A process that has all modules already: nothing else runs here while it begins."""


@dataclass(frozen=True)
class Work:
    """Scenarios on devices that `make` makes; where only one of them does it, it may record what it writes in `log`."""

    make: Callable[[Path], Hardware]
    scenarios: Sequence[Scenario]
    log: Path | None = None
    _taken: Synchronized[int] = field(default_factory=lambda: FORK.Value("i", 0))

    def __iter__(self) -> Iterator[Scenario]:
        """Each scenario in one of the processes that share this."""
        while (number := self._next()) < len(self.scenarios):
            yield self.scenarios[number]

    def _next(self) -> int:
        with self._taken.get_lock():
            self._taken.value += 1
            return self._taken.value - 1


def make_images(platform: Platform, scenarios: Sequence[Scenario]) -> None:
    """All that is made once, before the time of any device begins to run. Raises: ProgramFailed."""
    slot_image(Flavour(FACTORY_VERSION), platform)
    for scenario in scenarios:
        full_artifact(slot_image(scenario.flavour, platform), scenario.flavour.release)


def live_side_by_side(folder: Path, works: Sequence[Work], tally: Tally) -> None:
    """One life for each of `works`, at the same time; works that are one object are shared."""
    lives = [_begun(folder / f"life-{number}", work) for number, work in enumerate(works, 1)]
    try:
        for number, (process, answers) in enumerate(lives, 1):
            _join(f"life {number}", process, answers, tally)
    finally:
        for process, _ in lives:
            process.terminate()
            process.join()


def _begun(folder: Path, work: Work) -> tuple[ForkProcess, Connection]:
    folder.mkdir(parents=True)
    answers, told = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_live, args=(folder, work, told), daemon=True)
    process.start()
    told.close()
    return process, answers


def _live(folder: Path, work: Work, told: Connection) -> None:
    """In its own process: it prints for itself, and hands over what it has counted."""
    tally = Tally()
    try:
        live(folder, work.make, work, tally, work.log)
    except (NotSeen, ProgramFailed) as error:
        tally.add(folder.name, 0, [str(error)], "")
    told.send(tally)


def _join(name: str, process: ForkProcess, answers: Connection, tally: Tally) -> None:
    try:
        counted = answers.recv()
    except EOFError:
        process.join()
        tally.add(name, 0, [f"it ended with {process.exitcode}, and told nothing"], "")
        return
    tally.boots += counted.boots
    tally.violations += counted.violations
