"""A slot writer in a thread of the test, and a client that speaks its protocol as it pleases."""

from __future__ import annotations

import mmap
import os
import socket
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from agent.access import own_access
from agent.bootloaders.file import FileBootLoader
from agent.config import load
from agent.disk import SystemDisk
from agent.kernel import Linux
from agent.pace import Timing
from agent.ports import Identity
from agent.slots import Slot
from agent.update.journal import Journal
from agent.writer import protocol as ask
from agent.writer.allowance import Allowance
from agent.writer.client import Conversation
from agent.writer.duties import Duties, Powers
from agent.writer.memory import Memory
from agent.writer.server import Server
from tests.agent.writer.split import SplitDevice
from tests.releases import HARDWARE, MODEL, NOW, Package


@dataclass
class Desk:
    """The writer of `device`, by the clocks `now` and `ticks`."""

    device: SplitDevice
    now: datetime = NOW
    ticks: float = 0.0
    allowed: frozenset[int] = frozenset({os.geteuid()})
    restarts: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """A process with nothing in memory."""
        own, allowance = own_access(load(self.device.config), Timing()), Allowance(lambda: self.ticks)
        journal = Journal(SystemDisk(), self.device.folder / "writer-journal")
        identity = Identity(MODEL, HARDWARE, self.device.kit.pinned, "1.0.0")
        self.memory = Memory(identity, journal, lambda: self.now, allowance.spend)
        self.boots = own.boots
        self.memory.load(own.boots.booted())
        powers = Powers(own.boots, self, own.crashes, SystemDisk(), Linux(), own.require_fit)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.device.path.unlink(missing_ok=True)
        self.listener.bind(str(self.device.path))
        self.listener.listen(64)
        self.server = Server(self.listener, Duties(powers, self.memory, allowance), self.allowed)
        self._over.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """As a kill would, with what was open."""
        self._over.set()
        self._thread.join()
        self.server.close()
        self.listener.close()

    def _run(self) -> None:
        while not self._over.is_set():
            self.server.turn(0.01)

    def boot_id(self) -> str:
        """See Board."""
        return FileBootLoader(self.device.board, SystemDisk()).boot_id()

    def caused_by_watchdog(self) -> bool:
        """See Board."""
        return False

    def reboot(self) -> None:
        """See Board."""
        self.restarts += 1

    def restart(self) -> Slot:
        """Power off and on: firmware, and a writer that remembers what it kept."""
        self.stop()
        slot = self.device.restart()
        self.start()
        return slot

    def client(self) -> Conversation:
        """A connection."""
        return Conversation(self.device.path, Timing())

    def ask(self, request: ask.Request) -> ask.Done:
        """One request on a connection of its own."""
        line = self.client()
        try:
            done, descriptor = line.ask(request)
        finally:
            line.close()
        if descriptor is not None:
            os.close(descriptor)
        return done

    def look(self, slot: Slot) -> int:
        """A descriptor for reading."""
        line = self.client()
        try:
            descriptor = line.ask(ask.Look(slot))[1]
        finally:
            line.close()
        assert descriptor is not None
        return descriptor

    def introduce(self, package: Package) -> None:
        """The release alone."""
        self.ask(ask.Introduce(package.document))

    def install(self, package: Package, slot: Slot, image: bytes | None = None) -> None:
        """All that an update asks for, up to the commit; `image` in place of the signed one."""
        self.introduce(package)
        self.write(slot, package.image if image is None else image)
        self.ask(ask.TrySlot(slot))
        assert self.restart() is slot
        self.ask(ask.Commit(slot))

    def write(self, slot: Slot, image: bytes, offset: int = 0) -> None:
        """Bytes into a slot, and nothing else."""
        with Pen(self, slot) as pen:
            pen.write(offset, image)


class Pen:
    """A connection on which a slot was opened."""

    def __init__(self, desk: Desk, slot: Slot) -> None:
        self.line = desk.client()
        try:
            self.length, descriptor = self._opened(slot)
        except BaseException:
            self.line.close()
            raise
        self.memory = mmap.mmap(descriptor, ask.BUFFER_BYTES)
        self.descriptor = descriptor

    def _opened(self, slot: Slot) -> tuple[int, int]:
        done, descriptor = self.line.ask(ask.Open(slot))
        assert descriptor is not None
        return done.length, descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.memory.close()
        os.close(self.descriptor)
        self.line.close()

    def write(self, offset: int, data: bytes) -> None:
        """Piece by piece, and then durably."""
        for start in range(0, len(data), ask.BUFFER_BYTES):
            piece = data[start : start + ask.BUFFER_BYTES]
            self.memory[: len(piece)] = piece
            self.line.ask(ask.Write(offset + start, len(piece)))
        self.line.ask(ask.Sync())
