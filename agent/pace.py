"""Time and chance of a download: how long to wait, how fast to go, and when slow has become stuck."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_DOUBLING = 16


class StopRequested(BaseException):  # as KeyboardInterrupt: no handler of failures may take it for one
    """The service manager wants the agent to stop; raised between two blocks of work, where the journal is right."""


def _no_beat() -> None:
    """Nobody listens for a sign of life."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What the agent knows of time and chance, in seconds; a test gives its own. `clock` never goes back, `time_of_day`
    is the same on all devices, as far as their clocks are right.

    `beat` is called between blocks of work: it shows that the agent lives, and may raise to stop it there.
    """

    clock: Callable[[], float] = time.monotonic
    time_of_day: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.SystemRandom().random
    beat: Callable[[], None] = _no_beat


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter: devices that failed together do not come back together."""

    first: float = 1.0
    most: float = 60.0

    def delay(self, faults: int, chance: float) -> float:
        """Seconds to wait after the `faults`-th fault in a row (from 1); `chance` lies in 0..1."""
        return chance * min(self.most, self.first * 2.0 ** min(faults - 1, LONGEST_DOUBLING))


GENTLE = Backoff()


class TokenBucket:
    """Lets `rate` bytes a second through, and at most one second's worth at once; None lets all through."""

    def __init__(self, rate: int | None, timing: Timing) -> None:
        self._rate = rate
        self._timing = timing
        self._credit = float(rate or 0)
        self._seen = timing.clock()

    def take(self, count: int) -> None:
        """Return once `count` bytes may pass."""
        if self._rate is None:
            return
        self._refill(self._rate)
        self._credit -= count
        if self._credit < 0:
            self._timing.sleep(-self._credit / self._rate)

    def _refill(self, rate: int) -> None:
        now = self._timing.clock()
        self._credit = min(float(rate), self._credit + (now - self._seen) * rate)
        self._seen = now


class Crawl:
    """Tells a link that crawls from one that is merely slow: `least` bytes must come in each `window` seconds.

    Only time spent waiting for the network counts, so neither a slow disk nor our own rate limit is blamed on it.
    """

    def __init__(self, window: float, least: int) -> None:
        self._window = window
        self._least = least
        self._waited = 0.0
        self._came = 0

    def crawls(self, waited: float, came: int) -> bool:
        """Note that `came` bytes took `waited` seconds; True when a window has passed with too little."""
        self._waited += waited
        self._came += came
        if self._waited < self._window:
            return False
        crawling = self._came < self._least
        self._waited, self._came = 0.0, 0
        return crawling
