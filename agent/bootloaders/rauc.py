"""RAUC as the owner of the slots: the boot loader behind it, whichever it is, is reached by the `rauc` command.

RAUC knows which slot runs, where the slots are, and whether the boot loader would boot each. It has no word for a trial
that may still fail: a slot marked active counts as good until its boots are used up. That word, and the default slot,
are in a small file of ours, written before a trial begins and after it has ended.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from agent.bootloaders.tool import Tool, shown
from agent.bootloaders.verbs import Verbs
from agent.disk import Disk
from agent.slots import BootEnvironmentError, Slot

MARKER = re.compile(rb"default=(?P<default>[ab])\ntrial=(?P<trial>[ab]?)\n")
Step = tuple[str, Slot]
"""A command below `rauc status`, and the slot that it is about."""


class RaucSlot(msgspec.Struct, frozen=True):
    """A slot in RAUC's status; `state` is "booted" for the one that runs."""

    device: str
    state: str
    boot_status: str | None = None


class RaucStatus(msgspec.Struct, frozen=True):
    """What we take of `rauc status --output-format=json`."""

    slots: tuple[dict[str, RaucSlot], ...]

    def by_name(self) -> dict[str, RaucSlot]:
        """The slots by RAUC's names for them."""
        return {name: slot for named in self.slots for name, slot in named.items()}


@dataclass(frozen=True, slots=True)
class Marked:
    """What is remembered of the two slots. `steps` are what brings RAUC there from where it was."""

    default: Slot
    trial: Slot | None = None
    steps: tuple[Step, ...] = ()

    def trying(self, slot: Slot) -> Marked:
        """`slot` is what boots next."""
        return Marked(self.default, slot, (("mark-active", slot),))

    def without(self, slot: Slot) -> Marked:
        """`slot` is not booted."""
        return Marked(self.default, None if self.trial is slot else self.trial, (("mark-bad", slot),))

    def committed(self, slot: Slot) -> Marked:
        """`slot` boots from now on, and is found good."""
        return Marked(slot, None, (("mark-active", slot), ("mark-good", slot)))

    def refilled(self, running: Slot) -> Marked:
        """The slot is found good, which RAUC is told once a boot: it shows no count that could be looked at before."""
        proved = self.trial is None and running is self.default
        return replace(self, steps=(("mark-good", running),)) if proved else self

    def excused(self, running: Slot) -> Marked:
        """RAUC takes back no single boot: the slot that was meant to run has all of them again."""
        if running is self.trial:
            return replace(self, steps=(("mark-active", running),))
        return self.refilled(running)


class Rauc(Verbs[Marked]):
    """agent.slots.BootLoader by way of RAUC; `names` are its names of the slots, `marker` is the file of ours."""

    def __init__(self, names: Mapping[Slot, str], marker: Path, tool: Tool, disk: Disk) -> None:
        self._names = names
        self._marker = marker
        self._tool = tool
        self._disk = disk

    def booted(self) -> Slot:
        """See BootLoader."""
        return self._running(self._status())

    def device(self, slot: Slot) -> Path:
        """See BootLoader."""
        return Path(self._status()[slot].device)

    def _read(self) -> Marked:
        """A trial is on while its slot runs, or while RAUC says that it would be booted."""
        status = self._status()
        running = self._running(status)
        remembered = self._remembered() or Marked(running)
        tried = remembered.trial
        if tried is None or running is tried or status[tried].boot_status == "good":
            return remembered
        return Marked(remembered.default)

    def _running(self, status: Mapping[Slot, RaucSlot]) -> Slot:
        running = [slot for slot in Slot if status[slot].state == "booted"]
        if len(running) != 1:
            named = " and ".join(self._names.values())
            raise BootEnvironmentError(f"`rauc status` does not say which of {named} is booted; see its system.conf")
        return running[0]

    def _remembered(self) -> Marked | None:
        try:
            data = self._disk.read(self._marker)
        except OSError as error:
            raise BootEnvironmentError(f"{self._marker} cannot be read: {error.strerror or error}") from error
        if data is None:
            return None
        match = MARKER.fullmatch(data)
        if match is None:
            raise BootEnvironmentError(
                f"{self._marker} does not say which slot is the default; remove it while no trial is on"
            )
        trial = match["trial"].decode()
        return Marked(Slot(match["default"].decode()), Slot(trial) if trial else None)

    def _write(self, environment: Marked) -> None:
        if environment.trial is not None:
            self._remember(environment)
        for command, slot in environment.steps:
            self._tool(["rauc", "status", command, self._names[slot]], "")
        self._remember(environment)

    def _remember(self, environment: Marked) -> None:
        text = f"default={environment.default}\ntrial={environment.trial or ''}\n".encode()
        try:
            if self._disk.read(self._marker) != text:
                self._disk.replace(self._marker, text)
        except OSError as error:
            raise BootEnvironmentError(f"{self._marker} cannot be written: {error.strerror or error}") from error

    def _status(self) -> dict[Slot, RaucSlot]:
        output = self._tool(["rauc", "status", "--output-format=json"], "")
        line = next((line for line in output.splitlines() if line.startswith("{")), "")
        try:
            known = msgspec.json.decode(line.encode(), type=RaucStatus).by_name()
        except msgspec.DecodeError as error:
            raise BootEnvironmentError(f"`rauc status` cannot be understood ({error}): {shown(output)}") from error
        missing = [name for name in self._names.values() if name not in known]
        if missing:
            raise BootEnvironmentError(
                f"RAUC has no slot {missing[0]}; there are: {', '.join(sorted(known)) or 'none'}. Correct slots.rauc"
            )
        return {slot: known[name] for slot, name in self._names.items()}
