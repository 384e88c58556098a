"""What the slot writer does for whom, and what it refuses. It believes the owner's signatures, and no client.

A client that was taken over may read the slots, restart the machine, and choose between two images that the owner
signed for this device at or above its floor. Nothing that it says makes another image boot.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatchmethod
from pathlib import Path
from typing import Protocol

from agent.disk import Disk
from agent.image.readback import check_image
from agent.image.slotfile import opened_medium
from agent.kernel import Kernel
from agent.ports import Board
from agent.slots import BootEnvironmentError, BootLoader, Slot
from agent.writer import protocol as ask
from agent.writer.allowance import Allowance
from agent.writer.memory import Memory
from agent.writer.openslot import OpenSlot
from agent.writer.protocol import Done
from bridge.release.image import Image


class Caller(Protocol):
    """Whose request it is. What a caller opens is closed when it goes."""

    def working(self) -> None:
        """Its request takes long, and has got further."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`descriptor` goes along with `reply`, and is closed here then."""

    reply: Done
    descriptor: int | None = None


@dataclass(frozen=True, slots=True)
class Powers:
    """All that only the slot writer may touch. `board` names and restarts boots; `crashes` and `require_fit` are those
    of `agent.ports.Ports`; `disk` and `kernel` are over the same storage."""

    boots: BootLoader
    board: Board
    crashes: Callable[[], tuple[str, ...]]
    disk: Disk
    kernel: Kernel
    require_fit: Callable[[Path, Path], None]


