"""A slot that must not, or can not, be written: found out before the first byte, and told so that a person can act."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from agent.bootloaders.file import image_path
from agent.image.fitness import UnfitSlot
from agent.slots import Slot
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome
from tests.agent.device import FOLDER, SimulatedDevice, package

B = image_path(FOLDER, Slot.B)


def refuse(target: Path, running: Path) -> None:
    """As agent.blocks does on a machine."""
    raise UnfitSlot(f"{target} is mounted at /mnt beside {running}; unmount it")


def test_an_unfit_slot_is_refused_before_the_first_write():
    """Nothing is fetched, the slot stays as it was, and the cloud reads why; mended, the next offer goes through."""
    device = SimulatedDevice.built()
    ports = device.engine._ports
    device.engine._ports = replace(ports, require_fit=refuse)
    before, written = device.kernel.content(B), [line for line in device.kernel.log if "b.img" in line]

    report = device.run(device.offer(package(2)))

    assert (report.outcome, report.code, report.slot) == (Outcome.FAILED, FailureCode.SLOT_WRITE, "a")
    assert report.detail == f"{B} is mounted at /mnt beside {image_path(FOLDER, Slot.A)}; unmount it"
    assert device.link.served == 0
    assert device.kernel.content(B) == before
    assert [line for line in device.kernel.log if "b.img" in line] == written
    device.engine._ports = ports
    assert device.run(device.offer(package(2), "again")).outcome is Outcome.INSTALLED


@pytest.mark.parametrize(
    ("call", "number", "words"),
    [
        (
            "write",
            errno.ENOSPC,
            "cannot be written at byte 0: No space left on device; it ends there, or its file system",
        ),
        ("write", errno.EIO, "cannot be written at byte 0: Input/output error; its medium may be failing: see the"),
        (
            "write",
            errno.EROFS,
            "cannot be written at byte 0: Read-only file system; it was made read-only, perhaps after",
        ),
        ("sync", errno.EIO, "could not be synced: Input/output error; its medium may be failing"),
        ("read", errno.EIO, "cannot be read at byte 0: Input/output error; its medium may be failing"),
        (
            "write",
            errno.ENXIO,
            "cannot be written at byte 0: No such device or address; the device is gone: bring it back",
        ),
    ],
)
def test_a_device_that_fails_says_what_to_do(call: str, number: int, words: str):
    """The report names the slot's path, the place and the fault; the old slot runs; mended, the update goes through."""
    device = SimulatedDevice.built()
    device.kernel.faults[f"{call} b.img"] = OSError(number, errno_words(number))

    report = device.run(device.offer(package(2)))

    assert (report.outcome, report.code, report.slot) == (Outcome.FAILED, FailureCode.SLOT_WRITE, "a")
    assert report.detail.startswith(f"{B} {words}")
    assert device.boots.trial() is None
    device.kernel.faults.clear()
    assert device.run(device.offer(package(2), "again")).outcome is Outcome.INSTALLED


def errno_words(number: int) -> str:
    """As the C library has them."""
    return os.strerror(number)
