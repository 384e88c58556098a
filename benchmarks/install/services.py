"""Programs that run all the time while a tool installs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.install.programs import Unavailable, tail

SECONDS = 20.0
"""Until a service has to be ready, and until one that was asked to end is killed."""
STEP = 0.02


@contextmanager
def running(line: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """The process id of a service that says what it has to say to `log`."""
    with log.open("w") as said:
        service = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment)
    try:
        yield service.pid
    finally:
        _end(service)


def wait_until(is_ready: Callable[[], bool], log: Path) -> None:
    """Raises: Unavailable with what the service said."""
    deadline = time.monotonic() + SECONDS
    while not is_ready():
        if time.monotonic() > deadline:
            raise Unavailable(f"{log.stem} was not ready in {SECONDS:g} s: {tail(log.read_text(errors='replace'))}")
        time.sleep(STEP)


def _end(service: subprocess.Popen[bytes]) -> None:
    service.terminate()
    try:
        service.wait(SECONDS)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()
