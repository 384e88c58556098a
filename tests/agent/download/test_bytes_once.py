"""The whole way of an artifact over a bad line: no byte is asked for twice, save those behind the last checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import pytest

from agent.cloud.channel import Offer
from agent.download.answer import LinkDropped
from agent.download.connections import Connections
from agent.download.fetch import HttpDownload, Limits
from agent.download.link import Links
from agent.pace import StopRequested, Timing
from bridge.release.report import Outcome
from tests.agent.device import SimulatedCloud, SimulatedDevice, image, package
from tests.agent.fileserver import Fault, FileServer
from tests.agent.power import Loss, PowerCut
from tests.releases import FULL_NAME

DATA = package(2).files[FULL_NAME]


@dataclass
class Naps:
    """Sleeps that are not slept; the one of that number is cut short by `end`."""

    deadly: int = 0
    end: BaseException | None = None
    count: int = 0

    def sleep(self, seconds: float) -> None:  # noqa: ARG002 - virtual
        """See Timing."""
        self.count += 1
        if self.count == self.deadly and self.end is not None:
            raise self.end


@dataclass
class RenewingCloud(SimulatedCloud):
    """Gives each time another URL."""

    def renew(self, offer_id: str) -> Offer:
        """See Channel."""
        offer = super().renew(offer_id)
        urls = {name: f"{url}&renewed={self.renewals}" for name, url in offer.urls.items()}
        return replace(offer, urls=urls)


@dataclass
class Line:
    """A device whose artifacts come from `server`; `naps` decide when its agent ends."""

    server: FileServer
    connections: Connections
    naps: Naps = field(default_factory=Naps)
    device: SimulatedDevice = field(init=False)

    def __post_init__(self) -> None:
        self.device = SimulatedDevice.built(cloud=RenewingCloud())
        offer = self.device.offer(package(2))
        self.device.cloud.offer = replace(offer, urls={FULL_NAME: self.server.url})
        self.connect()

    def connect(self, **naps: object) -> None:
        """A new process's download."""
        self.naps = Naps(**naps)
        timing = Timing(sleep=self.naps.sleep, random=lambda: 0.0)
        self.device.link = HttpDownload(Links(self.connections, allow_http=True), Limits(), timing)
        self.device.start_agent()

    def fails(self, *drops: int | None) -> None:
        """The server hangs up after so many bytes, each time; None: it says that the URL has expired."""
        self.server.faults = [Fault(status=403) if drop is None else Fault(body=DATA, drop=drop) for drop in drops]

    @property
    def kept(self) -> int:
        """Bytes of the artifact that a checkpoint in the journal promises."""
        update = self.device.record.update
        assert update is not None
        return update.checkpoint.payload

    @property
    def starts(self) -> list[int]:
        """Where each request began."""
        return [int((seen.range or "bytes=0-")[6:-1]) for seen in self.server.seen]


@pytest.fixture
def line(server: FileServer, connections: Connections) -> Line:
    """An update that has been offered."""
    server.body = DATA
    return Line(server, connections)


def test_drops_and_expired_urls(line: Line):
    """Within a process each request asks for the first byte that is missing, whatever was in between."""
    line.fails(20_000, 15_000, None, 30_000, None)

    assert line.device.run().outcome is Outcome.INSTALLED
    assert line.starts == [0, 20_000, 35_000, 35_000, 65_000, 65_000]
    assert line.device.cloud.renewals == 2
    assert "renewed=2" in line.server.seen[-1].path


@pytest.mark.parametrize("loss", [Loss.LOST, Loss.KEPT, Loss.TORN])
def test_a_power_cut(line: Line, loss: Loss):
    """The machine goes down in mid-download: it goes on at the last checkpoint, however much more had come."""
    line.fails(40_000, 30_000)
    line.connect(deadly=2, end=PowerCut("in mid-download"))
    with pytest.raises(PowerCut):
        line.device.run()
    line.device.kernel.lose(loss, Random(1))
    kept = line.kept
    line.fails(10_000)
    line.naps.end = None

    assert line.device.power_up_and_run().outcome is Outcome.INSTALLED
    assert 0 < kept <= 70_000
    assert line.starts == [0, 40_000, kept, kept + 10_000]


def test_an_orderly_restart_costs_nothing(line: Line):
    """The agent is stopped: what has come is written and marked first, so that the next one goes on right there."""
    line.fails(40_000, 30_000)
    line.connect(deadly=2, end=StopRequested())
    with pytest.raises(StopRequested):
        line.device.run()
    kept = line.kept
    line.connect()

    assert line.device.run().outcome is Outcome.INSTALLED
    assert line.starts == [0, 40_000, kept]
    assert kept > 70_000 - 49_152  # at most the frame that was not whole


def test_a_line_that_was_given_up(line: Line):
    """The offer failed for want of a line; the next offer of the same release goes on where it was."""
    line.fails(70_000, *[0] * 8)
    assert line.device.run().code == LinkDropped.code
    kept = line.kept
    line.server.seen.clear()
    offer = Offer("job-2", package(2).document, (), {FULL_NAME: line.server.url})

    assert line.device.run(offer).outcome is Outcome.INSTALLED
    assert (line.starts, kept > 40_000) == ([kept], True)
    assert line.device.running_image() == image(2)
