"""The verbs of the port, once, for boot loaders that remember everything in one environment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, Protocol, Self, TypeVar

from agent.slots import BootEnvironmentError, Slot


class Remembered(Protocol):
    """What a boot loader remembers, as a value."""

    @property
    def default(self) -> Slot:
        """The slot that boots when no trial is on."""

    @property
    def trial(self) -> Slot | None:
        """The slot on trial."""

    def trying(self, slot: Slot) -> Self:
        """`slot`, not the default, is on trial from the next boot on."""

    def without(self, slot: Slot) -> Self:
        """`slot`, not the default, is not to be booted."""

    def committed(self, slot: Slot) -> Self:
        """`slot` is the default, and no trial is on."""

    def refilled(self, running: Slot) -> Self:
        """No boot is counted against the default slot, where it is what runs and no trial is on; else the same."""

    def excused(self, running: Slot) -> Self:
        """One boot of `running` is not counted, where it is the slot that was meant to run; else the same."""


RememberedT = TypeVar("RememberedT", bound=Remembered)


class Verbs(ABC, Generic[RememberedT]):
    """Most of agent.slots.BootLoader, over an environment that is read and written whole."""

    @abstractmethod
    def booted(self) -> Slot:
        """See BootLoader."""

    @abstractmethod
    def _read(self) -> RememberedT:
        """Raises: BootEnvironmentError."""

    @abstractmethod
    def _write(self, environment: RememberedT) -> None:
        """Durably, wholly or not at all. Raises: BootEnvironmentError."""

    def default(self) -> Slot:
        """See BootLoader."""
        return self._read().default

    def trial(self) -> Slot | None:
        """See BootLoader."""
        return self._read().trial

    def mark_unbootable(self, slot: Slot) -> None:
        """See BootLoader."""
        environment = self._read()
        if slot is environment.default:
            raise BootEnvironmentError(f"slot {slot} is the default: without it the board would have nothing to boot")
        self._write(environment.without(slot))

    def try_slot(self, slot: Slot) -> None:
        """See BootLoader."""
        environment = self._read()
        if slot is environment.default:
            raise BootEnvironmentError(f"slot {slot} is the default already: a trial of it could not fall back")
        self._write(environment.trying(slot))

    def commit(self, slot: Slot) -> None:
        """See BootLoader."""
        if slot is not self.booted():
            raise BootEnvironmentError(f"slot {slot} does not run: only the slot that runs can be proved and committed")
        self._write(self._read().committed(slot))

    def refill(self) -> None:
        """See BootLoader."""
        self._change(lambda environment: environment.refilled(self.booted()))

    def excuse_restart(self) -> None:
        """See BootLoader."""
        self._change(lambda environment: environment.excused(self.booted()))

    def _change(self, change: Callable[[RememberedT], RememberedT]) -> None:
        """Only what differs is written: flash wears."""
        before = self._read()
        after = change(before)
        if after != before:
            self._write(after)
