"""What one installation costs."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.install.caches import Temperature, bring
from benchmarks.install.contestant import Contestant, Session, Spent
from benchmarks.install.payload import Payload
from benchmarks.install.processes import descendants, high_water, processor_seconds, proportional
from benchmarks.install.slots import make_durable, require_image, spoil

SECONDS = 0.05
"""Between two looks at the memory of all processes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one installation, until the slot was durable: of that, reading it back, and the syncing that was left to us.

    `peak` in bytes resident: the largest process, or the whole tree at one moment if that is more.
    """

    spent: Spent
    read_back: Spent
    left_unsynced: float
    peak: int


def measure(contestant: Contestant, payload: Payload, temperature: Temperature, without: frozenset[int]) -> Cost:
    """Install once; the processes `without` are nobody's.

    Raises: Unavailable when the tool fails, or another image is in the slot.
    """
    spoil(contestant.slot, payload.slot_bytes)
    with contestant.session() as session:
        bring(temperature, contestant.sources)
        cost = _watched(contestant, session, without)
    require_image(contestant.slot, payload.new)
    return cost


def _watched(contestant: Contestant, session: Session, without: frozenset[int]) -> Cost:
    before = _processor_seconds(session)
    with _peak(without) as peak:
        began = time.monotonic()
        read_back = session.install()
        ended = time.monotonic()
        cpu = _processor_seconds(session) - before
    make_durable(contestant.slot)
    durable = time.monotonic()
    return Cost(Spent(durable - began, cpu), read_back, durable - ended, peak())


def _processor_seconds(session: Session) -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + processor_seconds(session.residents)


class _Peak:
    """The most that was seen."""

    def __init__(self, without: frozenset[int]) -> None:
        self._without = without
        self._most = 0
        self._done = threading.Event()

    def __call__(self) -> int:
        return self._most

    def look(self) -> None:
        tree = descendants(os.getpid(), self._without)
        together = sum(map(proportional, tree)) if len(tree) > 1 else 0
        self._most = max(self._most, together, *map(high_water, tree), 0)

    def keep_looking(self) -> None:
        while not self._done.wait(SECONDS):
            self.look()

    def end(self) -> None:
        self._done.set()


@contextmanager
def _peak(without: frozenset[int]) -> Iterator[_Peak]:
    peak = _Peak(without)
    thread = threading.Thread(target=peak.keep_looking)
    thread.start()
    try:
        yield peak
        peak.look()
    finally:
        peak.end()
        thread.join()
