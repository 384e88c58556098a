"""Release 3 as the tests of deltas have it: whole, as a delta from release 2, and with deltas of no use."""

from __future__ import annotations

from agent.slots import Slot
from tests.agent.device import (
    SimulatedDevice,
    delta_package,
    flipped,
    image,
    kit,
    package,
    revised,
)
from tests.releases import Package, describe, whole

PACKED = delta_package(3, 2)
DELTA = PACKED.delta.name
SAVED = PACKED.artifact.length - PACKED.delta.length
GOOD = PACKED.files[DELTA]
DAMAGED = flipped(GOOD, len(GOOD) - 300)


class Killed(BaseException):
    """The agent's process is gone; the machine runs on."""


def on_release_2(**fields) -> SimulatedDevice:
    """A device that runs release 2 in slot b."""
    device = SimulatedDevice.built(**fields)
    device.run(device.offer(package(2), "earlier"))
    device.cloud.reports.clear()
    device.link.offsets.clear()
    device.link.names.clear()
    return device


def modify(device: SimulatedDevice) -> None:
    """Somebody wrote to the slot that runs."""
    device.kernel.spoil(device.boots.device(Slot.B), 70_000)


def release_3(data: bytes, **changes) -> Package:
    """Release 3 as the owner signed it, with `data` in place of its delta; `changes` are fields of Release."""
    new = revised(3, 2)
    made = [(describe(new, whole(new)), whole(new)), (describe(new, data, DELTA, image(2)), data)]
    return kit().bundle(new, made, version="3.0.0", sequence=3, **changes)
