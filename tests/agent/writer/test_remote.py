"""The agent's ports over the writer's socket: as good as its own, also where the writer dies."""

from __future__ import annotations

import os
import random
import threading

import msgspec
import pytest

from agent.disk import SystemDisk
from agent.pace import StopRequested, Timing
from agent.slots import BootEnvironmentError, Slot
from agent.writer import protocol as ask
from agent.writer.client import SlotWriter
from agent.writer.remote import RemoteBoard, RemoteBootLoader
from bridge.release.errors import FailureCode, ReleaseError, SlotError
from tests.agent.writer.split import NEW, OLD, Hands

PIECE = 100_001
BIG = random.Random(5).randbytes(1_400_000)
"""More than the memory that both share."""


@pytest.fixture
def hands(desk) -> Hands:
    """The agent's side."""
    return Hands(desk.device.path)


def test_a_slot_is_written_and_read(desk, hands):
    """In pieces of any size, here and there; what was written is read at once, and durable after the sync."""
    hands.shown.introduce(desk.device.kit.package(BIG).document, ())
    slot = hands.disk.open_slot(hands.boots.device(Slot.B))
    assert slot.length() == desk.device.slot_bytes
    for offset in range(0, len(BIG), PIECE):
        slot.write(offset, BIG[offset : offset + PIECE])
    slot.write(10, b"changed")
    assert slot.read(5, 20) == BIG[5:10] + b"changed" + BIG[17:25]
    slot.write(10, BIG[10:17])
    slot.sync()
    slot.close()

    hands.boots.try_slot(Slot.B)
    assert desk.restart() is Slot.B
    assert desk.device.slot(Slot.B)[: len(BIG)] == BIG


def test_slots_are_read_without_the_writer_writing(desk, hands):
    """The one that runs for deltas, the other past the page cache."""
    source = hands.disk.open_slot(hands.boots.device(Slot.A), to_write=False)
    assert source.read(0, len(OLD)) == OLD
    with pytest.raises(OSError, match="Bad file descriptor"):
        source.write(0, b"evil")
    source.close()
    medium = hands.disk.open_medium(hands.boots.device(Slot.A))
    buffer = memoryview(bytearray(512 * 1024))

    assert medium.read_into(buffer, 0) == 512 * 1024
    assert bytes(buffer[: len(OLD)]) == OLD
    medium.close()
    assert desk.restarts == 0


def test_its_own_files_are_its_own(desk, hands, tmp_path):
    """The journal does not go over the socket."""
    desk.stop()
    hands.disk.replace(tmp_path / "journal", b"state")

    assert hands.disk.read(tmp_path / "journal") == SystemDisk().read(tmp_path / "journal") == b"state"
    desk.start()


def test_a_writer_that_dies_while_the_slot_is_written(desk, hands):
    """The slot is opened again, what was gathered is not lost, and the image is whole."""
    hands.shown.introduce(desk.device.kit.package(BIG).document, ())
    slot = hands.disk.open_slot(hands.boots.device(Slot.B))
    for number, offset in enumerate(range(0, len(BIG), PIECE)):
        slot.write(offset, BIG[offset : offset + PIECE])
        if number % 3 == 2:
            desk.stop()
            desk.start()
            slot.sync()
    desk.stop()
    desk.start()
    slot.sync()
    slot.close()

    hands.boots.try_slot(Slot.B)
    assert desk.restart() is Slot.B


def test_a_writer_that_comes_late(desk, hands):
    """It is waited for, as it may have to be started."""
    desk.stop()
    late = threading.Timer(0.3, desk.start)
    late.start()
    try:
        assert hands.boots.booted() is Slot.A
    finally:
        late.join()


def test_no_writer_at_all(desk):
    """Is told with what to look at."""
    desk.stop()
    boots = RemoteBootLoader(SlotWriter(desk.device.path, Timing(), 0.1))

    with pytest.raises(BootEnvironmentError, match=r"cannot be reached.*systemctl status otabridge-slot-writer"):
        boots.booted()
    desk.start()


def test_refusals_are_what_the_ports_promise(desk, hands):
    """A boot loader raises BootEnvironmentError, and each keeps the number of its failure."""
    with pytest.raises(BootEnvironmentError, match="slot a is the default"):
        hands.boots.mark_unbootable(Slot.A)
    with pytest.raises(BootEnvironmentError, match="no release was introduced") as refused:
        hands.boots.try_slot(Slot.B)
    assert refused.value.code == FailureCode.BOOT_ENVIRONMENT
    with pytest.raises(SlotError, match="no release was introduced"):
        hands.disk.open_slot(hands.boots.device(Slot.B))
    with pytest.raises(ReleaseError, match="not") as caught:
        hands.shown.introduce(b"{}", ())
    assert caught.value.code == FailureCode.MALFORMED
    os.truncate(desk.device.board / "boot.env.0", 0)
    os.truncate(desk.device.board / "boot.env.1", 0)
    with pytest.raises(BootEnvironmentError, match="no copy of the boot environment can be read"):
        hands.boots.default()


def test_a_slot_below_the_floor_is_refused_as_a_boot_environment(desk, hands):
    """Where a boot loader's port may raise nothing else; the number says more."""
    kit = desk.device.kit
    desk.install(kit.package(NEW), Slot.B)
    record = desk.memory._record.with_holding(Slot.A, desk.memory._record.b)
    desk.memory._journal.keep(msgspec.structs.replace(record, floor=9))

    with pytest.raises(BootEnvironmentError, match="holds sequence 2, below the floor 9") as caught:
        hands.boots.try_slot(Slot.A)
    assert caught.value.code == FailureCode.ROLLED_BACK


def test_fitness_is_the_writers_to_judge(hands):
    """It alone can open the device as it will be opened; the agent only asks."""
    target, running = hands.boots.device(Slot.B), hands.boots.device(Slot.A)
    hands.shown.require_fit(target, running)
    target.unlink()

    with pytest.raises(SlotError, match="No such file"):
        hands.shown.require_fit(target, running)


def test_the_board(desk, hands):
    """Boot id, watchdog, crashes and restarts come from the one who may know, and who may."""
    board = RemoteBoard(hands.writer, restarts=True)

    assert board.boot_id() == desk.boot_id()
    assert not board.caused_by_watchdog()
    assert board.crashes() == ()
    board.reboot()
    RemoteBoard(hands.writer, restarts=False).reboot()
    assert desk.restarts == 1


def test_a_stop_while_the_writer_works(desk, split):
    """A wait for an answer can be stopped like any other work."""

    def stop() -> None:
        raise StopRequested

    desk._over.set()
    desk._thread.join()
    writer = SlotWriter(split.path, Timing(beat=stop))
    with pytest.raises(StopRequested):
        writer.ask(ask.Booted())
