"""How often what a board remembers may be changed: flash wears out, and whoever took the agent over has time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from agent.slots import BootEnvironmentError

CHANGES = 64
"""In an hour. An update makes about ten."""
HOUR = 3600.0


class Allowance:
    """Counts changes; `clock` in seconds, never going back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changes: deque[float] = deque()

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it is used, so that nothing would be forgotten with this process."""
        self._forget()
        return not self._changes

    def spend(self) -> None:
        """One more change. Raises: BootEnvironmentError when there were too many."""
        self._forget()
        if len(self._changes) >= CHANGES:
            raise BootEnvironmentError(
                f"the slot writer was asked for more than {CHANGES} changes within an hour, and spares the flash: find "
                "out what asks, then restart otabridge-slot-writer"
            )
        self._changes.append(self._clock())

    def _forget(self) -> None:
        while self._changes and self._changes[0] <= self._clock() - HOUR:
            self._changes.popleft()
