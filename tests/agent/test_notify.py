"""The signs of life that systemd gets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.disk import SystemDisk
from agent.heartbeat import BeatingDisk, Heartbeat
from agent.notify import Notifier, watchdog_seconds
from agent.pace import StopRequested


class Manager:
    """A service manager's end of the notification socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(0)

    def heard(self) -> list[str]:
        """All that was said since the last call."""
        said = []
        try:
            while True:
                said.append(self._socket.recv(4096).decode())
        except BlockingIOError:
            return said

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A manager that listens at a path."""
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.close()


@pytest.fixture
def notifier(manager: Manager) -> Notifier:
    """Speaks to the manager."""
    return Notifier({"NOTIFY_SOCKET": manager.address})


def test_states(notifier: Notifier, manager: Manager):
    """The words are those of sd_notify(3); a status is one line of bounded length."""
    notifier.ready()
    notifier.status("waiting\nfor  an offer")
    notifier.status("x" * 1000)
    notifier.watchdog()
    notifier.stopping()

    assert manager.heard() == [
        "READY=1",
        "STATUS=waiting for an offer",
        "STATUS=" + "x" * 256,
        "WATCHDOG=1",
        "STOPPING=1",
    ]


def test_abstract_socket():
    """An address that begins with @ is in the abstract name space."""
    manager = Manager(f"@otabridge-test-{os.getpid()}")
    Notifier({"NOTIFY_SOCKET": manager.address}).ready()

    assert manager.heard() == ["READY=1"]
    manager.close()


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/no/such/socket"}])
def test_no_manager(environment: dict[str, str]):
    """Without a manager, or with one that is gone, the agent works on."""
    Notifier(environment).ready()


def test_manager_that_does_not_read(notifier: Notifier, manager: Manager, monkeypatch: pytest.MonkeyPatch):
    """A manager whose queue is full does not hold the agent up."""
    monkeypatch.setattr("agent.notify.SEND_SECONDS", 0.001)
    for _ in range(600):
        notifier.watchdog()

    assert 0 < len(manager.heard()) < 600


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, 30.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_watchdog_seconds(environment: dict[str, str], seconds: float | None):
    """The watchdog's time is taken only where it is meant for this process."""
    assert watchdog_seconds(environment, 42) == seconds


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def nap(self, seconds: float) -> None:
        self.now += seconds


def test_beats_at_half_the_interval(notifier: Notifier, manager: Manager):
    """However often the work beats, systemd hears of it twice in its time."""
    clock = Clock()
    heartbeat = Heartbeat(notifier, watchdog=10.0, clock=lambda: clock.now, nap=clock.nap)
    for _ in range(200):
        heartbeat.beat()
        clock.now += 0.1

    assert manager.heard() == ["WATCHDOG=1"] * 4


def test_no_beat_no_ping(notifier: Notifier, manager: Manager):
    """There is no timer that would speak for a loop that hangs."""
    clock = Clock()
    heartbeat = Heartbeat(notifier, watchdog=10.0, clock=lambda: clock.now, nap=clock.nap)
    clock.now += 100.0

    assert manager.heard() == []
    heartbeat.beat()
    assert manager.heard() == ["WATCHDOG=1"]


def test_sleeping_is_working(notifier: Notifier, manager: Manager):
    """A long wait that the agent means to make keeps the watchdog quiet."""
    clock = Clock()
    heartbeat = Heartbeat(notifier, watchdog=40.0, clock=lambda: clock.now, nap=clock.nap)
    heartbeat.sleep(60.5)

    assert clock.now == 1060.5
    assert manager.heard() == ["WATCHDOG=1"] * 4


def test_without_a_watchdog_nothing_is_said(notifier: Notifier, manager: Manager):
    """A manager that set no watchdog is not bothered."""
    Heartbeat(notifier).beat()

    assert manager.heard() == []


def test_stop_wakes_a_sleeper(notifier: Notifier):
    """A signal that comes in the middle of a wait ends it at the next slice."""
    clock = Clock()

    def nap(seconds: float) -> None:
        clock.nap(seconds)
        if clock.now >= 1003:
            heartbeat.stop()

    heartbeat = Heartbeat(notifier, clock=lambda: clock.now, nap=nap)
    with pytest.raises(StopRequested):
        heartbeat.sleep(600.0)
    assert clock.now == 1003.0


def test_stop_while_waiting_for_others(notifier: Notifier):
    """Where nothing is half done a signal ends the wait at once, and nowhere else."""
    heartbeat = Heartbeat(notifier)
    with pytest.raises(StopRequested), heartbeat.waiting():
        heartbeat.stop()
    Heartbeat(notifier).stop()

    with pytest.raises(StopRequested), heartbeat.waiting():
        pytest.fail("a heartbeat that was stopped does not begin to wait")


@pytest.mark.parametrize(("watchdog", "patience"), [(20.0, 10.0), (None, float("inf"))])
def test_patience(notifier: Notifier, watchdog: float | None, patience: float):
    """Whoever waits without beating does so for half of the watchdog's time at most."""
    assert Heartbeat(notifier, watchdog).patience == patience


def test_slot_access_beats_before_it_acts(tmp_path: Path):
    """A stop that was asked for takes effect before the next block is written, not in the middle of it."""
    image = tmp_path / "a.img"
    image.write_bytes(b"old image")
    heartbeat = Heartbeat(Notifier({}))
    slot = BeatingDisk(SystemDisk(), heartbeat.beat).open_slot(image)
    slot.write(0, b"new")
    heartbeat.stop()

    with pytest.raises(StopRequested):
        slot.write(3, b"!")
    with pytest.raises(StopRequested):
        slot.read(0, 3)
    slot.close()
    assert image.read_bytes() == b"new image"


def test_beating_disk_is_a_disk(tmp_path: Path):
    """All else is the disk below."""
    disk = BeatingDisk(SystemDisk(), lambda: None)
    disk.replace(tmp_path / "journal", b"text")
    slot = disk.open_slot(tmp_path / "journal")
    slot.sync()

    assert disk.read(tmp_path / "journal") == b"text"
    assert disk.read(tmp_path / "none") is None
    assert (slot.read(0, 9), slot.length()) == (b"text", 4)
    slot.close()
