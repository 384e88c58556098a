"""Energy and room: what a device must have before it is updated."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.permit.permission import ALLOWED, Facts, Later, Moment
from agent.permit.power import PowerGate, PowerSettings, Supply, shortage, supplies_in
from agent.permit.space import SpaceGate, SpaceSettings

FACTS = Facts("job-1", "ab", "gateway", "2.0.0", 2, "a", "b")
MAINS_ON, MAINS_OFF = Supply("AC", is_battery=False, online=True), Supply("AC", is_battery=False, online=False)
FULL, LOW = Supply("BAT0", is_battery=True, percent=80), Supply("BAT1", is_battery=True, percent=29)
SILENT = Supply("BAT2", is_battery=True)


@pytest.mark.parametrize(
    ("supplies", "words"),
    [
        ([], None),
        ([MAINS_OFF], None),
        ([MAINS_ON, LOW], None),
        ([MAINS_OFF, FULL], None),
        ([LOW, FULL], None),
        ([MAINS_OFF, LOW], "on battery BAT1 at 29 %, 30 % are needed; or connect the mains"),
        ([LOW, SILENT], "on battery BAT1 at 29 %, 30 % are needed; or connect the mains"),
        ([SILENT], "on battery BAT2, which does not tell how full it is; connect the mains"),
        ([MAINS_ON, SILENT], None),
    ],
)
def test_enough_energy(supplies, words):
    """Mains, or one battery that is full enough; a device without any battery has mains, whatever the kernel shows."""
    assert shortage(supplies, 30) == words


def supply(folder: Path, name: str, **files: str) -> None:
    """A power supply as sysfs shows it."""
    (folder / name).mkdir(parents=True)
    for file, text in files.items():
        (folder / name / file).write_text(f"{text}\n")


def test_what_the_kernel_shows(tmp_path: Path):
    """Types, numbers, nonsense; the battery of a mouse says nothing of the device."""
    supply(tmp_path, "AC", type="Mains", online="0")
    supply(tmp_path, "BAT0", type="Battery", capacity="41")
    supply(tmp_path, "BAT1", type="Battery", capacity="-7")
    supply(tmp_path, "hid-mouse", type="Battery", scope="Device", capacity="3")

    assert supplies_in(tmp_path) == [
        MAINS_OFF,
        Supply("BAT0", is_battery=True, percent=41),
        Supply("BAT1", is_battery=True),
    ]
    assert supplies_in(tmp_path / "none") == []


def test_an_update_waits_for_energy_but_a_commit_does_not(tmp_path: Path):
    """Going back would take more of it."""
    supply(tmp_path, "BAT0", type="Battery", capacity="41")
    gate = PowerGate(PowerSettings(50, tmp_path))

    assert gate.ask(Moment.INSTALL, FACTS) == Later(
        "power", "on battery BAT0 at 41 %, 50 % are needed; or connect the mains", 300
    )
    assert gate.ask(Moment.COMMIT, FACTS) == ALLOWED


def test_an_update_waits_for_room(tmp_path: Path):
    """The message says how much there is and how much is needed."""
    short = SpaceGate(SpaceSettings(tmp_path, 2**60)).ask(Moment.DOWNLOAD, FACTS)
    gone = SpaceGate(SpaceSettings(tmp_path / "none", 1)).ask(Moment.DOWNLOAD, FACTS)

    assert SpaceGate(SpaceSettings(tmp_path, 1)).ask(Moment.DOWNLOAD, FACTS) == ALLOWED
    assert isinstance(short, Later)
    assert short.reason.endswith(f"bytes are free in {tmp_path}, {2**60} are needed")
    assert gone == Later("space", f"{tmp_path}/none cannot be looked at: No such file or directory", 300)
    assert SpaceGate(SpaceSettings(tmp_path, 2**60)).ask(Moment.COMMIT, FACTS) == ALLOWED
