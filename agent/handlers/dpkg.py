"""dpkg, asked and told: what is installed in one system, and what is to be."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from agent.handlers.runner import Runner
from agent.handling import StepError

DATABASE = Path("var/lib/dpkg")
LOCK = "lock"
POLL_SECONDS = 1.0
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,63}")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+~:-]{0,127}")
"""Debian policy, 5.6.1 and 5.6.12; neither has a slash, so that both may be in the name of a file."""
INSTALLED, CONFIGURATION, ABSENT = "installed", "config-files", "not-installed"
UNATTENDED = ("--force-confdef", "--force-confold")
"""A changed configuration file stays, and nobody is asked."""
REPAIRING = "--force-remove-reinstreq"
"""Remove what was cut off while it was unpacked."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a package stands in dpkg's database: one of its states, and the version that is there ("" where none is)."""

    state: str
    version: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether it is a state that dpkg can be brought back to."""
        return self.state in (INSTALLED, CONFIGURATION, ABSENT)


@dataclass(frozen=True, slots=True)
class Dpkg:
    """Of the system at `root`; `options` are further ones of the device's owner."""

    runner: Runner
    root: Path
    options: Sequence[str] = ()

    @property
    def database(self) -> Path:
        """dpkg's own folder in that system."""
        return self.root / DATABASE

    def standing(self, who: str, package: str) -> Standing:
        """How `package` stands. Raises: StepError, also where it is there for several architectures."""
        shape = "-f=${Package} ${db:Status-Status} ${Version}\n"
        output = self.runner.ask(who, ["dpkg-query", f"--admindir={self.database}", "-W", shape])
        lines = [line.split(" ") for line in output.splitlines() if line.startswith(f"{package} ")]
        known = [line for line in lines if len(line) > 1 and line[1] != ABSENT]
        if len(known) > 1:
            raise StepError(f"{who}: package {package} is there for several architectures, of which none is meant")
        return Standing(known[0][1], "".join(known[0][2:3])) if known else Standing(ABSENT)

    def named(self, who: str, file: Path) -> tuple[str, str]:
        """The package and the version of a package file. Raises: StepError."""
        output = self.runner.ask(who, ["dpkg-deb", "--showformat=${Package} ${Version}", "--show", str(file)])
        package, _, version = output.strip().partition(" ")
        if not PACKAGE.fullmatch(package) or not VERSION.fullmatch(version):
            raise StepError(f"{who}: {file.name} is no package file: it is of {package[:64]!r}, {version[:64]!r}")
        return package, version

    def require_sound(self, who: str, file: Path) -> None:
        """Whether all of a package file can be unpacked. Raises: StepError."""
        self.runner.run(who, ["dpkg-deb", "--contents", str(file)])

    def install(self, who: str, file: Path) -> None:
        """In place of whatever version is there. Raises: StepError."""
        self._change(who, *UNATTENDED, "--install", str(file))

    def unpack(self, who: str, file: Path) -> None:
        """Likewise, without configuring it. Raises: StepError."""
        self._change(who, *UNATTENDED, "--unpack", str(file))

    def remove(self, who: str, package: str, *, with_configuration: bool) -> None:
        """Raises: StepError."""
        self._change(who, REPAIRING, "--purge" if with_configuration else "--remove", package)

    def _change(self, who: str, *words: str) -> None:
        self._await_turn(who)
        command = ["dpkg", f"--root={self.root}", *self.options, *words]
        self.runner.run(who, command, {"DEBIAN_FRONTEND": "noninteractive"})

    def _await_turn(self, who: str) -> None:
        """dpkg does not wait for another one, as that of an upgrade in the night."""
        timing, end = self.runner.timing, self.runner.timing.clock() + self.runner.seconds
        while self._is_taken(who):
            if timing.clock() >= end:
                raise StepError(f"{who}: another dpkg has held {self.database / LOCK} for {self.runner.seconds:g} s")
            timing.sleep(POLL_SECONDS)

    def _is_taken(self, who: str) -> bool:
        try:
            with (self.database / LOCK).open("a") as file:
                return not _lockable(file)
        except OSError as error:
            raise StepError(
                f"{who}: {self.database} cannot be used ({error.strerror}); is there a system with dpkg at {self.root}?"
            ) from error


def _lockable(file: IO[str]) -> bool:
    """Locked, as dpkg does it, only until `file` is closed."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX leaves it open which of the two
        return False
    return True
