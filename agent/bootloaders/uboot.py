"""U-Boot: what it must remember is kept in its redundant environment, through libubootenv's fw_printenv and fw_setenv.

The variables are U-Boot's own for counted boots (doc/README.bootcount: `upgrade_available`, `bootcount`, `bootlimit`),
and three of ours: `otabridge_default`, `otabridge_trial` and `otabridge_unbootable`, each a, b, or nothing where it may
be. `uboot/boot.cmd` reads them. A verb is one call of fw_setenv: it writes the older of the two copies, with a new
checksum and a newer flag, so that U-Boot finds the state before it or the state after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from agent.bootloaders.partitions import Partitions
from agent.bootloaders.tool import Tool, shown
from agent.bootloaders.verbs import Verbs
from agent.slots import BootEnvironmentError, Slot

DEFAULT, TRIAL, UNBOOTABLE = "otabridge_default", "otabridge_trial", "otabridge_unbootable"
COUNTED, COUNT = "upgrade_available", "bootcount"
MAX_COUNT = 255
NO_DEFAULTS = "/dev/null/none"
"""Where libubootenv finds no environment to take in place of one that it cannot read."""
UNREAD = "using default"
"""What libubootenv says when it takes one all the same."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Our part of U-Boot's environment. `counted`: U-Boot counts boots, `count` says how many it has counted."""

    default: Slot
    trial: Slot | None = None
    unbootable: Slot | None = None
    counted: bool = False
    count: int = 0

    def trying(self, slot: Slot) -> Environment:
        """`slot` is on trial from the next boot on."""
        return replace(self, trial=slot, unbootable=None, counted=True, count=0)

    def without(self, slot: Slot) -> Environment:
        """`slot`, which is not the default, is not to be booted."""
        kept = self if self.trial is not slot else self._uncounted()
        return replace(kept, unbootable=slot)

    def committed(self, slot: Slot) -> Environment:
        """`slot` is the default, and no trial is on."""
        return replace(self._uncounted(), default=slot, unbootable=None if self.unbootable is slot else self.unbootable)

    def refilled(self, running: Slot) -> Environment:
        """Boots of the default are not counted any more when it is what runs."""
        return self._uncounted() if self.trial is None and running is self.default else self

    def excused(self, running: Slot) -> Environment:
        """The boot of `running` is not counted, where it is the slot whose boots are."""
        meant = self.default if self.trial is None else self.trial
        return replace(self, count=max(self.count - 1, 0)) if running is meant else self

    def _uncounted(self) -> Environment:
        return replace(self, trial=None, counted=False, count=0)


def parse(variables: dict[str, str]) -> Environment:
    """Our part of all of U-Boot's variables. Raises: ValueError that names the variable."""
    default = _slot(variables, DEFAULT)
    if default is None:
        raise ValueError(f"{DEFAULT} is not set")
    counted, trial, unbootable = variables.get(COUNTED) == "1", _slot(variables, TRIAL), _slot(variables, UNBOOTABLE)
    return Environment(
        default=default,
        trial=trial if counted and trial is not default else None,
        unbootable=unbootable if unbootable is not default else None,
        counted=counted,
        count=_count(variables.get(COUNT, "") or "0"),
    )


def render(environment: Environment) -> str:
    """The lines that `fw_setenv -s` takes; a variable without a value is deleted."""
    return (
        f"{DEFAULT}={environment.default}\n"
        f"{TRIAL}={environment.trial or ''}\n"
        f"{UNBOOTABLE}={environment.unbootable or ''}\n"
        f"{COUNTED}={int(environment.counted)}\n"
        f"{COUNT}={environment.count:x}\n"
    )


def _slot(variables: dict[str, str], name: str) -> Slot | None:
    value = variables.get(name, "")
    try:
        return Slot(value) if value else None
    except ValueError as error:
        raise ValueError(f"{name} is {value!r}, and not a or b") from error


def _count(text: str) -> int:
    """Hexadecimal, as in U-Boot's scripts; its own counter is decimal, which is the same up to 9, the most that the
    guide allows there."""
    try:
        count = int(text, 16)
    except ValueError as error:
        raise ValueError(f"{COUNT} is {text!r}, and not a number") from error
    return min(max(count, 0), MAX_COUNT)


def _variables(output: str) -> dict[str, str]:
    variables: dict[str, str] = {}
    for line in output.splitlines():
        name, sign, value = line.partition("=")
        if sign and variables.setdefault(name, value) != value:
            raise ValueError(f"{name} is there twice")
    return variables


class UBoot(Verbs[Environment]):
    """agent.slots.BootLoader over the environment that the file `config` describes to libubootenv."""

    def __init__(self, partitions: Partitions, config: Path, tool: Tool) -> None:
        self._partitions = partitions
        self._config = config
        self._tool = tool

    def booted(self) -> Slot:
        """See BootLoader."""
        return self._partitions.booted()

    def device(self, slot: Slot) -> Path:
        """See BootLoader."""
        return self._partitions.device(slot)

    def _write(self, environment: Environment) -> None:
        said = self._run("fw_setenv", "-s", "-", text=render(environment))
        if UNREAD in said or self._read() != environment:
            raise BootEnvironmentError(
                f"the U-Boot environment of {self._config} does not hold what was written: {shown(said)}"
            )

    def _read(self) -> Environment:
        output = self._run("fw_printenv")
        if UNREAD in output:
            raise BootEnvironmentError(f"no copy of the U-Boot environment of {self._config} can be read")
        try:
            return parse(_variables(output))
        except ValueError as error:
            raise BootEnvironmentError(
                f"the U-Boot environment of {self._config}: {error}; start the board once with otabridge's boot.cmd, "
                f"or set it with `fw_setenv -c {self._config} {DEFAULT} a`"
            ) from error

    def _run(self, program: str, *arguments: str, text: str = "") -> str:
        return self._tool([program, "-c", str(self._config), "-f", NO_DEFAULTS, *arguments], text)