class Duties:
    """One method a request; each raises OtabridgeError, or OSError, when it refuses. Used from one thread."""

    def __init__(self, powers: Powers, memory: Memory, allowance: Allowance) -> None:
        self._powers = powers
        self._boots = powers.boots
        self._memory = memory
        self._allowance = allowance
        self._open: tuple[Caller, OpenSlot] | None = None
        self._unbootable: set[Slot] = set()

    @property
    def at_rest(self) -> bool:
        """Whether nothing is lost when this process ends."""
        return self._open is None and self._allowance.is_whole

    def gone(self, caller: Caller) -> None:
        """`caller` will ask nothing more."""
        if self._open is not None and self._open[0] is caller:
            self._close()

    @singledispatchmethod
    def answer(self, request: ask.Request, caller: Caller) -> Answer:
        """Do what is asked for, or refuse it."""
        raise NotImplementedError(f"{request} of {caller}")

    @answer.register
    def _booted(self, _: ask.Booted, __: Caller) -> Answer:
        return Answer(Done(slot=self._boots.booted()))

    @answer.register
    def _default(self, _: ask.Default, __: Caller) -> Answer:
        return Answer(Done(slot=self._boots.default()))

    @answer.register
    def _trial(self, _: ask.Trial, __: Caller) -> Answer:
        return Answer(Done(slot=self._boots.trial()))

    @answer.register
    def _boot_id(self, _: ask.BootId, __: Caller) -> Answer:
        return Answer(Done(text=self._powers.board.boot_id()))

    @answer.register
    def _caused_by_watchdog(self, _: ask.CausedByWatchdog, __: Caller) -> Answer:
        return Answer(Done(length=int(self._powers.board.caused_by_watchdog())))

    @answer.register
    def _crashes(self, _: ask.Crashes, __: Caller) -> Answer:
        return Answer(Done(text=" ".join(self._powers.crashes())))

    @answer.register
    def _device(self, request: ask.Device, _: Caller) -> Answer:
        return Answer(Done(text=str(self._boots.device(request.slot))))

    @answer.register
    def _mark_unbootable(self, request: ask.MarkUnbootable, _: Caller) -> Answer:
        self._mark(request.slot)
        return Answer(Done())

    @answer.register
    def _try(self, request: ask.TrySlot, caller: Caller) -> Answer:
        """Closed, read back from the medium, and only then tried: nobody writes the slot in between."""
        slot = request.slot
        self._close()
        self._allowance.spend()
        goal = self._memory.expected_in(slot)
        if goal.image is not None:  # what the factory put there has not been open since
            self._read_back(slot, goal.image, caller)
        self._memory.verified(slot, goal)
        self._unbootable.discard(slot)
        self._boots.try_slot(slot)
        return Answer(Done())

    @answer.register
    def _commit(self, request: ask.Commit, _: Caller) -> Answer:
        """The floor rises first: it never does so above what the other slot holds."""
        self._allowance.spend()
        running = self._boots.booted()
        if request.slot is not running:
            raise BootEnvironmentError(
                f"slot {running} runs: slot {request.slot} has proved nothing to be committed for"
            )
        self._memory.committed(request.slot)
        self._boots.commit(request.slot)
        return Answer(Done())

    @answer.register
    def _refill(self, _: ask.Refill, __: Caller) -> Answer:
        self._boots.refill()
        return Answer(Done())

    @answer.register
    def _excuse_restart(self, _: ask.ExcuseRestart, __: Caller) -> Answer:
        self._allowance.spend()
        self._boots.excuse_restart()
        return Answer(Done())

    @answer.register
    def _restart(self, _: ask.Restart, __: Caller) -> Answer:
        self._powers.board.reboot()
        return Answer(Done())

    @answer.register
    def _follow(self, request: ask.Follow, _: Caller) -> Answer:
        self._memory.follow(request.root)
        return Answer(Done())

    @answer.register
    def _introduce(self, request: ask.Introduce, _: Caller) -> Answer:
        self._memory.introduce(request.release, self._boots.booted())
        return Answer(Done())

    @answer.register
    def _fit(self, request: ask.Fit, _: Caller) -> Answer:
        self._require_fit(request.slot)
        return Answer(Done())

    @answer.register
    def _look(self, request: ask.Look, _: Caller) -> Answer:
        flags = os.O_RDONLY | (os.O_DIRECT if request.direct else 0)
        return Answer(Done(), self._powers.kernel.open(self._boots.device(request.slot), flags))

    @answer.register
    def _open_slot(self, request: ask.Open, caller: Caller) -> Answer:
        """Never the slot that runs, nor one that could boot: neither now, nor after a power cut in the middle."""
        slot = request.slot
        self._close()
        self._require_spare(slot)
        image = self._memory.introduced(slot).image
        self._require_fit(slot)
        if slot not in self._unbootable:
            self._mark(slot)
        self._memory.empty(slot)
        extent = 0 if image is None else image.length
        opened = OpenSlot(self._powers.disk, slot, self._boots.device(slot), extent)
        self._open = (caller, opened)
        return Answer(Done(length=opened.length), opened.lend())

    @answer.register
    def _write(self, request: ask.Write, caller: Caller) -> Answer:
        self._opened_by(caller).write(request.offset, request.length)
        return Answer(Done())

    @answer.register
    def _sync(self, _: ask.Sync, caller: Caller) -> Answer:
        self._opened_by(caller).sync()
        return Answer(Done())

    def _opened_by(self, caller: Caller) -> OpenSlot:
        if self._open is None or self._open[0] is not caller:
            raise BootEnvironmentError("no slot is open on this connection: open it first")
        return self._open[1]

    def _mark(self, slot: Slot) -> None:
        self._allowance.spend()
        self._boots.mark_unbootable(slot)
        self._unbootable.add(slot)

    def _require_spare(self, slot: Slot) -> None:
        if slot is self._boots.booted():
            raise BootEnvironmentError(f"slot {slot} runs: it is never written")
        if slot is self._boots.default():
            raise BootEnvironmentError(f"slot {slot} is the default: without it the board would have nothing to boot")

    def _require_fit(self, slot: Slot) -> None:
        self._powers.require_fit(self._boots.device(slot), self._boots.device(self._boots.booted()))

    def _read_back(self, slot: Slot, image: Image, caller: Caller) -> None:
        with opened_medium(self._powers.disk, self._boots.device(slot)) as medium:
            check_image(medium, image, lambda _: caller.working())

    def _close(self) -> None:
        if self._open is not None:
            held, self._open = self._open[1], None
            held.close()
