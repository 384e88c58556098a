"""What is swept: an update each, how it must end wherever the power is cut, and what must hold after every cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache, partial

from agent.bootloaders.file import boot, image_path, read_environment
from agent.disk import SystemDisk
from agent.slots import Slot
from bridge.release.errors import DownloadError
from bridge.release.report import Outcome, Report
from tests.agent.device import FOLDER, IMAGE_BYTES, SimulatedDevice, damaged, delta_package, flipped, image, package
from tests.agent.power import SimulatedKernel
from tests.releases import ReleaseKit
from tests.sweep.boards import Board, FileBoard, GrubBoard, GrubDevice, SystemdBootBoard, SystemdBootDevice
from tests.sweep.stepping import (
    around_an_image,
    dead_around_an_image,
    disagreements,
    in_place,
    leftovers,
    meddled,
    unhealthy_around_an_image,
)

REVISED = delta_package(3, 2)
MODIFIED = 70_000
"""Where a slot was modified in the field."""
KNOWN = {
    **{image(sequence): f"{sequence}.0.0" for sequence in (1, 2, 3)},
    flipped(image(2), MODIFIED): "2.0.0",
    REVISED.image: "3.0.0",
}
"""Every image that was ever signed, also as modified in the field, and its version."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """`prepare` builds the device up to the moment of the offer; every run must end with `outcome` in slot `slot`."""

    name: str
    prepare: Callable[[], SimulatedDevice] = field(compare=False)
    outcome: Outcome
    slot: Slot
    board: Board = field(default_factory=FileBoard, compare=False)
    share: int = 1
    """Of its failing calls and cuts `make sweep` tries one in so many."""
    in_place: bool = False
    """Whether the release changes parts beside the image that runs, which alone tell its version."""

    def device(self) -> SimulatedDevice:
        """A device at the moment of the offer: a copy of one, for to prepare it takes as long as the update."""
        return deepcopy(_prepared(self))

    def violations_after_cut(self, kernel: SimulatedKernel) -> Iterator[str]:
        """What is wrong with the medium after a power cut, seen by the firmware."""
        chosen = boot(FOLDER, SystemDisk(kernel.fork()))
        environment = read_environment(FOLDER, SystemDisk(kernel))
        if environment is None:
            yield "the boot environment is gone"
            return
        if holds(kernel, chosen.slot) is None:
            yield f"the firmware boots slot {chosen.slot}, which holds no signed image"
        for slot in Slot:
            if slot not in environment.unbootable and holds(kernel, slot) is None:
                yield f"slot {slot} is called bootable and holds no signed image"

    def running_version(self, device: SimulatedDevice) -> str | None:
        """What runs, by its bytes; None where that was never signed, or is half of one release and half of another."""
        parts = set(device.parts().values())
        if self.in_place and len(parts) == 1 and device.running_image() in KNOWN:
            return parts.pop()
        return None if self.in_place else KNOWN.get(device.running_image())

    def violations_at_end(self, device: SimulatedDevice, report: Report) -> Iterator[str]:
        """Where the report, the journal, the boot loader, the slot that runs and the parts beside it disagree."""
        status = device.engine.status()
        if (report.outcome, report.slot) != (self.outcome, self.slot):
            yield f"ended {report.outcome} in slot {report.slot} ({report.detail})"
        if report.version != self.running_version(device):
            yield f"reported version {report.version}, slot {device.booted} holds another"
        yield from disagreements(device, report.version, report)
        yield from leftovers(device)
        told = {(str(device.booted), status.default, status.trial, status.expected)}
        if told != {(report.slot, self.slot, None, self.slot)}:
            yield f"reported slot {report.slot}, while running, default, trial and expected are {told}"
        if {each for _, each in device.cloud.reports} != {report}:
            yield f"different ends were reported: {device.cloud.reports}"


@cache
def _prepared(scenario: Scenario) -> SimulatedDevice:
    return scenario.prepare()


def prepare_anew() -> None:
    """Forget the prepared devices: the code that prepares them is another one now."""
    _prepared.cache_clear()


def holds(kernel: SimulatedKernel, slot: Slot) -> str | None:
    """The version of the complete signed image in `slot`; None when there is none."""
    return KNOWN.get(kernel.content(image_path(FOLDER, slot))[:IMAGE_BYTES])


def first_update() -> SimulatedDevice:
    """A factory device is offered its first release."""
    device = SimulatedDevice.built()
    device.offer(package(2))
    return device


def second_update(kind: type[SimulatedDevice] = SimulatedDevice) -> SimulatedDevice:
    """The slot that is overwritten held a committed release, and was bootable."""
    device = kind.built()
    device.run(device.offer(package(2), "earlier job"))
    device.cloud.reports.clear()
    device.offer(package(3))
    return device


def by_delta() -> SimulatedDevice:
    """The release has a delta from what runs."""
    device = second_update()
    device.offer(REVISED)
    return device


def delta_of_no_use() -> SimulatedDevice:
    """It has one that is damaged near its end: the full artifact stands in for it."""
    device = second_update()
    device.offer(damaged(REVISED))
    return device


def modified_source() -> SimulatedDevice:
    """It has one, and the slot that runs was modified: the full artifact stands in for it."""
    device = by_delta()
    device.kernel.spoil(image_path(FOLDER, Slot.B), MODIFIED)
    return device


def unhealthy(kind: type[SimulatedDevice] = SimulatedDevice) -> SimulatedDevice:
    """The release boots and its health checks fail."""
    device = second_update(kind)
    device.health.verdicts = ["no route to the cloud"]
    return device


def dead(kind: type[SimulatedDevice] = SimulatedDevice) -> SimulatedDevice:
    """The release never gets as far as the agent; the watchdog resets until the boot loader gives up."""
    device = second_update(kind)
    device.dead = {Slot.A}
    return device


def rotated_root() -> SimulatedDevice:
    """The owner has other keys since, and wants nobody below release 2 any more."""
    owner = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))
    device = SimulatedDevice.built(pinned=owner.pinned)
    device.run(device.offer(owner.package(image(2), version="2.0.0", sequence=2), "earlier job"))
    device.cloud.reports.clear()
    owner.rotate()
    device.offer(owner.package(image(3), version="3.0.0", sequence=3, floor=3), roots=owner.later_roots)
    return device


def broken_link() -> SimulatedDevice:
    """The download gives up in the middle."""
    device = second_update()
    device.link.faults = [DownloadError("the server stopped answering") for _ in range(100)]
    return device


WHOLE = (
    Scenario("first update", first_update, Outcome.INSTALLED, Slot.B),
    Scenario("second update", second_update, Outcome.INSTALLED, Slot.A),
    Scenario("unhealthy release", unhealthy, Outcome.FELL_BACK, Slot.B),
    Scenario("dead release", dead, Outcome.FELL_BACK, Slot.B),
    Scenario("broken link", broken_link, Outcome.FAILED, Slot.B),
    Scenario("delta", by_delta, Outcome.INSTALLED, Slot.A),
    Scenario("delta of no use", delta_of_no_use, Outcome.INSTALLED, Slot.A),
    Scenario("modified source", modified_source, Outcome.INSTALLED, Slot.A),
)
"""Releases of an image alone."""
SHARE = 7
"""Releases of steps have the most calls, and what they do to slots and journal the others do as well."""
STEPPED = (
    Scenario("steps", around_an_image, Outcome.INSTALLED, Slot.A, share=SHARE),
    Scenario("steps, unhealthy", unhealthy_around_an_image, Outcome.FELL_BACK, Slot.B, share=SHARE),
    Scenario("steps in place", in_place, Outcome.INSTALLED, Slot.B, share=SHARE, in_place=True),
    Scenario("steps in place, meddled", meddled, Outcome.FAILED, Slot.B, share=SHARE, in_place=True),
)
"""Releases of several steps."""
SCENARIOS = (*WHOLE, *STEPPED)
DEAD_STEPS = Scenario("steps, dead", dead_around_an_image, Outcome.FELL_BACK, Slot.B, share=SHARE)
GRUB, SYSTEMD_BOOT = GrubBoard(), SystemdBootBoard()
EXPLORED = (
    *SCENARIOS,
    DEAD_STEPS,
    Scenario("rotated root", rotated_root, Outcome.INSTALLED, Slot.A),
    Scenario("GRUB", partial(second_update, GrubDevice), Outcome.INSTALLED, Slot.A, GRUB),
    Scenario("GRUB, unhealthy", partial(unhealthy, GrubDevice), Outcome.FELL_BACK, Slot.B, GRUB),
    Scenario("GRUB, dead", partial(dead, GrubDevice), Outcome.FELL_BACK, Slot.B, GRUB),
    Scenario("systemd-boot", partial(second_update, SystemdBootDevice), Outcome.INSTALLED, Slot.A, SYSTEMD_BOOT),
    Scenario("systemd-boot, unhealthy", partial(unhealthy, SystemdBootDevice), Outcome.FELL_BACK, Slot.B, SYSTEMD_BOOT),
    Scenario("systemd-boot, dead", partial(dead, SystemdBootDevice), Outcome.FELL_BACK, Slot.B, SYSTEMD_BOOT),
)
"""Those of which every state of a power cut is judged."""
