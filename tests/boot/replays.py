"""Replays of what `life` recorded, and of the same without flushes, which must not go well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from agent.slots import Slot
from tests.boot import recording
from tests.boot.bootmodel import decide, read
from tests.boot.decisions import UBootBench, make_template
from tests.boot.device import FACTORY_VERSION
from tests.boot.disk import ENVIRONMENT_BYTES, ENVIRONMENT_OFFSETS, DiskImage
from tests.boot.images import SLOT_MIB, Flavour, slot_image
from tests.boot.replay import Geometry, Known, State, states, violation
from tests.boot.scenarios import Scenario
from tests.boot.tally import Tally

SAMPLES = 15
"""Reorderings at each write."""
BLIND_SAMPLES = 1
JUDGED = 40
"""Environments, of all that occurred, over which the real U-Boot decides as well."""


class Replays:
    """The `log` of a life that began with `environment` on the disk and went through `scenarios`."""

    def __init__(self, folder: Path, log: Path, environment: bytes, scenarios: Sequence[Scenario]) -> None:
        flavours = [Flavour(FACTORY_VERSION), *(each.flavour for each in scenarios)]
        self._folder = folder
        self._log = log
        self._environments: set[bytes] = set()
        self._geometry = Geometry(DiskImage(folder / "none", SLOT_MIB), SLOT_MIB, [known(each) for each in flavours])
        self._start = self._geometry.begin(environment, {Slot.A: FACTORY_VERSION, Slot.B: None})

    def judge(self, tally: Tally) -> None:
        """Every state, then the environments among them once more by U-Boot, then the control."""
        count, wrong = self._count(self._states(SAMPLES, flushes=True))
        tally.add(f"replays: {count} states", 0, wrong, "a whole release comes to run in each")
        self._judge_by_uboot(tally)
        count, caught = self._count(self._states(BLIND_SAMPLES, flushes=False))
        missed = [] if caught else ["nothing goes wrong without flushes: the replays see nothing"]
        tally.add(f"replays without flushes: {count} states", 0, missed, f"{len(caught)} kinds of trouble, as must be")

    def _states(self, samples: int, *, flushes: bool) -> Iterator[State]:
        log = recording.entries(self._log)
        return states(self._start, log, self._geometry, samples=samples, flushes=flushes)

    def _count(self, every: Iterator[State]) -> tuple[int, list[str]]:
        count, wrong = 0, set[str]()
        for state in every:
            count += 1
            self._environments.add(bytes(state.environment))
            found = violation(state, self._geometry.images)
            wrong |= set() if found is None else {found}
        return count, sorted(wrong)

    def _judge_by_uboot(self, tally: Tally) -> None:
        folder = self._folder / "judged"
        (folder / "template").mkdir(parents=True)
        bench = UBootBench(make_template(folder / "template"), folder)
        chosen = sorted(self._environments)[:: max(1, len(self._environments) // JUDGED)]
        wrong = [words for words in (_differs(bench, each) for each in chosen) if words]
        words = f"U-Boot decides as the model over {len(chosen)} of {len(self._environments)} environments"
        tally.add("replays, judged", bench.powers_on, wrong, words)


def known(flavour: Flavour) -> Known:
    """The image of `flavour`, and what becomes of a device that starts it."""
    blocks = np.memmap(slot_image(flavour), np.uint8, "r")
    return Known(flavour.release, blocks, flavour.has_kernel, flavour.runs)


def _differs(bench: UBootBench, environment: bytes) -> str:
    """How U-Boot's choice and the model's differ, "" where they do not."""
    bench.board.disk.write(ENVIRONMENT_OFFSETS[0], environment)
    remembered = read(environment[:ENVIRONMENT_BYTES], environment[ENVIRONMENT_BYTES:])
    wanted, started = decide(remembered, lambda _: True).slot, bench.boot()
    return "" if started == wanted else f"U-Boot starts {started}, the model {wanted}, of {remembered}"
