"""A stampede of devices is spread: when each begins, and what a store has to bear."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.bootloaders.file import read_environment
from agent.cloud.channel import Offer
from agent.config import load
from agent.download.answer import LinkDropped, Wanted
from agent.download.fetch import HttpDownload, Limits
from agent.download.spread import Spread
from agent.download.turn import Turn
from agent.pace import Timing
from agent.slots import Slot
from agent.wiring import _own_name
from bridge.release.errors import DownloadError
from bridge.release.image import Image
from bridge.release.manifest import Artifact
from tests.agent.device import FOLDER, SimulatedDevice, package

LEAST = """
device = { model = "gateway-3", hardware = "r2" }
slots = { boot_loader = "file", directory = "slots" }
trust = { root = "root.json" }
channel.cloud = "aws"
"""
DEVICES = 10_000
RATE = 1_000_000
"""Bytes a second that one device takes at most."""
STEP = 5
"""Seconds in which traffic is counted."""
ARTIFACT = Artifact("rootfs.full", 60 * RATE, "0" * 64, Image(1, "0" * 64))
RELEASE = b"release.json of 2.0.0"
OFFER = Offer("job", RELEASE, (), {"rootfs.full": "https://store.example/rootfs.full"})
HOUR = 3600.0
NOW = 1_800_000_123.0
"""Some time of day."""


class Nap:
    """A device's own clock: it goes on by sleeping, and tells who simulates how long."""

    def __init__(self, now: float, seed: int) -> None:
        self.now = now
        self.chance = random.Random(seed).random

    @property
    def timing(self) -> Timing:
        """As the agent knows it."""
        return Timing(clock=lambda: self.now, time_of_day=lambda: self.now, sleep=self.sleep, random=self.chance)

    def sleep(self, seconds: float) -> None:
        """Virtual."""
        self.now += seconds


@dataclass
class Body:
    """An answer that brings STEP seconds' worth at a time."""

    etag: None = None
    skip: int = 0
    stop: int = ARTIFACT.length

    def read(self) -> bytes:
        """See Answer."""
        return ZEROS

    def close(self) -> None:
        """See Answer."""


ZEROS = bytes(STEP * RATE)


class Store:
    """Links of agent.download: notes when it was asked; the first `busy` requests are told to wait `retry_after`."""

    def __init__(self, busy: int = 0, retry_after: float = 0.0) -> None:
        self.asked: list[float] = []
        self.busy = busy
        self.retry_after = retry_after
        self.clock = Nap(NOW, 0)

    def open(self, wanted: Wanted) -> Body:  # noqa: ARG002 - all want the same
        """See Links."""
        self.asked.append(self.clock.now)
        if self.busy > 0:
            self.busy -= 1
            raise LinkDropped("the server answered 503", self.retry_after)
        return Body()


def seconds_of(store: Store, number: int, spread: float) -> Iterator[float]:
    """When device `number` got each STEP seconds' worth of its bytes; its store is asked at the device's own time."""
    store.clock = nap = Nap(NOW, number)
    Turn(Spread(f"gateway-{number:05}", spread), nap.timing).wait(OFFER)
    for _ in HttpDownload(store, Limits(rate=RATE), nap.timing).stream(OFFER, ARTIFACT, 0, lambda: OFFER):
        yield nap.now


