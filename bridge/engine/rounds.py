"""Rounds over all rollouts of a store, one pass each: what a controller does that runs by itself.

Any number of processes may make rounds over one store: each takes a rollout by its hold, and leaves out those that
another one holds. What goes wrong with one rollout does not keep the others from their pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from bridge.engine.controller import Pass
from bridge.engine.observing import OpenFleet
from bridge.errors import RolloutBusy, StoreError
from bridge.fleet import Fleet
from bridge.release.errors import OtabridgeError

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
"""Seconds between two attempts to reach a store that is away: twice as long each time, up to this."""


class Stopping(Exception):
    """This process was asked to end; the act that was under way is done."""


class Passes(Protocol):
    """PORT: one pass over one rollout, as `bridge.engine.controller.Controller` makes it."""

    def step(self, name: str, wait: float | None = None) -> Pass:
        """Raises: OtabridgeError."""


class Unfinished(Protocol):
    """PORT: which rollouts there are to look after, as `bridge.store` tells."""

    def unfinished(self) -> tuple[str, ...]:
        """Names, the longest untouched first. Raises: StoreError."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of one rollout in a round: a pass, or an error; neither where another process holds it."""

    name: str
    done: Pass | None = None
    error: OtabridgeError | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong: the error, or what fleets refused in a pass that was made all the same."""
        if self.error is not None:
            return (str(self.error),)
        return tuple(map(str, self.done.troubles)) if self.done else ()


def stoppable(fleets: OpenFleet, stopping: Callable[[], bool]) -> OpenFleet:
    """`fleets`, none of which can be asked or told anything once `stopping`: a pass ends before its next act.

    Raises (when a fleet is opened): Stopping.
    """

    def open_fleet(name: str) -> Fleet:
        if stopping():
            raise Stopping
        return fleets(name)

    return open_fleet


class Rounds:
    """Makes rounds, until `stopping`."""

    def __init__(self, controller: Passes, store: Unfinished, stopping: Callable[[], bool]) -> None:
        self._controller = controller
        self._store = store
        self._stopping = stopping

    def make(self) -> Iterator[Turn]:
        """One round, a turn after the other, the longest untouched rollout first.

        Raises:
            StoreError: it could not even be asked which rollouts there are.
        """
        for name in self._store.unfinished():
            if self._stopping():
                return
            try:
                yield self._turn(name)
            except Stopping:
                return

    def _turn(self, name: str) -> Turn:
        try:
            return Turn(name, self._controller.step(name, 0))
        except RolloutBusy:
            return Turn(name)
        except OtabridgeError as error:
            return Turn(name, error=error)


def is_lost(turns: list[Turn]) -> bool:
    """Whether the store was away in the round: another one soon would fail like this one."""
    return any(isinstance(turn.error, StoreError) for turn in turns)


def delay_after(failures: int) -> float:
    """Seconds to wait after so many rounds in a row (1 or more) in which the store was away."""
    return min(LONGEST_DELAY, FIRST_DELAY * math.exp2(min(failures, 16) - 1))
