"""Steps done by SWUpdate, as a program of its own: it writes what an image's description selects, and switches nothing.

It is told to leave the boot loader and its markers alone. The description in the image (sw-description) names the
devices, so each slot has a selection of its own, and a step beside the slots one that installs and one that brings back
what was before. SWUpdate does not make durable what it writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.disk import Disk
from agent.handlers.runner import Runner, program
from agent.handlers.settings import SELECTION, SwupdateSettings
from agent.handlers.wanted import require_settings, who
from agent.handling import StepError, Work
from agent.slots import Slot
from bridge.release.step import Place, Step

INSTALL, UNDO = "install", "undo"
"""Settings of a step beside the slots: what is selected to bring it into effect, and to bring back what was there."""
NO_BOOT_LOADER = ("-B", "none", "-M", "-m")
"""No boot loader, no mark of a transaction in it, no mark of its state."""
CHECK_SECONDS = 600.0
"""For reading an image; SWUpdate 2022.12 was seen to hang after it had refused one."""
CHECK = ("-c", "-l", "5")
"""Look at an image, install nothing, and log where what is selected would go."""
GOES_TO = re.compile(r"Found .*Image.* in (?:device|volume) : (\S*) for handler ")
ELSEWHERE = re.compile(r"Found .*(?:File: .*|Script: .*|Lua Software: .*)")
"""As SWUpdate's parser logs what is selected; what it does not log so is refused."""
BEGUN = "begun"
"""A file in the step's folder: from here on there may be something to undo."""


class SwupdateHandler:
    """agent.handling.Handler; `name` is that of its table."""

    def __init__(self, name: str, settings: SwupdateSettings, runner: Runner, disk: Disk) -> None:
        self._name = name
        self._command = settings.command
        self._slots = {Slot.A: settings.a, Slot.B: settings.b}
        self._runner = runner
        self._disk = disk

    def inspect(self) -> str:
        """Which program it is. Raises: StepError."""
        return f"swupdate, {program(f'handlers.{self._name}', self._command[0])}"

    def require_ready(self, step: Step) -> None:
        """See Handler."""
        program(who(step), self._command[0])
        require_settings(step, () if step.place is Place.SLOT else (INSTALL, UNDO))
        for slot in Slot if step.place is Place.SLOT else ():
            self._for_slot(step, slot)
        for name, value in step.settings.items():
            _require_selection(step, name, value)

    def install(self, work: Work) -> None:
        """See Handler. SWUpdate checks first that the image has all that may be wanted, the way back included."""
        chosen = self._chosen(work)
        for selection in chosen:
            log = self._checked(work, selection)
            if work.device is not None:
                _require_for(work.device, work.step, selection, log)
        self._note(work)
        self._select(work, chosen[0])

    def undo(self, work: Work) -> None:
        """See Handler. Of the slots, that which runs was not touched."""
        if work.device is None and self._is_begun(work):
            self._select(work, self._chosen(work)[1])

    def settle(self, work: Work) -> None:
        """See Handler. The way back is in the image."""

    def _chosen(self, work: Work) -> tuple[str, ...]:
        if work.target is not None:
            return (self._for_slot(work.step, work.target),)
        return work.step.settings[INSTALL], work.step.settings[UNDO]

    def _for_slot(self, step: Step, slot: Slot) -> str:
        selection = self._slots[slot]
        if selection is None:
            raise StepError(
                f"{who(step)}: handlers.{self._name} has no a and b, which select what is for each slot; "
                f'write such as {slot} = "stable,slot-{slot}"'
            )
        return selection

    def _checked(self, work: Work, selection: str) -> str:
        """What SWUpdate logs of the image, which it finds whole, signed and fit for the device."""
        reader = replace(self._runner, seconds=min(self._runner.seconds, CHECK_SECONDS))
        with _room_of_its_own() as room:
            return reader.ask(who(work.step), self._line(work, selection, *CHECK), room)

    def _line(self, work: Work, selection: str, *options: str) -> tuple[str, ...]:
        return (*self._command, *NO_BOOT_LOADER, *options, "-e", selection, "-i", str(work.file))

    def _select(self, work: Work, selection: str) -> None:
        with _room_of_its_own() as room:
            self._runner.run(who(work.step), self._line(work, selection), room)
        if work.device is None:
            self._runner.sync_all(who(work.step))
        else:
            self._runner.sync_device(who(work.step), self._disk, work.device)

    def _note(self, work: Work) -> None:
        try:
            self._disk.replace(work.folder / BEGUN, b"")
        except OSError as error:
            raise StepError(
                f"{who(work.step)}: {work.folder} cannot be written to: {error.strerror or error}"
            ) from error

    def _is_begun(self, work: Work) -> bool:
        try:
            return self._disk.read(work.folder / BEGUN) is not None
        except OSError as error:
            raise StepError(f"{who(work.step)}: {work.folder} cannot be read: {error.strerror or error}") from error


@contextmanager
def _room_of_its_own() -> Iterator[Mapping[str, str]]:
    """Its sockets and its working files have fixed names: another one, or a daemon, would have the same."""
    with TemporaryDirectory(prefix="otabridge-swu-", ignore_cleanup_errors=True) as room:
        yield {"RUNTIME_DIRECTORY": room, "TMPDIR": room}


def _require_for(device: Path, step: Step, selection: str, log: str) -> None:
    """What is selected goes into `device`, and nowhere else: the slot that runs may be one word away."""
    places = set(GOES_TO.findall(log))
    if {Path(place).resolve() for place in places} != {device.resolve()}:
        listed = ", ".join(sorted(places)) or "no device"
        raise StepError(f"{who(step)}: {selection} goes to {listed}, and the slot to be written is {device}")
    other = ELSEWHERE.search(log)
    if other is not None:
        raise StepError(
            f"{who(step)}: {selection} of the slot has more than images, which no fallback undoes "
            f"({other[0][:80]}): make it a step of its own"
        )


def _require_selection(step: Step, name: str, value: str) -> None:
    if not re.match(SELECTION, value):
        raise StepError(
            f"{who(step)}: settings.{name} is {value!r}: expected a software set and a mode, as stable,boot"
        )
