"""The writer's socket under those who do not play by the rules: it is there for the agent all the same."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.slots import Slot
from agent.writer import protocol as ask
from agent.writer.client import WriterRefusal
from agent.writer.protocol import MAX_PACKET, VERSION, pack
from agent.writer.server import MOST_CLIENTS
from tests.agent.writer.desk import Desk, Pen
from tests.agent.writer.split import NEW

FIELDS = st.dictionaries(
    st.sampled_from(["is", "slot", "offset", "length", "release", "root", "direct"]),
    st.sampled_from(["booted", "try", "open", "write", "look", "a", "b", "", 0, 1, -1, 1 << 70, None, True, [], {}]),
)
FRAMES = st.one_of(
    st.binary(min_size=1, max_size=300),
    st.binary(max_size=300).map(VERSION.__add__),
    FIELDS.map(lambda fields: VERSION + repr(fields).replace("'", '"').encode()),
    st.sampled_from(
        [pack(ask.Open(Slot.B)), pack(ask.Look(Slot.A, direct=True)), pack(ask.Write(0, 5)), pack(ask.Sync())]
    ),
)


def connected(desk: Desk) -> socket.socket:
    """A plain socket."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    line.connect(str(desk.device.path))
    return line


def _send_for_ever(line: socket.socket, packet: bytes) -> None:
    while True:
        with suppress(BlockingIOError):
            line.send(packet)


def open_files() -> int:
    """How many descriptors this process has."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@given(frames=st.lists(FRAMES, min_size=1, max_size=6))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_packets(desk, frames):
    """Whatever comes, in whatever order: the next client is answered, and no slot was touched."""
    with closing(connected(desk)) as line, suppress(OSError):
        for frame in frames:
            line.send(frame)
            line.recv(MAX_PACKET)

    assert desk.ask(ask.Booted()).slot is Slot.A
    assert desk.device.slot(Slot.B) == bytes(desk.device.slot_bytes)
    assert desk.boots.default() is Slot.A


def test_a_packet_that_is_too_long(desk):
    """Is not even looked at."""
    with closing(connected(desk)) as line:
        line.send(VERSION + b" " * MAX_PACKET)
        assert line.recv(1) == b""

    assert desk.ask(ask.Booted()).slot is Slot.A


def test_many_connections(desk):
    """The one that was silent for longest makes room, and whoever comes last is answered."""
    with ExitStack() as stack:
        lines = [stack.enter_context(closing(connected(desk))) for _ in range(5 * MOST_CLIENTS)]
        assert desk.ask(ask.Booted()).slot is Slot.A
        lines[0].settimeout(5)

        assert lines[0].recv(1) == b""
    assert len(desk.server._clients) <= MOST_CLIENTS


def test_one_who_asks_and_does_not_listen(desk):
    """Is hung up on once there is no room for more answers; nobody waits for him."""
    request = pack(ask.Look(Slot.A))
    with closing(connected(desk)) as line:
        line.settimeout(0)
        with pytest.raises(ConnectionError):
            _send_for_ever(line, request)
        assert desk.ask(ask.Booted()).slot is Slot.A


def test_descriptors_that_nobody_asked_for(desk):
    """Are dropped by the kernel: the writer does not collect them."""
    before = open_files()
    reading, writing = os.pipe()
    with closing(connected(desk)) as line:
        for _ in range(50):
            socket.send_fds(line, [pack(ask.Booted())], [reading, writing])
            assert line.recv(MAX_PACKET)
        assert open_files() <= before + 5
    os.close(reading)
    os.close(writing)


def test_another_user(split, caplog):
    """The kernel says who connects; whoever is not meant is hung up on."""
    with Desk(split, allowed=frozenset({54321})) as desk, closing(connected(desk)) as line:
        with suppress(ConnectionError):
            assert line.recv(1) == b""
        assert f"user {os.geteuid()} may not ask" in caplog.text


def test_one_slot_at_a_time(desk):
    """Who opens the slot anew has it; the one before is told so."""
    desk.introduce(desk.device.kit.package(NEW))
    with Pen(desk, Slot.B) as first, Pen(desk, Slot.B) as second:
        with pytest.raises(WriterRefusal, match="no slot is open on this connection"):
            first.write(0, NEW)
        second.write(0, NEW)

    desk.ask(ask.TrySlot(Slot.B))


def test_it_ends_when_nobody_asks(desk, monkeypatch):
    """After a while without a client; not while a slot is open, nor while the hour's changes would be forgotten."""
    monkeypatch.setattr("agent.writer.server.IDLE_SECONDS", 0.01)
    desk.ask(ask.MarkUnbootable(Slot.B))
    desk._over.set()
    desk._thread.join()
    serving = threading.Thread(target=desk.server.serve, kwargs={"for_ever": False})
    serving.start()
    assert desk.ask(ask.Booted()).slot is Slot.A
    assert serving.is_alive()
    desk.ticks += 3600
    serving.join(60)

    assert not serving.is_alive()
