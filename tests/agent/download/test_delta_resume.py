"""Cut off again and again, by power, kill and link: little is fetched twice, less is made twice, and it is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

import pytest

from agent.bootloaders.file import image_path
from agent.cloud.channel import Offer
from agent.image.installation import in_turn
from agent.slots import Slot
from agent.update.context import Limits
from bridge.release.delta.apply import Applier, Expected
from bridge.release.errors import ChannelError, DownloadError
from bridge.release.manifest import Artifact
from bridge.release.report import Outcome, Report
from tests.agent.device import FOLDER, SimulatedDevice, SimulatedLink, delta_package, image, package
from tests.agent.power import Loss, PowerCut, SimulatedKernel
from tests.releases import InMemory, Package

CUTS = 100
SPAN = 1
"""Bytes of image after which a checkpoint is kept: each span has one."""
TARGET = image_path(FOLDER, Slot.A)


class Killed(BaseException):
    """The agent's process is gone; the machine runs on."""


@dataclass
class Life:
    """What one start of the agent fetched, from where to where, and where it wrote."""

    start: int
    end: int
    writes: list[int] = field(default_factory=list)


@dataclass
class WatchedLink(SimulatedLink):
    """Tells `lives` what is fetched."""

    lives: list[Life] = field(default_factory=list)

    def stream(self, offer: Offer, artifact: Artifact, offset: int, renew: Callable[[], Offer]) -> Iterator[bytes]:
        """See Download."""
        life = Life(offset, offset)
        self.lives.append(life)
        for chunk in super().stream(offer, artifact, offset, renew):
            life.end += len(chunk)
            yield chunk


class WatchedKernel(SimulatedKernel):
    """Tells the last of `lives` what is written to the target."""

    lives: list[Life]

    def write(self, descriptor: int, data: memoryview, offset: int) -> int:
        """See Kernel."""
        if self.opened(descriptor) == TARGET and self.lives:
            self.lives[-1].writes.append(offset)
        return super().write(descriptor, data, offset)


def watched() -> SimulatedDevice:
    """A device that runs release 2 in slot b."""
    kernel, link = WatchedKernel(), WatchedLink(chunk_bytes=700)
    kernel.lives = link.lives
    device = SimulatedDevice.built(kernel=kernel, link=link, limits=Limits(SPAN, strikes=1000, install=in_turn))
    device.run(device.offer(package(2), "earlier"))
    link.lives.clear()
    return device


def cut_power(device: SimulatedDevice, chance: Random) -> None:
    """At any of the next calls that change something."""
    device.kernel.cut_at = device.kernel.calls + chance.randint(8, 60)


def kill(device: SimulatedDevice, chance: Random) -> None:
    """After any number of bytes."""
    device.link.faults, device.link.fault_after = [Killed()], chance.randrange(0, 30_000, 700)


def truncate(device: SimulatedDevice, chance: Random) -> None:
    """The transfer ends early, for good or until the cloud answers again."""
    error = chance.choice((DownloadError("the server hung up"), ChannelError("the broker is gone")))
    device.link.faults, device.link.fault_after = [error], chance.randrange(0, 30_000, 700)


def install_over_cuts(device: SimulatedDevice, packed: Package, chance: Random, attempt: int = 0) -> Report:
    """Offer `packed` until it is installed, with something in the way of every start."""
    offer = device.offer(packed)
    while True:
        chance.choice((cut_power, kill, truncate))(device, chance)
        attempt += 1
        report = survive(device, replace(offer, id=f"job-{attempt}"), chance)
        if report is not None and report.outcome is Outcome.INSTALLED:
            return report


def survive(device: SimulatedDevice, offer: Offer, chance: Random) -> Report | None:
    """One go; None where it was cut off."""
    try:
        return device.run(offer)
    except PowerCut:
        device.kernel.cut_at = None
        device.kernel.lose(chance.choice(list(Loss)), chance)
        device.power_up()
    except Killed:
        device.start_agent()
    return None


def frames_of(packed: Package, artifact: Artifact) -> list[tuple[int, int]]:
    """Where each frame of `artifact` begins and ends."""
    applier = Applier(InMemory(image(2)), Expected(artifact.image, artifact.source))
    data, edges = packed.files[artifact.name], set()
    for at in range(0, len(data), 100):
        edges.update(applier.checkpoint.payload for _ in applier.feed(data[at : at + 100]))
        edges.add(applier.checkpoint.payload)
    return list(pairwise(sorted(edges - {0})))


def lives_of(packed: Package, artifact: Artifact, seed: int) -> list[Life]:
    """What the starts of an installation of `artifact` did, with something in the way of each."""
    device = watched()
    if artifact.source is None:
        device.kernel.spoil(image_path(FOLDER, Slot.B), 90_000)

    report = install_over_cuts(device, packed, Random(f"{artifact.name} {seed}"))

    assert report.artifact == artifact.name
    assert device.running_image() == packed.image
    return device.link.lives


PACKED = delta_package(3, 2, frame_bytes=16 * 1024)


@pytest.mark.parametrize("artifact", [PACKED.delta, PACKED.artifact], ids=["delta", "full"])
def test_a_cut_costs_a_frame_and_a_span_at_most(artifact):
    """Over a hundred cuts: never more than one frame is fetched twice, or one span made twice, for each of them."""
    frames, costs, seed = frames_of(PACKED, artifact), [], 0
    while len(costs) < CUTS:
        seed += 1
        for before, after in pairwise(lives_of(PACKED, artifact, seed)):
            fetched = [start for start, end in frames if after.start <= start and end <= before.end]
            made = [at for at in after.writes if at <= max(before.writes, default=-1)]
            costs.append((len(fetched), len(made)))

    assert len(frames) > 2
    assert set(costs) <= {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert [max(cost) for cost in zip(*costs, strict=True)] == [1, 1]
