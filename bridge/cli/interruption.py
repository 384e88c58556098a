"""How commands that own processes or folders end: by Ctrl-C, `kill` or a closed terminal alike, and tidily."""

from __future__ import annotations

import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within it, the first of these signals raises KeyboardInterrupt; those after it do not disturb the tidying up."""
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Ending:
    """Asks a loop to end after what it is at. The first of the signals asks; the second interrupts."""

    def __init__(self) -> None:
        self._asked = False
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()  # unlike an Event's, its lock bears a signal handler

    def is_asked(self) -> bool:
        """Whether the loop is to end."""
        return self._asked

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until it is asked to end."""
        with suppress(queue.Empty):
            self._wake.get(timeout=seconds)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within it, the signals ask."""
        before = {number: signal.signal(number, self._ask) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        self._wake.put(None)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in SIGNALS:
        signal.signal(number, _already)
    raise KeyboardInterrupt


def _already(_number: int, _frame: FrameType | None) -> None:
    """It is ending. No SIG_IGN: programs that are started now would inherit that."""
