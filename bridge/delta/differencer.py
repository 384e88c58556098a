"""Compares bytes with bsdiff in child processes that may die of it; the maker does not."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bridge.delta import child

PROGRAM = Path(child.__file__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may take: bytes of address space and of stack, seconds of CPU for one task.

    bsdiff takes 17 to 18 bytes for each byte of window, as many times more as it is stretched. Content that makes it
    slow or recurse deeply is recognised before; no other content has been seen to come near these bounds.
    """

    memory: int = 1 << 30
    stack: int = 96 << 20
    seconds: float = 120.0


DEFAULT_BOUNDS = Bounds()


class Differencer:
    """Lends children to any number of threads; a child that died is replaced. Close it when done."""

    def __init__(self, bounds: Bounds = DEFAULT_BOUNDS, program: Path = PROGRAM) -> None:
        self._bounds = bounds
        self._program = program
        self._idle: list[subprocess.Popen[bytes]] = []
        self._all: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def triples(self, window: bytes, target: bytes, stretch: int = 1) -> bytes | None:
        """bsdiff's triples that turn `window` into `target`, both stretched; None if the child died of it."""
        process = self._take()
        try:
            found = _ask(process, window, target, stretch)
        except BaseException:
            self._end(process)
            raise
        if found is None:
            self._end(process)
        else:
            self._give_back(process)
        return found

    def close(self) -> None:
        """End all children, also those at work."""
        with self._lock:
            self._is_closed = True
            running = list(self._all)
        for process in running:
            self._end(process)

    def _take(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the differencer is closed")
            if self._idle:
                return self._idle.pop()
            process = _spawn(self._program, self._bounds)
            self._all.add(process)
            return process

    def _give_back(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            if not self._is_closed:
                self._idle.append(process)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        with self._lock:
            if process not in self._all:
                return
            self._all.discard(process)
        process.wait()
        for pipe in _pipes(process):
            with suppress(BrokenPipeError):
                pipe.close()


@contextmanager
def children(bounds: Bounds = DEFAULT_BOUNDS) -> Iterator[Differencer]:
    """A differencer whose children end with the block."""
    differencer = Differencer(bounds)
    try:
        yield differencer
    finally:
        differencer.close()


def _spawn(program: Path, bounds: Bounds) -> subprocess.Popen[bytes]:
    limits = (str(bounds.memory), str(bounds.stack), str(bounds.seconds))
    command = [sys.executable, "-P", str(program), *limits]
    return subprocess.Popen(  # noqa: S603 - this interpreter, with a program of ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def _ask(process: subprocess.Popen[bytes], window: bytes, target: bytes, stretch: int) -> bytes | None:
    stdin, stdout = _pipes(process)
    try:
        stdin.write(child.TASK.pack(len(window), len(target), stretch))
        stdin.write(window)
        stdin.write(target)
        stdin.flush()
    except BrokenPipeError:
        return None
    head = stdout.read(child.RESULT.size)
    if len(head) != child.RESULT.size:
        return None
    (length,) = child.RESULT.unpack(head)
    triples = stdout.read(length)
    return triples if len(triples) == length else None


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a child was started without pipes")
    return process.stdin, process.stdout
