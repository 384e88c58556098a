"""The machine that the agent runs on: which boot this is, and how to get the next one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from agent.command import run
from agent.pace import Timing
from agent.proof.watchdog import caused_by_watchdog
from bridge.release.errors import SlotError

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
COMMAND_SECONDS = 60.0


def kernel_boot_id() -> str:
    """The kernel's name of this boot (random(4)). Raises: SlotError."""
    try:
        name = BOOT_ID.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise SlotError(f"the kernel does not name this boot: {error}") from error
    if not name:
        raise SlotError(f"the kernel does not name this boot: {BOOT_ID} is empty; is /proc mounted?")
    return name


class CommandBoard:
    """The engine's Board. With an empty command somebody else restarts the machine, who is told by an exit code."""

    def __init__(
        self,
        command: Sequence[str],
        timing: Timing,
        boot_id: Callable[[], str] = kernel_boot_id,
        caused_by_watchdog: Callable[[], bool] = caused_by_watchdog,
    ) -> None:
        self._command = command
        self._timing = timing
        self._boot_id = boot_id
        self._caused_by_watchdog = caused_by_watchdog

    def boot_id(self) -> str:
        """See Board."""
        return self._boot_id()

    def caused_by_watchdog(self) -> bool:
        """See Board."""
        return self._caused_by_watchdog()

    def reboot(self) -> None:
        """See Board. Returns while the machine goes down. Raises: SlotError when the command fails."""
        if not self._command:
            return
        shown = " ".join(self._command)
        try:
            ended = run(self._command, COMMAND_SECONDS, self._timing)
        except OSError as error:
            raise SlotError(f"reboot.command {shown!r} cannot be started: {error}") from error
        if ended.status is None:
            raise SlotError(f"reboot.command {shown!r} did not end within {COMMAND_SECONDS:g} s: {ended.tail}")
        if ended.status != 0:
            raise SlotError(f"reboot.command {shown!r} failed with status {ended.status}: {ended.tail}")
