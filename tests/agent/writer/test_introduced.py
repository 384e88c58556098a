"""The engine shows what it accepts to whoever writes the slots, and takes his no for the release's end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from agent.disk import SystemDisk
from agent.ports import Identity
from agent.slots import BootEnvironmentError, Slot
from agent.update.engine import Engine
from agent.update.journal import Journal
from agent.writer.client import ReleaseRefusedByWriter
from agent.writer.memory import Memory
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome
from tests.agent.device import JOURNAL, SimulatedDevice, kit, package, stepped_package
from tests.agent.power import SimulatedKernel
from tests.agent.stepping import BY_HANDLER, IN_PLACE
from tests.releases import HARDWARE, MODEL, NOW, ReleaseKit


def with_writer(device: SimulatedDevice, introduce: Callable[[bytes, Sequence[bytes]], None]) -> SimulatedDevice:
    """A device whose slots are written by somebody who judges for himself."""
    ports = replace(device.engine._ports, introduce=introduce)
    device.engine = Engine(Identity(MODEL, HARDWARE, device.pinned, device.version), ports, JOURNAL, device.limits)
    return device


def test_a_release_that_only_the_writer_refuses():
    """It is rejected by the writer's word and number, before a byte is fetched, and nothing has changed."""

    def refuse(*_: object) -> None:
        raise ReleaseRefusedByWriter("sequence 2 is below the writer's floor 7", FailureCode.ROLLED_BACK)

    device = with_writer(SimulatedDevice.built(), refuse)
    before = device.kernel.content(device.boots.device(Slot.B))
    report = device.run(device.offer(package(2)))

    assert report is not None
    assert (report.outcome, report.code) == (Outcome.REJECTED, FailureCode.ROLLED_BACK)
    assert report.detail == "sequence 2 is below the writer's floor 7"
    assert device.link.served == 0
    assert device.kernel.content(device.boots.device(Slot.B)) == before


def test_the_writer_gets_every_root():
    """Also those that came with an earlier offer: it may have been installed after them."""
    kit, seen = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1)), []
    device = SimulatedDevice.built(pinned=kit.pinned)
    kit.rotate()
    packed = kit.package(package(2).image)

    def note(release: bytes, roots: Sequence[bytes]) -> None:
        seen.append((release, tuple(roots)))

    with_writer(device, note)
    device.engine.install(device.cloud, device.offer(packed, roots=kit.later_roots))

    assert seen == [(packed.document, kit.later_roots)]


def remembering() -> Memory:
    """What a writer believes that was started for the first time, with slot a running."""
    identity = Identity(MODEL, HARDWARE, kit().pinned, "1.0.0")
    memory = Memory(identity, Journal(SystemDisk(SimulatedKernel()), JOURNAL), lambda: NOW, lambda: None)
    memory.load(Slot.A)
    return memory


def test_a_release_beside_the_image_opens_no_slot():
    """None is of it: not the slot that runs, and not the other one, whatever was introduced for that before."""
    memory = remembering()
    memory.introduce(package(2).document, Slot.A)
    assert memory.introduced(Slot.B).sequence == 2

    memory.introduce(stepped_package(3, IN_PLACE).document, Slot.A)

    for slot in Slot:
        with pytest.raises(BootEnvironmentError, match=f"no release was introduced for slot {slot}"):
            memory.introduced(slot)


def test_a_slot_that_a_handler_writes_has_to_hold_what_was_signed():
    """The image that the release declares is what the writer will read back before it tries the slot."""
    memory, packed = remembering(), stepped_package(2, BY_HANDLER)

    memory.introduce(packed.document, Slot.A)

    assert memory.expected_in(Slot.B).image == packed.artifact.image
