"""The agent's ports where the slot writer is another process: nothing here has more rights than to ask it."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.disk import BlockFile, Medium, SystemDisk
from agent.kernel import Linux
from agent.slots import BootEnvironmentError, Slot
from agent.writer import protocol as ask
from agent.writer.client import TRIES, ReleaseRefusedByWriter, SlotWriter, WriterGone
from bridge.release.errors import SlotError


class RemoteBootLoader:
    """agent.slots.BootLoader, asked for by way of `writer`. A slot keeps its device as long as this process runs."""

    def __init__(self, writer: SlotWriter) -> None:
        self._writer = writer
        self._devices: dict[Slot, Path] = {}

    def booted(self) -> Slot:
        """See BootLoader."""
        return _named(self._ask(ask.Booted()).slot)

    def default(self) -> Slot:
        """See BootLoader."""
        return _named(self._ask(ask.Default()).slot)

    def trial(self) -> Slot | None:
        """See BootLoader."""
        return self._ask(ask.Trial()).slot

    def device(self, slot: Slot) -> Path:
        """See BootLoader."""
        if slot not in self._devices:
            self._devices[slot] = Path(self._ask(ask.Device(slot)).text)
        return self._devices[slot]

    def mark_unbootable(self, slot: Slot) -> None:
        """See BootLoader."""
        self._ask(ask.MarkUnbootable(slot))

    def try_slot(self, slot: Slot) -> None:
        """See BootLoader. Takes as long as reading the slot."""
        self._ask(ask.TrySlot(slot))

    def commit(self, slot: Slot) -> None:
        """See BootLoader."""
        self._ask(ask.Commit(slot))

    def refill(self) -> None:
        """See BootLoader."""
        self._ask(ask.Refill())

    def excuse_restart(self) -> None:
        """See BootLoader. Not asked for twice: that would excuse two."""
        self._ask(ask.ExcuseRestart(), again=False)

    def _ask(self, request: ask.Request, *, again: bool = True) -> ask.Done:
        with _as_boot_environment():
            return self._writer.ask(request, again=again)


@contextmanager
def _as_boot_environment() -> Iterator[None]:
    """What the port promises to raise."""
    try:
        yield
    except BootEnvironmentError:
        raise
    except (SlotError, ReleaseRefusedByWriter) as error:
        refusal = BootEnvironmentError(str(error))
        refusal.code = error.code
        raise refusal from error
    except OSError as error:
        raise BootEnvironmentError(f"the slot writer failed: {error.strerror or error}") from error


class SentDescriptors(Linux):
    """The kernel, but that the slots at `slots` are opened by the writer, and for reading alone."""

    def __init__(self, writer: SlotWriter, slots: Callable[[], dict[Path, Slot]]) -> None:
        self._writer = writer
        self._slots = slots

    def open(self, path: Path, flags: int) -> int:
        """See Kernel."""
        slot = self._slots().get(path)
        if slot is None or flags & os.O_DIRECTORY:
            return super().open(path, flags)
        return self._writer.descriptor(ask.Look(slot, direct=bool(flags & os.O_DIRECT)))


class RemoteDisk:
    """agent.disk.Disk: the agent's own files are its own, slots are read by descriptors that the writer sends, and
    written by the writer."""

    def __init__(self, writer: SlotWriter, boots: RemoteBootLoader) -> None:
        self._writer = writer
        self._boots = boots
        self._own = SystemDisk()
        self._sent = SystemDisk(SentDescriptors(writer, self._slots))

    def read(self, path: Path) -> bytes | None:
        """See Disk."""
        return self._own.read(path)

    def replace(self, path: Path, data: bytes) -> None:
        """See Disk."""
        self._own.replace(path, data)

    def open_slot(self, path: Path, *, to_write: bool = True) -> BlockFile:
        """See Disk."""
        reading = self._sent.open_slot(path, to_write=False)
        return RemoteSlot(self._writer, self._slots()[path], reading) if to_write else reading

    def open_medium(self, path: Path) -> Medium:
        """See Disk."""
        return self._sent.open_medium(path)

    def open_file(self, path: Path) -> BlockFile:
        """See Disk."""
        return self._own.open_file(path)

    def make_folder(self, path: Path) -> None:
        """See Disk."""
        self._own.make_folder(path)

    def names(self, folder: Path) -> list[str]:
        """See Disk."""
        return self._own.names(folder)

    def remove(self, path: Path) -> None:
        """See Disk."""
        self._own.remove(path)

    def free(self, folder: Path) -> int:
        """See Disk."""
        return self._own.free(folder)

    def _slots(self) -> dict[Path, Slot]:
        return {self._boots.device(slot): slot for slot in Slot}


class RemoteSlot:
    """agent.disk.BlockFile: a slot that the writer writes. What is next to each other is gathered in the memory that
    both share, and handed over when that is full. Where the writer died, it is opened again: what it had taken is with
    the kernel, what it had not is still here."""

    def __init__(self, writer: SlotWriter, slot: Slot, reading: BlockFile) -> None:
        """`reading` reads the same slot. Raises: OSError, SlotError."""
        self._writer = writer
        self._slot = slot
        self._reading = reading
        self._offset = self._count = 0
        try:
            self._connect()
        except BaseException:
            reading.close()
            raise

    def write(self, offset: int, data: bytes) -> None:
        """See BlockFile."""
        left = memoryview(data)
        while left:
            if offset != self._offset + self._count or self._count == ask.BUFFER_BYTES:
                self._flush()
                self._offset = offset
            taken = left[: ask.BUFFER_BYTES - self._count]
            self._memory[self._count : self._count + len(taken)] = taken
            self._count += len(taken)
            left, offset = left[len(taken) :], offset + len(taken)

    def read(self, offset: int, length: int) -> bytes:
        """See BlockFile."""
        self._flush()
        return self._reading.read(offset, length)

    def length(self) -> int:
        """See BlockFile."""
        return self._length

    def sync(self) -> None:
        """See BlockFile."""
        self._flush()
        self._ask(ask.Sync())

    def close(self) -> None:
        """See BlockFile."""
        self._line.close()
        self._memory.close()
        self._reading.close()

    def _flush(self) -> None:
        if self._count:
            self._ask(ask.Write(self._offset, self._count))
            self._count = 0

    def _ask(self, request: ask.Request) -> None:
        for _ in range(TRIES - 1):
            try:
                self._line.ask(request)
            except ConnectionError:
                self._reconnect()
            else:
                return
        self._line.ask(request)

    def _reconnect(self) -> None:
        """The same slot, with what was gathered in the new memory."""
        gathered = self._memory[: self._count]
        self._memory.close()
        self._line.close()
        self._connect()
        self._memory[: len(gathered)] = gathered

    def _connect(self) -> None:
        self._line, done, memory = self._writer.converse(ask.Open(self._slot))
        try:
            self._length = done.length
            self._memory = mmap.mmap(memory, ask.BUFFER_BYTES)
        finally:
            os.close(memory)


class Presenting:
    """Shows the writer what it has to judge by itself, before a slot may be written."""

    def __init__(self, writer: SlotWriter, boots: RemoteBootLoader) -> None:
        self._writer = writer
        self._boots = boots

    def introduce(self, release: bytes, roots: Sequence[bytes]) -> None:
        """A whole release.json, and the roots after the pinned one. Raises: ReleaseError: refused; SlotError."""
        with _as_slot():
            for root in roots:
                self._writer.ask(ask.Follow(root))
            self._writer.ask(ask.Introduce(release))

    def require_fit(self, target: Path, running: Path) -> None:  # noqa: ARG002 - the writer knows what runs
        """Whether the slot at `target` may be written. Raises: SlotError."""
        slot = next(slot for slot in Slot if self._boots.device(slot) == target)
        with _as_slot():
            self._writer.ask(ask.Fit(slot))


@contextmanager
def _as_slot() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SlotError(f"the slot writer failed: {error.strerror or error}") from error


def _named(slot: Slot | None) -> Slot:
    if slot is None:
        raise BootEnvironmentError("the slot writer named no slot: install agent and writer anew, of one version")
    return slot


class RemoteBoard:
    """agent.ports.Board, which only the slot writer may look into and restart."""

    def __init__(self, writer: SlotWriter, *, restarts: bool) -> None:
        """Without `restarts`, whoever sees the agent's exit code restarts the machine."""
        self._writer = writer
        self._restarts = restarts

    def boot_id(self) -> str:
        """See Board."""
        with _as_slot():
            return self._writer.ask(ask.BootId()).text

    def caused_by_watchdog(self) -> bool:
        """See Board."""
        with _as_slot():
            return bool(self._writer.ask(ask.CausedByWatchdog()).length)

    def crashes(self) -> tuple[str, ...]:
        """See `agent.ports.Ports`. Raises: SlotError."""
        with _as_slot():
            return tuple(self._writer.ask(ask.Crashes()).text.split())

    def reboot(self) -> None:
        """See Board. The restart may take the writer down before it has answered."""
        if self._restarts:
            with _as_slot(), suppress(WriterGone):
                self._writer.ask(ask.Restart(), again=False)