def traffic(spread: float) -> Counter[int]:
    """What the store sends in each STEP seconds, in rates of one device, when all hear of the release at once."""
    sent: Counter[int] = Counter()
    for number in range(DEVICES):
        sent.update(int(at - NOW) // STEP for at in seconds_of(Store(), number, spread))
    return sent


def test_a_stampede_of_ten_thousand_devices(record_property):
    """All hear of the release in one second. Unspread, the store has to send at ten thousand times a device's rate;
    over an hour, where each takes a minute, at 167 times on average, and in the worst second below 240 times."""
    crowded, spread = max(traffic(0.0).values()), max(traffic(HOUR).values())
    record_property("peak, in rates of one device", f"{crowded} unspread, {spread} spread")

    assert crowded >= DEVICES
    assert DEVICES * 60 / HOUR < spread < 240


def test_a_wait_that_a_server_asks_for_does_not_gather_the_devices():
    """All of them are told to come back in 100 seconds: they come within 25, not in one."""
    asked = Counter()
    for number in range(1000):
        store = Store(busy=1, retry_after=100.0)
        next(iter(seconds_of(store, number, 0.0)))
        asked[int(store.asked[1] - NOW)] += 1

    assert min(asked) >= 100
    assert max(asked) <= 125
    assert max(asked.values()) < 100


def test_each_release_is_another_draw():
    """No device is always the first to try what is new."""
    devices = [Spread(f"gateway-{number}", HOUR) for number in range(200)]
    orders = [sorted(range(200), key=lambda at: devices[at].wait(release, 0.0)) for release in (b"2.0.0", b"3.0.0")]

    assert len(set(orders[0][:20]) & set(orders[1][:20])) < 10


@given(st.text(max_size=20), st.binary(max_size=20), st.floats(0, 4e9), st.floats(0.1, 86_400))
def test_a_device_has_one_moment_in_each_window(device: str, release: bytes, now: float, seconds: float):
    """Whenever it asks, it waits for the same moment, and never for longer than a window."""
    spread = Spread(device, seconds)
    wait = spread.wait(release, now)

    assert 0 <= wait <= seconds
    later = spread.wait(release, now + wait / 2)
    assert abs(later - wait / 2) < 1e-3 or abs(abs(later - wait / 2) - seconds) < 1e-3


def test_nothing_is_waited_for_by_default():
    """Whoever wants it says so."""
    assert Spread("gateway-1").wait(RELEASE, NOW) == 0.0


def test_a_turn_comes_once_for_each_release():
    """Neither a second artifact of a release nor another try of it waits anew; the next release does."""
    nap = Nap(NOW, 1)
    turn = Turn(Spread("gateway-1", HOUR), nap.timing)
    turn.wait(OFFER)
    began = nap.now
    turn.wait(OFFER)
    assert (NOW < began < NOW + HOUR, nap.now) == (True, began)

    turn.wait(replace(OFFER, release=b"release.json of 3.0.0"))
    assert began < nap.now


def test_a_device_that_was_restarted_while_it_waited_does_not_wait_anew():
    """The moment is the same for every process."""
    moments = set()
    for restarted in (0.0, 5.0, 10.0):
        nap = Nap(NOW + restarted, 1)
        Turn(Spread("gateway-7", HOUR), nap.timing).wait(OFFER)
        moments.add(round(nap.now, 3))

    assert len(moments) == 1


class Waiting:
    """agent.ports.Ports.await_turn: notes which slots could boot meanwhile."""

    def __init__(self, device: SimulatedDevice) -> None:
        self.device = device
        self.unbootable: list[frozenset[Slot]] = []

    def wait(self, offer: Offer) -> None:  # noqa: ARG002 - the port's face
        """See Turn."""
        environment = read_environment(FOLDER, self.device.disk)
        assert environment is not None
        self.unbootable.append(environment.unbootable)


def test_the_release_before_stays_bootable_while_a_device_waits():
    """The slot is touched when the turn has come: until then the boot loader may fall back to what it holds."""
    device = SimulatedDevice.built()
    device.run(device.offer(package(2), "earlier"))
    waiting = Waiting(device)
    device.engine._ports = replace(device.engine._ports, await_turn=waiting.wait)

    device.engine.install(device.cloud, device.offer(package(3)))

    assert waiting.unbootable == [frozenset()]


def test_a_download_that_has_begun_goes_on_at_once():
    """What is in the slot was fetched in its turn."""
    device = SimulatedDevice.built()
    device.link.faults = [DownloadError("no answer")]
    device.link.fault_after = 70_000
    offer = device.offer(package(2))
    waiting = Waiting(device)
    device.engine._ports = replace(device.engine._ports, await_turn=waiting.wait)
    device.engine.install(device.cloud, offer)

    device.engine.install(device.cloud, replace(offer, id="job-2"))

    assert len(waiting.unbootable) == 1
    assert device.link.offsets[0] == 0 < device.link.offsets[1]


def test_devices_differ_by_their_channel_or_their_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two devices of one model never share a moment because they share an image: one of the two tells them apart."""
    machine, names = tmp_path / "machine-id", set()
    monkeypatch.setattr("agent.wiring.MACHINE_ID", machine)
    for thing, made in [("gateway-1", None), ("gateway-2", None), ("gateway-1", "ab12"), ("gateway-1", "cd34")]:
        if made is not None:
            machine.write_text(f"{made}\n")
        file = tmp_path / "agent.toml"
        file.write_text(f'{LEAST}[channel.aws]\nthing = "{thing}"\n')
        names.add(_own_name(load(file)))

    assert len(names) == 4
