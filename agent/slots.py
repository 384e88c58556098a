"""PORT: the two slots and the boot loader that chooses between them. One implementation a boot loader.

The verbs say what the boot loader must remember, never how. Each takes effect durably before it returns, or not at
all: a power cut inside a verb leaves the state before or after it.

A boot loader counts boots before it makes them, and gives a slot up whose count is used up. The agent gives counts
back: `commit` and `refill` all of them, `excuse_restart` that of one boot.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Protocol

from bridge.release.errors import FailureCode, SlotError


class BootEnvironmentError(SlotError):
    """What the boot loader remembers could not be read or changed, or refuses the change."""

    code = FailureCode.BOOT_ENVIRONMENT


class Slot(StrEnum):
    """One of the two places that hold a bootable image."""

    A = "a"
    B = "b"

    @property
    def other(self) -> Slot:
        """The slot that this one is not."""
        return Slot.B if self is Slot.A else Slot.A


class BootLoader(Protocol):
    """What the agent asks of a boot loader. Every method raises BootEnvironmentError when the environment fails."""

    def booted(self) -> Slot:
        """The slot whose image runs now."""

    def default(self) -> Slot:
        """The slot that boots when no trial is on: the last one committed."""

    def trial(self) -> Slot | None:
        """The slot on trial: chosen by `try_slot`, neither committed nor given up by the boot loader yet."""

    def device(self, slot: Slot) -> Path:
        """The block device or file that holds `slot`."""

    def mark_unbootable(self, slot: Slot) -> None:
        """Never boot `slot` until `try_slot` names it. Ends its trial, if one is on. Refuses the default slot."""

    def try_slot(self, slot: Slot) -> None:
        """Boot `slot` from the next boot on, for a bounded number of attempts; then fall back to the default."""

    def commit(self, slot: Slot) -> None:
        """`slot`, which runs now, is good: it becomes the default and its trial ends."""

    def refill(self) -> None:
        """The default slot runs well: no boot of it is counted against it any more. Writes only what has changed; does
        nothing where another slot runs, a trial is on, or the boot loader does not count boots of the default."""

    def excuse_restart(self) -> None:
        """The restart that comes now was asked for: the boot that it ends is given back to the slot that runs, on trial
        or not, as if it had not been made. Called once a boot at most, and before the restart. A slot on trial would
        never run out of boots if every restart were excused: whoever calls limits how often in one trial."""
