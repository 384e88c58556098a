"""How a boot environment is read after a power cut: the same questions to each board."""

from __future__ import annotations

import pytest

from agent.slots import Slot
from tests.agent.device import SimulatedDevice
from tests.sweep.boards import (
    ENTRIES,
    FileBoard,
    GrubBoard,
    GrubDevice,
    SystemdBootBoard,
    SystemdBootDevice,
)

BOARDS = {
    "file": (FileBoard(), SimulatedDevice),
    "GRUB": (GrubBoard(), GrubDevice),
    "systemd-boot": (SystemdBootBoard(), SystemdBootDevice),
}


@pytest.fixture(params=BOARDS)
def board_and_device(request):
    """A board, and a device fresh from the factory with it."""
    board, kind = BOARDS[request.param]
    return board, kind.built()


def test_a_board_at_rest_starts_its_default(board_and_device):
    """Slot a is the default and the only one to be booted, and no trial is on."""
    board, device = board_and_device

    found = board.firmware(device.kernel.files())

    assert (found.default, found.trial, found.bootable) == (Slot.A, None, {Slot.A})
    assert set(found.starts) == {Slot.A}


def test_a_trial_without_an_agent_ends_in_the_default(board_and_device):
    """Every start up to the fallback is foretold, and foretelling changes nothing."""
    board, device = board_and_device
    device.boots.try_slot(Slot.B)
    files = device.kernel.files()

    found = board.firmware(files)

    assert (found.default, found.trial) == (Slot.A, Slot.B)
    assert found.starts == (Slot.B, Slot.B, Slot.B, Slot.A)
    assert device.kernel.files() == files
    assert [device.firmware() for _ in found.starts] == list(found.starts)


def test_an_environment_of_which_nothing_is_left_is_gone(board_and_device):
    """It is told, and no slot is guessed."""
    board, _ = board_and_device

    assert board.firmware({}) is None


def test_an_environment_that_was_emptied_is_gone(board_and_device):
    """Its files are there, and without their data."""
    board, device = board_and_device
    emptied = {path: b"" for path in device.kernel.files() if path.parent == board.folder}

    gone = board.firmware(emptied) is None

    assert gone is not isinstance(board, SystemdBootBoard)  # whose memory is the names alone


def test_an_entry_under_two_names_is_what_systemd_boot_takes_it_for():
    """A rename on FAT that was cut: with the counted name there, the trial is on."""
    device = SystemdBootDevice.built()
    before = device.kernel.files()
    device.boots.try_slot(Slot.B)
    both = {**device.kernel.files(), **before}

    found = SystemdBootBoard().firmware(both)

    assert len([path for path in both if path.parent == ENTRIES]) == 3
    assert (found.default, found.trial, found.starts[0]) == (Slot.A, Slot.B, Slot.B)
