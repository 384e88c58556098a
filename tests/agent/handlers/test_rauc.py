"""RAUC bundles as the step of the slot: RAUC writes, and nothing but that slot; the agent switches."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.handlers import rauc
from agent.handlers.bundle import configuration_fault, operation_of
from agent.handling import StepError
from agent.pace import Timing
from agent.slots import Slot
from bridge.release.step import Place, Step
from tests.agent.handlers.raucrig import RaucRig
from tests.agent.handlers.rigs import SLOT_BYTES

SOUND = "[system]\nbootloader=noop\nactivate-installed=false\n"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[RaucRig]:
    """A device with RAUC's service."""
    with RaucRig.started(tmp_path) as rig:
        yield rig


@pytest.mark.parametrize(
    ("text", "owns", "fault"),
    [
        (SOUND, False, None),
        (SOUND.replace("noop", "uboot"), True, None),
        ("# a note\n" + SOUND + "[keyring]\npath=/x%y\n[slot.rootfs.0]\ndevice=/dev/a\n", False, None),
        (
            SOUND.replace("noop", "uboot"),
            False,
            "has bootloader=uboot, and the agent's boot loader is its own; write boot",
        ),
        (
            SOUND.replace("false", "true"),
            False,
            "lets RAUC switch by itself; write activate-installed=false into [system]",
        ),
        ("[system]\nbootloader=noop\n", True, "lets RAUC switch by itself"),
        ("", True, "cannot be understood ('system')"),
        ("bootloader=noop\n", True, "cannot be understood (File contains no section headers."),
    ],
)
def test_whose_the_switch_is(text: str, owns: bool, fault: str | None):  # noqa: FBT001 - a column of the table
    """RAUC must leave it to the agent which slot boots, or a device would leave its old system unproved."""
    found = configuration_fault(text, owns_boot_loader=owns)

    assert (found is None) == (fault is None)
    assert found is None or found.startswith(str(fault))


@pytest.mark.parametrize(
    ("output", "operation"),
    [
        ('s "idle"\n', "idle"),
        ('method return time=1.5 sender=:1.0\n   variant       string "installing"\n', "installing"),
    ],
)
def test_what_rauc_does(output: str, operation: str):
    """systemd's tool and that of D-Bus itself say it differently."""
    assert operation_of(output) == operation
    with pytest.raises(ValueError, match="the property Operation is no text"):
        operation_of("nothing")


def test_without_systemd(rig: RaucRig, monkeypatch: pytest.MonkeyPatch):
    """D-Bus's own tool does as well."""
    monkeypatch.setattr(rauc.shutil, "which", {"rauc": "/usr/bin/rauc"}.get)

    assert rig.handler.inspect() == "rauc, /usr/bin/rauc, idle"


def test_a_configuration_that_is_not_there(rig: RaucRig):
    """The message says where another can be named."""
    (rig.folder / "system.conf").unlink()
    with pytest.raises(StepError) as refusal:
        rig.handler.require_ready(Step("rootfs", "rauc"))

    assert str(refusal.value) == (
        f"step rootfs: {rig.folder}/system.conf cannot be read: No such file or directory; name RAUC's configuration "
        "in handlers.rauc.system_conf"
    )


def test_a_step_beside_the_slots(rig: RaucRig):
    """RAUC has no way back there."""
    with pytest.raises(StepError, match="RAUC cannot bring back what a bundle wrote elsewhere: use a script there"):
        rig.handler.require_ready(Step("data", "rauc", Place.DEVICE))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({"rootfs": "", "data": ""}, "the bundle has to have one image, that of the slot; it has: rootfs, data"),
        ({"data": ""}, "RAUC would write class data to data.0 at {folder}/data.img, and slot b is {folder}/b.img"),
        (
            {"rootfs": "hooks=post-install"},
            "the bundle's image has hooks (post-install): what they do is neither signed",
        ),
    ],
)
def test_bundles_that_do_more(rig: RaucRig, images: dict[str, str], message: str):
    """Nothing is written that a fallback does not leave."""
    with pytest.raises(StepError) as refusal:
        rig.handler.install(replace(rig.work, file=rig.bundle(images, "other")))

    assert str(refusal.value).startswith("step rootfs: " + message.format(folder=rig.folder))
    assert rig.target.read_bytes() == b"o" * SLOT_BYTES


def test_a_slot_that_rauc_would_not_write(rig: RaucRig):
    """RAUC thinks that slot a runs; the boot loader, that slot b does."""
    with pytest.raises(StepError) as refusal:
        rig.handler.install(replace(rig.work, target=Slot.A, device=rig.running))

    assert str(refusal.value) == (
        f"step rootfs: RAUC would write class rootfs to rootfs.1 at {rig.target}, and slot a is {rig.running}"
    )


def test_a_bundle_of_others(rig: RaucRig):
    """RAUC's own signature holds, too."""
    rig.work.file.write_bytes(rig.work.file.read_bytes()[:-100] + bytes(100))
    with pytest.raises(StepError, match=r"^step rootfs: rauc ended with status 1: "):
        rig.handler.install(rig.work)
    assert rig.target.read_bytes() == b"o" * SLOT_BYTES


class Busy:
    """A RAUC that is installing for so many questions."""

    def __init__(self, questions: int) -> None:
        self.left = questions

    def operation(self, _output: str) -> str:
        """In place of what it says."""
        self.left -= 1
        return "idle" if self.left < 0 else "installing"


def test_rauc_is_waited_for(rig: RaucRig, monkeypatch: pytest.MonkeyPatch):
    """The service goes on when its client is gone; a step is undone only once nobody writes to the slot any more."""
    busy, naps = Busy(3), []
    monkeypatch.setattr(rauc, "operation_of", busy.operation)
    handler = rig.of()
    handler._runner = replace(handler._runner, timing=Timing(sleep=naps.append))
    handler.undo(rig.work)

    assert naps == [1.0, 1.0, 1.0]


def test_a_rauc_that_never_ends(rig: RaucRig, monkeypatch: pytest.MonkeyPatch):
    """It is told, and not taken for undone."""
    monkeypatch.setattr(rauc, "operation_of", Busy(10**9).operation)
    with pytest.raises(StepError) as failure:
        rig.of(seconds=0.5).undo(rig.work)

    assert str(failure.value) == "step rootfs: RAUC is still installing after 0.5 s; something uses it"


def test_an_installation_that_is_under_way(rig: RaucRig):
    """A client that was killed has left one behind: it is waited for, and then the bundle is installed once more."""
    with subprocess.Popen(
        ["rauc", "install", rig.work.file], env=rig.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as client:
        deadline = time.monotonic() + 30
        while rig.target.read_bytes() == b"o" * SLOT_BYTES:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        client.kill()
    rig.handler.install(rig.work)

    assert rig.is_installed()


def test_no_service(tmp_path: Path):
    """Whoever checks a device hears of it before an update does."""
    with RaucRig.started(tmp_path) as rig:
        pass
    with pytest.raises(StepError, match=r"^handlers\.rauc: busctl ended with status 1: "):
        rig.handler.inspect()
