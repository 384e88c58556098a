"""A process of this package that is spoken with, a line at a time."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Speaker:
    """The other end of its stdin and stdout."""

    pid: int
    _to: IO[str]
    _from: IO[str]

    def say(self, line: str) -> None:
        """Raises: OSError when it has ended."""
        self._to.write(f"{line}\n")
        self._to.flush()

    def hear(self) -> str:
        """The next line; "" when it has ended."""
        return self._from.readline().rstrip("\n")


@contextmanager
def speaking(line: Sequence[str | Path], log: Path) -> Iterator[Speaker]:
    """The process of `line`, ended after the block; what it has to say to people goes to `log`."""
    command, pipe = list(map(str, line)), subprocess.PIPE
    with (
        log.open("w") as said,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=said, text=True, cwd=CHECKOUT) as process,
    ):
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("pipes were asked for")
        try:
            yield Speaker(process.pid, process.stdin, process.stdout)
        finally:
            process.terminate()
