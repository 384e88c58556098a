"""How fast Azure may be asked, and how long one call waits for what Azure does in its own time.

The limits are those of the services' quota pages: an S1 hub answers 20 queries a minute and unit, a Device Update
instance takes 7 deployments created, 7 deleted, 7 cancelled or tried again, and 30 looks at groups a minute.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

MINUTE = 60.0
_Answer = TypeVar("_Answer")


class Clock(Protocol):
    """Time, as far as it is looked at and waited for."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds of a clock that nobody sets."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """See Clock."""
        return time.time()

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See Clock."""
        time.sleep(seconds)


class Pace:
    """At most `per_minute` calls in any sixty seconds. Safe to use from any thread."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: deque[float] = deque(maxlen=per_minute)

    def wait(self) -> None:
        """Return when one more call may be made; it counts as made."""
        with self._lock:
            if len(self._calls) == self._calls.maxlen:
                self._sleep_until(self._calls[0] + MINUTE)
            self._calls.append(self._clock.monotonic())

    def _sleep_until(self, moment: float) -> None:
        while (left := moment - self._clock.monotonic()) > 0:
            self._clock.sleep(left)


class Patience:
    """What is left of the seconds that one call may wait."""

    def __init__(self, seconds: float, poll: float, clock: Clock) -> None:
        self._clock = clock
        self._poll = poll
        self._end = clock.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self._clock.monotonic() >= self._end

    def wait(self) -> bool:
        """Wait until it is worth looking again; False, at once, when the time is over."""
        left = self._end - self._clock.monotonic()
        if left <= 0:
            return False
        self._clock.sleep(min(self._poll, left))
        return True


Delay = Callable[[Exception], float | None]
"""How many seconds after this error another try may help; None where none will."""
TRIES = 3
LONGEST_DELAY = 20.0


def insist(call: Callable[[], _Answer], delay: Delay, clock: Clock) -> _Answer:
    """The answer of `call`, which is tried three times at most where an error passes; repeating it must be harmless."""
    for _ in range(TRIES - 1):
        try:
            return call()
        except Exception as error:
            seconds = delay(error)
            if seconds is None:
                raise
            clock.sleep(min(seconds, LONGEST_DELAY))
    return call()
