"""Notices a connection that never lasts, which the SDK mends again and again, at once and without a word.

Two agents with one identity hang each other up so, as fast as they can connect.
"""

from __future__ import annotations

from collections import deque

MANY = 6
WINDOW_SECONDS = 60.0


class Drops:
    """Counts the drops of one device's connection. `now` is any monotonic time, in seconds."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=MANY)

    def note(self, now: float) -> bool:
        """Whether this drop is one of `MANY` within `WINDOW_SECONDS`; said once, then counted anew."""
        self._times.append(now)
        if len(self._times) < MANY or now - self._times[0] > WINDOW_SECONDS:
            return False
        self._times.clear()
        return True
