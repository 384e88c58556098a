"""The power is cut at every call of an update in which agent and slot writer each keep a journal: it ends well."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random

import pytest

from agent.bootloaders.file import boot, image_path
from agent.disk import BlockFile, Medium, SystemDisk
from agent.ports import Identity
from agent.slots import Slot
from agent.update.engine import Engine
from agent.update.journal import Journal
from agent.writer import protocol as ask
from agent.writer.allowance import Allowance
from agent.writer.duties import Duties, Powers
from agent.writer.memory import Memory
from agent.writer.remote import Presenting, RemoteBootLoader
from bridge.release.report import Outcome
from tests.agent.device import CHECKPOINT_BYTES, FOLDER, IMAGE_BYTES, JOURNAL, SimulatedDevice, image, package
from tests.agent.power import Loss, PowerCut, SimulatedKernel
from tests.releases import HARDWARE, MODEL

WRITERS_JOURNAL = Path("/writer/journal")
LOSSES = tuple(Loss)


class Direct:
    """The writer without a socket in between: a call is a request."""

    def __init__(self, duties: Duties) -> None:
        self.duties = duties

    def working(self) -> None:
        """See Caller."""

    def ask(self, request: ask.Request, *, again: bool = True) -> ask.Done:
        """As agent.writer.client.SlotWriter."""
        assert again in (True, False)
        return self.duties.answer(request, self).reply


class DirectSlot:
    """agent.disk.BlockFile: one write, one request."""

    def __init__(self, direct: Direct, slot: Slot, opened: list[int]) -> None:
        self._direct = direct
        answer = direct.duties.answer(ask.Open(slot), direct)
        assert answer.descriptor is not None
        opened.append(answer.descriptor)
        self._memory = mmap.mmap(answer.descriptor, ask.BUFFER_BYTES)

    def write(self, offset: int, data: bytes) -> None:
        """See BlockFile."""
        self._memory[: len(data)] = data
        self._direct.ask(ask.Write(offset, len(data)))

    def sync(self) -> None:
        """See BlockFile."""
        self._direct.ask(ask.Sync())

    def close(self) -> None:
        """See BlockFile."""
        self._direct.duties.gone(self._direct)


class DirectDisk(SystemDisk):
    """The simulated kernel, but that slots are written by the writer."""

    def __init__(self, kernel: SimulatedKernel, direct: Direct, opened: list[int]) -> None:
        super().__init__(kernel)
        self._direct = direct
        self._opened = opened

    def open_slot(self, path: Path, *, to_write: bool = True) -> BlockFile:
        """See Disk."""
        if not to_write:
            return super().open_slot(path, to_write=False)
        slot = next(slot for slot in Slot if image_path(FOLDER, slot) == path)
        return DirectSlot(self._direct, slot, self._opened)

    def open_medium(self, path: Path) -> Medium:
        """See Disk."""
        return super().open_medium(path)


@dataclass
class TwoJournals(SimulatedDevice):
    """A device whose slots are written by a slot writer; both start anew after each cut."""

    opened: list[int] = field(default_factory=list)

    def start_agent(self) -> None:
        """Writer, then agent."""
        super().start_agent()
        self.release()
        identity = Identity(MODEL, HARDWARE, self.pinned, self.version)
        allowance = Allowance(self.ticks)
        memory = Memory(identity, Journal(self.disk, WRITERS_JOURNAL), lambda: self.now, allowance.spend)
        memory.load(self.boots.booted())
        powers = Powers(self.boots, self, tuple, self.disk, self.kernel, lambda _, __: None)
        direct = Direct(Duties(powers, memory, allowance))
        boots, shown = RemoteBootLoader(direct), Presenting(direct, RemoteBootLoader(direct))
        disk = DirectDisk(self.kernel, direct, self.opened)
        ports = replace(self.engine._ports, disk=disk, boots=boots, introduce=shown.introduce)
        self.engine = Engine(identity, ports, JOURNAL, self.limits)

    def release(self) -> None:
        """What the process before had open."""
        while self.opened:
            os.close(self.opened.pop())

    def boots_something_whole(self) -> bool:
        """Whether what would start now is an image that the owner signed."""
        kernel = self.kernel.fork()
        chosen = boot(FOLDER, SystemDisk(kernel)).slot
        return kernel.content(image_path(FOLDER, chosen))[:IMAGE_BYTES] in (image(1), image(2))


@cache
def calls_of_an_update() -> int:
    """Places to cut."""
    device = TwoJournals.built()
    device.offer(package(2))
    before = device.kernel.calls
    report = device.run()
    device.release()
    assert report is not None
    assert report.outcome is Outcome.INSTALLED
    return device.kernel.calls - before


def play(at: int, loss: Loss, again: int) -> None:
    """An update, cut at call `at`, and once more `again` calls after that."""
    device = TwoJournals.built()
    device.offer(package(2))
    device.kernel.cut_at = device.kernel.calls + at
    random, work = Random(f"{at} {loss} {again}"), device.run
    while True:
        try:
            work()
        except PowerCut:
            device.kernel.lose(loss, random)
            assert device.boots_something_whole()
            device.kernel.cut_at = device.kernel.calls + again if again else None
            work, again = device.power_up_and_run, 0
        else:
            break
    device.release()
    report = device.cloud.reports[-1][1]
    assert report.outcome is Outcome.INSTALLED, report
    assert device.running_image() == image(2)
    assert device.boots.default() is Slot.B


def test_an_undisturbed_update_passes_the_writer():
    """The scenario below is one: with more than one checkpoint, and with the calls of two journals."""
    assert IMAGE_BYTES > 2 * CHECKPOINT_BYTES
    assert calls_of_an_update() > 100


@pytest.mark.parametrize("loss", LOSSES)
def test_a_cut_at_every_call(loss):
    """Whatever was lost: what boots next is whole, and the release is installed in the end."""
    for at in range(1, calls_of_an_update() + 1):
        play(at, loss, 0)


def test_a_cut_in_the_recovery():
    """Once more, near and far."""
    for number, at in enumerate(range(1, calls_of_an_update() + 1, 5)):
        play(at, LOSSES[number % len(LOSSES)], (1, 3, 8, 21)[number % 4])
