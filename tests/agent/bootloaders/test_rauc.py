"""RAUC as the owner of the slots: which command each verb is, what is believed of its status, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.bootloaders.inspection import of_rauc
from agent.bootloaders.rauc import Rauc
from agent.disk import SystemDisk
from agent.slots import BootEnvironmentError, Slot
from tests.agent.bootloaders.raucrig import NAMES

STATUS = ("rauc", "status", "--output-format=json")


class SaidRauc:
    """Answers `rauc status`, and remembers what it is told to mark."""

    def __init__(self, running: str = "rootfs.0", good: tuple[str, ...] = ("rootfs.0", "rootfs.1")) -> None:
        self.running, self.good, self.told = running, good, []

    def __call__(self, command, _text=""):
        if tuple(command) != STATUS:
            self.told.append(" ".join(command[2:]))
            return f"rauc status: marked slot {command[-1]}\n"
        slots = [
            {
                name: {
                    "class": "rootfs",
                    "device": f"/dev/{name}",
                    "state": "booted" if name == self.running else "inactive",
                    "parent": None,
                    "boot_status": "good" if name in self.good else "bad",
                }
            }
            for name in ("rootfs.1", "rootfs.0", "rescue.0")
        ]
        return "(rauc:1): rauc-WARNING **: noise\n" + json.dumps({"booted": "A", "slots": slots}) + "\n"


def loader(folder: Path, rauc: SaidRauc) -> Rauc:
    """With our file in `folder`."""
    return Rauc(NAMES, folder / "trial", rauc, SystemDisk())


def test_where_the_slots_are(tmp_path: Path):
    """RAUC knows; a board that never had a trial has the slot that runs as its default."""
    boots = loader(tmp_path, SaidRauc(running="rootfs.1"))

    assert (boots.device(Slot.A), boots.device(Slot.B)) == (Path("/dev/rootfs.0"), Path("/dev/rootfs.1"))
    assert (boots.booted(), boots.default(), boots.trial()) == (Slot.B, Slot.B, None)


def test_what_check_says(tmp_path: Path):
    """Where RAUC has the slots; or that our file would have no place."""
    boots = loader(tmp_path, SaidRauc())

    assert of_rauc(boots, tmp_path / "trial") == "RAUC has slot a at /dev/rootfs.0, slot b at /dev/rootfs.1"
    with pytest.raises(BootEnvironmentError, match="none is no folder that this user may write to"):
        of_rauc(boots, tmp_path / "none/trial")


def test_each_verb_is_a_command(tmp_path: Path):
    """In the words of `rauc status`."""
    rauc = SaidRauc()
    boots = loader(tmp_path, rauc)
    boots.mark_unbootable(Slot.B)
    boots.try_slot(Slot.B)
    rauc.running = "rootfs.1"
    boots.excuse_restart()
    boots.commit(Slot.B)
    boots.refill()

    assert rauc.told == [
        "mark-bad rootfs.1",
        "mark-active rootfs.1",
        "mark-active rootfs.1",
        "mark-active rootfs.1",
        "mark-good rootfs.1",
        "mark-good rootfs.1",
    ]
    assert (tmp_path / "trial").read_text() == "default=b\ntrial=\n"


@pytest.mark.parametrize(
    ("running", "good", "trial"),
    [
        ("rootfs.0", ("rootfs.0", "rootfs.1"), Slot.B),
        ("rootfs.1", ("rootfs.0",), Slot.B),
        ("rootfs.0", ("rootfs.0",), None),
    ],
    ids=["waits for its first boot", "runs for the last time", "was given up"],
)
def test_whether_a_trial_is_on(tmp_path: Path, running: str, good: tuple[str, ...], trial: Slot | None):
    """Our file says that one was begun, RAUC whether the boot loader would still boot it."""
    (tmp_path / "trial").write_text("default=a\ntrial=b\n")
    boots = loader(tmp_path, SaidRauc(running, good))

    assert (boots.default(), boots.trial()) == (Slot.A, trial)


def test_a_trial_that_rauc_refuses_is_none(tmp_path: Path):
    """Our file is written first; a power cut, or a refusal, before RAUC was told leaves no trial."""

    class Refusing(SaidRauc):
        def __call__(self, command, text=""):
            if "mark-active" in command:
                raise BootEnvironmentError("`rauc status mark-active rootfs.1` failed")
            return super().__call__(command, text)

    boots = loader(tmp_path, Refusing(good=("rootfs.0",)))
    with pytest.raises(BootEnvironmentError, match="mark-active"):
        boots.try_slot(Slot.B)

    assert (tmp_path / "trial").read_text() == "default=a\ntrial=b\n"
    assert (boots.default(), boots.trial()) == (Slot.A, None)


@pytest.mark.parametrize("data", [b"", b"default=c\ntrial=\n", b"default=a\ntrial=b\ntrial=b\n"])
def test_a_file_of_ours_that_is_spoilt(tmp_path: Path, data: bytes):
    """It is named, and nothing is marked by it."""
    rauc = SaidRauc()
    (tmp_path / "trial").write_bytes(data)

    with pytest.raises(BootEnvironmentError, match=r"/trial does not say which slot is the default; remove it while"):
        loader(tmp_path, rauc).try_slot(Slot.B)
    assert rauc.told == []


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("no service", r"`rauc status` cannot be understood \(.*\): no service"),
        ('{"slots": 5}', r"`rauc status` cannot be understood \(Expected `array`, got `int`"),
        ('{"slots": []}', "RAUC has no slot rootfs.0; there are: none. Correct slots.rauc"),
        (
            '{"slots": [{"rootfs.0": {"device": "x", "state": "inactive"}, "rootfs.1": {"device": "y", "state": ""}}]}',
            "does not say which of rootfs.0 and rootfs.1 is booted; see its system.conf",
        ),
    ],
)
def test_a_status_that_cannot_be_used(tmp_path: Path, said: str, message: str):
    """An agent that guessed might overwrite the slot that runs."""
    boots = Rauc(NAMES, tmp_path / "trial", lambda _command, _text: said, SystemDisk())

    with pytest.raises(BootEnvironmentError, match=message):
        boots.booted()
