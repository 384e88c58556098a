"""The devices and offers that state cases begin with."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache

from agent.cloud.channel import Offer
from agent.slots import Slot
from tests.agent.cases.case import Offered, Prepared
from tests.agent.cases.stage import StagedDevice
from tests.agent.device import (
    IMAGE_BYTES,
    damaged,
    delta_package,
    flipped,
    image,
    kit,
    package,
    revised,
    stepped_package,
)
from tests.releases import FULL_NAME, Package, delta, describe

MODIFIED = 70_000
"""Where a slot is modified in the field."""


@cache
def factory() -> StagedDevice:
    """Slot a holds image 1, slot b is blank; the agent has taken stock."""
    device = StagedDevice.built()
    device.live()
    return device


@cache
def later(*sequences: int) -> StagedDevice:
    """A device that has installed these releases, one after the other."""
    device = deepcopy(factory())
    device.start_agent()
    for sequence in sequences:
        device.offer(package(sequence), f"earlier-{sequence}")
        device.live()
    device.cloud.reports.clear()
    device.link.offsets.clear()
    return device


def fresh(build: Callable[[], StagedDevice]) -> Callable[[], StagedDevice]:
    """A copy of what `build` made once, its agent started."""

    def copy() -> StagedDevice:
        device = deepcopy(build())
        device.start_agent()
        return device

    return copy


NEW = Prepared("new", "as it left the factory: 1.0.0 in slot a, slot b blank", fresh(factory))
ON_2 = Prepared("on 2.0.0", "2.0.0 runs in slot b, committed; 1.0.0 is in slot a", fresh(lambda: later(2)))
ON_3 = Prepared("on 3.0.0", "3.0.0 runs in slot a, committed; 2.0.0 is in slot b", fresh(lambda: later(2, 3)))


@cache
def fitted() -> StagedDevice:
    """A new device with the parts of release 1."""
    device = deepcopy(factory())
    device.fit_parts("boot", "app")
    device.kernel.settle()
    return device


FITTED = Prepared("with parts", "as new, with the parts boot and app of 1.0.0 beside the slots", fresh(fitted))


@cache
def signed_images() -> dict[bytes, str]:
    """Every image that a case may leave running, and its version; also as it is after it was modified in the field."""
    found = {image(sequence): f"{sequence}.0.0" for sequence in range(1, 6)}
    modified = {flipped(data, MODIFIED): version for data, version in found.items()}
    return {**found, **modified, revised(3, 2): "3.0.0"}


def first_bytes(device: StagedDevice, slot: Slot) -> bytes:
    """What `slot` holds, as many bytes as an image has; b"" where its device is gone."""
    if device.boots.device(slot) not in device.kernel._names:
        return b""
    return device.kernel.content(device.boots.device(slot))[:IMAGE_BYTES]


def offering(make: Callable[[], Package], words: str, name: str = "job-1") -> Offered:
    """The cloud offers what `make` packs, under `name`."""
    return Offered(words, lambda device: device.offer(make(), name))


def release(sequence: int, name: str = "job-1", **changes: object) -> Offered:
    """The cloud offers release `sequence`.0.0, whole."""
    return offering(lambda: package(sequence, **changes), f"{sequence}.0.0", name)


def of_steps(kind: str, sequence: int = 2, name: str = "job-1") -> Offered:
    """Release `sequence`.0.0 of several steps."""
    return offering(lambda: stepped_package(sequence, kind), f"{sequence}.0.0 of steps ({kind})", name)


def delta_3(name: str = "job-1") -> Offered:
    """Release 3.0.0, whole and as a delta from 2.0.0."""
    return offering(lambda: delta_package(3, 2), "3.0.0 with a delta from 2.0.0", name)


def damaged_delta_3(name: str = "job-1") -> Offered:
    """The same, and its delta is damaged near the end."""
    return offering(lambda: damaged(delta_package(3, 2)), "3.0.0 with a damaged delta from 2.0.0", name)


def lying_delta_3(name: str = "job-1") -> Offered:
    """The same, and its delta makes another image, all of whose own checksums hold."""
    return offering(_lying, "3.0.0 with a delta that makes another image", name)


@cache
def _lying() -> Package:
    new, whole = revised(3, 2), delta_package(3, 2)
    data = delta(image(2), revised(4, 2), claim=whole.artifact.image)
    made = [(whole.artifact, whole.files[FULL_NAME]), (describe(new, data, whole.delta.name, image(2)), data)]
    return kit().bundle(new, made, version="3.0.0", sequence=3)


def queued(device: StagedDevice, offers: tuple[Offered, ...]) -> tuple[Offer, ...]:
    """Put `offers` into the cloud's queue, in order."""
    made = tuple(each.make(device) for each in offers)
    device.cloud.offer, device.cloud.queue = None, list(made)
    return made
