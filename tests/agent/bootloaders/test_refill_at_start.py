"""The agent gives a slot's boots back once it runs there, in the whole device."""

from __future__ import annotations

import logging

import pytest

from agent.bootloaders.file import ATTEMPTS, read_environment
from agent.slots import BootEnvironmentError, Slot
from bridge.release.report import Outcome
from tests.agent.device import FOLDER, SimulatedDevice, image, kit
from tests.releases import Package


@pytest.fixture(scope="module")
def package() -> Package:
    """A release of image 2."""
    return kit().package(image(2))


def test_healthy_boots_are_without_number(package: Package):
    """A committed slot stays over more boots than a slot without an agent would have."""
    device = SimulatedDevice.built()
    device.run(device.offer(package))
    for _ in range(3 * ATTEMPTS):
        device.power_up_and_run()
        assert device.booted is Slot.B

    assert read_environment(FOLDER, device.disk).unproved == 0


def test_a_committed_slot_that_dies_later_is_left(package: Package):
    """Weeks after the commit no agent comes up any more: the slot before runs again, and the cloud hears of it."""
    device = SimulatedDevice.built()
    device.run(device.offer(package))
    device.dead.add(Slot.B)
    report = device.power_up_and_run()

    assert device.booted is Slot.A
    assert report is not None
    assert report.outcome is Outcome.FELL_BACK
    assert "the boot loader left slot b, which had been committed" in report.detail


def test_a_count_that_cannot_be_given_back_is_in_no_updates_way(package: Package, monkeypatch, caplog):
    """It is logged, and tried again at the next step."""
    device = SimulatedDevice.built()
    asked = []

    def refill() -> None:
        asked.append(device.started)
        raise BootEnvironmentError("the boot environment cannot be written")

    monkeypatch.setattr("agent.bootloaders.file.FileBootLoader.refill", lambda _self: refill())
    with caplog.at_level(logging.WARNING):
        report = device.run(device.offer(package))

    assert report is not None
    assert report.outcome is Outcome.INSTALLED
    assert len(asked) > 1
    assert "the boots of this slot stay counted against it: the boot environment cannot be written" in caplog.text


def test_once_a_process(package: Package, monkeypatch):
    """Not at each offer: flash wears, and U-Boot's tools cost a process each."""
    device, asked = SimulatedDevice.built(), []
    monkeypatch.setattr("agent.bootloaders.file.FileBootLoader.refill", lambda _self: asked.append(device.started))
    device.run(device.offer(package))
    for _ in range(3):
        device.work()

    assert len(asked) == len(set(asked))
