"""The engine and deltas: which artifact is taken, what it saves, and how its source is read."""

from __future__ import annotations

import errno

import pytest

from agent.bootloaders.file import image_path
from agent.ports import Rebooting
from agent.slots import Slot
from tests.agent.deltas import DELTA, PACKED, SAVED, modify, on_release_2
from tests.agent.device import (
    FOLDER,
    IMAGE_BYTES,
    SimulatedDevice,
    delta_package,
    image,
    installed,
    kit,
    package,
    revised,
)
from tests.releases import FULL_NAME, describe, whole


def test_a_delta_from_what_runs_is_taken_and_its_savings_are_told():
    """The release arrives byte for byte; the report names the artifact and what was not fetched."""
    device = on_release_2()
    served = device.link.served

    report = device.run(device.offer(PACKED))

    assert report == installed("a", "3.0.0", artifact=DELTA, saved=SAVED)
    assert device.running_image() == revised(3, 2)
    assert device.link.served - served == PACKED.delta.length
    assert device.link.names == [DELTA]
    assert SAVED > 50_000


def test_the_savings_are_in_the_state_of_the_device():
    """A cloud sums them up, also long after the report."""
    device = on_release_2()
    device.run(device.offer(PACKED))
    device.start_agent()

    assert device.engine.describe().saved == SAVED


def test_a_factory_image_is_recognised_by_what_the_slot_gives_back():
    """Nobody ever told the device what it was born with; reading the slot does."""
    device = SimulatedDevice.built()

    report = device.run(device.offer(delta_package(3, 1)))

    assert report == installed("b", "3.0.0", artifact=DELTA, saved=SAVED)


def test_a_factory_image_that_no_delta_starts_from_takes_the_full_artifact():
    """That is nothing to be told of."""
    device = SimulatedDevice.built()

    assert device.run(device.offer(PACKED)) == installed("b", "3.0.0")


def test_the_shorter_of_two_ways_is_taken():
    """A delta that is as long as the full artifact helps nobody."""
    new = revised(3, 2)
    padded = whole(new, 16 * 1024)
    made = [(describe(new, whole(new)), whole(new)), (describe(new, padded, DELTA, image(2)), padded)]
    device = on_release_2()

    report = device.run(device.offer(kit().bundle(new, made, version="3.0.0", sequence=3)))

    assert report.artifact == FULL_NAME


def unreadable(device: SimulatedDevice) -> None:
    """The medium under the slot that runs is failing."""
    device.kernel.faults["read b.img"] = OSError(errno.EIO, "I/O error")


def hidden(device: SimulatedDevice) -> None:
    """The slot that runs cannot be opened."""
    open_file = device.kernel.open

    def refuse(path, flags):
        if path == image_path(FOLDER, Slot.B):
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_file(path, flags)

    device.kernel.open = refuse


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (modify, "slot b was modified in the field: it does not give back the image that was installed"),
        (
            unreadable,
            (
                "/board/b.img cannot be read at byte 0: I/O error; its medium may be failing: see the kernel's log, "
                "and replace it"
            ),
        ),
        (hidden, "/board/b.img cannot be opened: Permission denied"),
    ],
)
def test_a_source_that_is_not_what_it_was_takes_the_full_artifact(spoil, words):
    """Found out before a byte is fetched; the report says so."""
    device = on_release_2()
    spoil(device)

    device.offer(PACKED)
    assert device.work() == Rebooting()
    device.kernel.faults.clear()
    device.kernel.__dict__.pop("open", None)
    device.kernel.settle()
    device.power_up()
    report = device.run()

    assert report == installed("a", "3.0.0", detail=f"delta {DELTA} was not taken: {words}")
    assert device.link.names == [FULL_NAME]


def test_the_source_is_read_and_never_written():
    """Opened for reading alone, and read no further than the image that should be there."""
    device, flags = on_release_2(), []
    open_file, read = device.kernel.open, device.kernel.read
    source = image_path(FOLDER, Slot.B)

    def note_open(path, mode):
        flags.extend([mode] if path == source else [])
        return open_file(path, mode)

    def note_read(descriptor, length, offset):
        assert device.kernel.opened(descriptor) != source or offset + length <= IMAGE_BYTES
        return read(descriptor, length, offset)

    device.kernel.open, device.kernel.read = note_open, note_read
    device.offer(PACKED)
    device.work()

    assert len(flags) > 1
    assert {mode & 3 for mode in flags} == {0}


def test_zeros_are_written_over_what_the_slot_held():
    """A run of zeros in the payload is a run of zeros in the slot, whatever was there."""
    zeros = image(2)[:20_000] + bytes(50_000) + image(2)[70_000:]
    device = SimulatedDevice.built()
    device.run(device.offer(package(2), "job-1"))
    device.run(device.offer(package(3), "job-2"))

    device.run(device.offer(kit().package(zeros, version="4.0.0", sequence=4), "job-3"))

    assert device.running_image() == zeros
