"""Calls an action soon after somebody asks for it, and now and then by itself, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Pump:
    """`wake` never blocks."""

    def __init__(self, action: Callable[[], None], *, seconds: float, name: str) -> None:
        self._action = action
        self._seconds = seconds
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; an instance starts once."""
        self._thread.start()

    def wake(self) -> None:
        """Call the action soon."""
        self._wanted.set()

    def stop(self) -> None:
        """End and wait until the last call has returned."""
        self._stopped.set()
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wanted.wait(self._seconds)
            self._wanted.clear()
            self._action()
