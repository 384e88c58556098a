"""The sign of life: working code beats, and only then is systemd told that the agent works, and a watchdog fed.

There is no timer behind it. A loop that hangs stops beating, and the watchdog restarts the agent; a download of hours
beats with every chunk, a health check of minutes with every half second of waiting for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from agent.disk import BlockFile, Disk, Medium
from agent.notify import Notifier
from agent.pace import StopRequested

SLICE_SECONDS = 1.0


class Pulse(Protocol):
    """Something else that wants to know that the agent works, as a hardware watchdog does."""

    @property
    def patience(self) -> float:
        """The longest wait, in seconds, without a beat that it bears well, at the moment."""

    def feed(self) -> None:
        """There was a beat. Beats come by the thousand; raises nothing."""


class Unattended:
    """Nothing else waits for beats."""

    patience = math.inf

    def feed(self) -> None:
        """See Pulse."""


class Heartbeat:
    """Beats for systemd's watchdog, and a `pulse` beside it, and stops the work where a beat is."""

    def __init__(
        self,
        notifier: Notifier,
        watchdog: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        nap: Callable[[float], None] = time.sleep,
        pulse: Pulse | None = None,
    ) -> None:
        """`watchdog` in seconds, see `agent.notify.watchdog_seconds`."""
        self._notifier = notifier
        self._interval = None if watchdog is None else watchdog / 2
        self._clock = clock
        self._nap = nap
        self._pulse = pulse or Unattended()
        self._told = -math.inf
        self._stop = False
        self._waiting = False

    @property
    def patience(self) -> float:
        """The longest wait, in seconds, without a beat that the watchdogs bear well."""
        return min(math.inf if self._interval is None else self._interval, self._pulse.patience)

    def stop(self) -> None:
        """From a signal handler: the next beat raises, or, while `waiting`, this. Raises: StopRequested."""
        self._stop = True
        if self._waiting:
            raise StopRequested

    def heed(self) -> None:
        """The stop was heard: beats raise no more, for the little that is to be done before the end."""
        self._stop = False

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within it nothing is half done, and a stop is raised right there instead of at the next beat."""
        self._waiting = True
        try:
            self.beat()  # a stop that came before the line above is seen here, one that comes after it is raised there
            yield
        finally:
            self._waiting = False

    def beat(self) -> None:
        """The caller has got on with its work. Raises: StopRequested."""
        if self._stop:
            raise StopRequested
        now = self._clock()
        if self._interval is not None and now - self._told >= self._interval:
            self._told = now
            self._notifier.watchdog()
        self._pulse.feed()

    def sleep(self, seconds: float) -> None:
        """Sleep, beating. Raises: StopRequested."""
        end = self._clock() + seconds
        self.beat()
        while (left := end - self._clock()) > 0:
            self._nap(min(left, SLICE_SECONDS))
            self.beat()


class BeatingDisk:
    """A disk that beats before each access to a slot, or a file as large, so that neither writing nor reading it back
    looks like a hang; between two of them is also where an update may be stopped."""

    def __init__(self, disk: Disk, beat: Callable[[], None]) -> None:
        self._disk = disk
        self._beat = beat

    def read(self, path: Path) -> bytes | None:
        """See Disk."""
        return self._disk.read(path)

    def replace(self, path: Path, data: bytes) -> None:
        """See Disk."""
        self._disk.replace(path, data)

    def open_slot(self, path: Path, *, to_write: bool = True) -> BlockFile:
        """See Disk."""
        return _BeatingFile(self._disk.open_slot(path, to_write=to_write), self._beat)

    def open_medium(self, path: Path) -> Medium:
        """See Disk."""
        return _BeatingMedium(self._disk.open_medium(path), self._beat)

    def open_file(self, path: Path) -> BlockFile:
        """See Disk."""
        return _BeatingFile(self._disk.open_file(path), self._beat)

    def make_folder(self, path: Path) -> None:
        """See Disk."""
        self._disk.make_folder(path)

    def names(self, folder: Path) -> list[str]:
        """See Disk."""
        return self._disk.names(folder)

    def remove(self, path: Path) -> None:
        """See Disk."""
        self._disk.remove(path)

    def free(self, folder: Path) -> int:
        """See Disk."""
        return self._disk.free(folder)


class _BeatingFile:
    def __init__(self, file: BlockFile, beat: Callable[[], None]) -> None:
        self._file = file
        self._beat = beat

    def write(self, offset: int, data: bytes) -> None:
        """See BlockFile."""
        self._beat()
        self._file.write(offset, data)

    def read(self, offset: int, length: int) -> bytes:
        """See BlockFile."""
        self._beat()
        return self._file.read(offset, length)

    def length(self) -> int:
        """See BlockFile."""
        return self._file.length()

    def sync(self) -> None:
        """See BlockFile."""
        self._file.sync()

    def close(self) -> None:
        """See BlockFile."""
        self._file.close()


class _BeatingMedium:
    def __init__(self, medium: Medium, beat: Callable[[], None]) -> None:
        self._medium = medium
        self._beat = beat

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """See Medium."""
        self._beat()
        return self._medium.read_into(buffer, offset)

    def close(self) -> None:
        """See Medium."""
        self._medium.close()
