"""A clock that runs with real time and can be moved forward, and an agenda of things to do by it."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class VirtualClock:
    """Wall time plus an offset. Safe to use from any thread.

    `start` is the first reading in seconds since the epoch; the present by default.
    A `frozen` clock moves by `advance` only.
    """

    def __init__(self, start: float | None = None, *, frozen: bool = False) -> None:
        self._lock = threading.Lock()
        self._frozen = frozen
        self._origin = time.monotonic()
        self._reading = time.time() if start is None else start
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> float:
        """Seconds since the epoch."""
        with self._lock:
            return self._now()

    def advance(self, seconds: float) -> None:
        """Move forward, then let every subscriber catch up in the caller's thread.

        Raises:
            ValueError: `seconds` is negative; time does not run backwards here.
        """
        if seconds < 0:
            raise ValueError(f"clock: cannot advance by {seconds} s; give zero or more seconds")
        with self._lock:
            self._reading += seconds
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each `advance`."""
        with self._lock:
            self._listeners.append(listener)

    def unsubscribe(self, listener: Callable[[], None]) -> None:
        """Stop calling `listener`; unknown ones are ignored."""
        with self._lock:
            self._listeners = [each for each in self._listeners if each != listener]

    def _now(self) -> float:
        if self._frozen:
            return self._reading
        return self._reading + (time.monotonic() - self._origin)


class Agenda:
    """Actions at points in time, run in order of time; not thread-safe, its owner locks."""

    def __init__(self) -> None:
        self._order = itertools.count()
        self._entries: list[tuple[float, int, Callable[[float], None]]] = []

    def at(self, when: float, action: Callable[[float], None]) -> None:
        """Plan `action(when)`; it decides itself whether it still applies."""
        heapq.heappush(self._entries, (when, next(self._order), action))

    def run_due(self, now: float) -> None:
        """Run all that is due, each with its own time, including what they add meanwhile."""
        while self._entries and self._entries[0][0] <= now:
            when, _, action = heapq.heappop(self._entries)
            action(when)


class Ticker:
    """Calls an action at a steady real-time interval in a thread of its own."""

    def __init__(self, action: Callable[[], None], *, seconds: float, name: str) -> None:
        self._action = action
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; an instance starts once."""
        self._thread.start()

    def stop(self) -> None:
        """End and wait until the last call has returned."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            self._action()
