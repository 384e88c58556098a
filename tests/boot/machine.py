"""A machine in QEMU whose serial console is read line by line, and whose power can be cut.

QEMU runs with -no-reboot: a restart ends it, and it is started anew, which is a true power cycle. Every start counts as
a boot. Where a `banner` is given a restart is one without loss of power, so that the hardware can tell afterwards what
caused it; then every banner on the console counts.
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TAIL = 12
"""Lines of the console that a failure shows."""
SIGHT_SECONDS = 120.0
"""For one decision of a boot loader; it takes half of one where nothing else runs."""
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\x00]")


class NotSeen(Exception):
    """What was waited for did not appear on the console."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the console; `seconds` since the machine was first switched on."""

    seconds: float
    text: str


class Machine:
    """QEMU started by `command`; its console goes to the file `log` as well."""

    def __init__(self, command: Sequence[str], log: Path, banner: str = "") -> None:
        self._log = log
        self._banner = banner
        self._began = time.monotonic()
        self._changed = threading.Condition()
        self._lines: list[Line] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self.powers_on = 0
        self.rewire(command)

    def rewire(self, command: Sequence[str]) -> None:
        """Another command from the next power-on on."""
        kept = () if self._banner else ("-no-reboot",)
        self._command = (*command, *kept, "-display", "none", "-serial", "stdio", "-monitor", "none")

    def power_on(self) -> None:
        """Switch it on, and on again whenever it restarts, until the power is cut."""
        self._reader = threading.Thread(target=self._run, args=(self._start(),), name="console", daemon=True)
        self._reader.start()

    def cut_power(self) -> None:
        """Kill it between two instructions; what the disk was not told is lost. Again is no change."""
        with self._changed:
            process, self._process = self._process, None
        if process is not None and self._reader is not None:
            process.kill()
            self._reader.join()

    def mark(self) -> int:
        """A place in the console, to wait from."""
        with self._changed:
            return len(self._lines)

    def wait(self, pattern: str, seconds: float, since: int = 0) -> re.Match[str]:
        """The first match of `pattern` in a line from the mark `since` on. Raises: NotSeen."""
        wanted = re.compile(pattern)
        with self._changed:
            self._changed.wait_for(lambda: self._find(wanted, since) is not None, seconds)
            found = self._find(wanted, since)
            if found is None:
                last = "\n  ".join(line.text for line in self._lines[-TAIL:])
                raise NotSeen(f"no {pattern!r} on the console within {seconds:.0f} s; last:\n  {last}")
            return found

    def lines(self, since: int = 0) -> list[Line]:
        """The console from the mark `since` on."""
        with self._changed:
            return self._lines[since:]

    def _find(self, wanted: re.Pattern[str], since: int) -> re.Match[str] | None:
        return next((match for line in self._lines[since:] if (match := wanted.search(line.text))), None)

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        with self._changed:
            self._process = process
            self.powers_on += not self._banner
        return process

    def _run(self, process: subprocess.Popen[bytes]) -> None:
        """Read the console of one life after the other."""
        with self._log.open("a") as log:
            while True:
                self._read(process, log)
                failed = process.wait() != 0
                with self._changed:
                    if failed or self._process is None:
                        return
                    process = self._start()

    def _read(self, process: subprocess.Popen[bytes], log: IO[str]) -> None:
        if process.stdout is None:
            raise RuntimeError("the console is no pipe")
        with process.stdout as console:
            for raw in console:
                line = Line(time.monotonic() - self._began, CONTROL.sub("", raw.decode(errors="replace")).rstrip())
                log.write(f"{line.seconds:8.2f} {line.text}\n")
                log.flush()
                with self._changed:
                    self._lines.append(line)
                    self.powers_on += bool(self._banner) and self._banner in line.text
                    self._changed.notify_all()


def seen_by(
    command: Sequence[str], log: Path, pattern: str, seconds: float = SIGHT_SECONDS
) -> tuple[re.Match[str], int]:
    """Switch a machine on until its console says `pattern`, and off: what was found, and how often it was switched on.
    Raises: NotSeen."""
    machine = Machine(command, log)
    machine.power_on()
    try:
        found = machine.wait(pattern, seconds)
    finally:
        machine.cut_power()
    return found, machine.powers_on
