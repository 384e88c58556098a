"""Steps on a whole device: from a signed folder, by the configured handlers, to one verdict."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bridge.release.image import Image
from bridge.release.manifest import Artifact, Codec
from bridge.release.step import Place, Step
from tests.agent.bench import FAR, Device
from tests.agent.handlers.rigs import PackageRig, example
from tests.releases import Package

PROGRAM = """
[handlers.modem]
kind = "script"
command = ["{folder}/update-modem"]

[handlers.apps]
kind = "package"
root = "{folder}/root"
directory = "{folder}/kept"
options = ["--force-not-root", "--force-script-chrootless"]
"""


def released(device: Device, *steps: tuple[Step, bytes]) -> Package:
    """A release of these steps, each with its file."""
    made = [(_artifact(step, data), data) for step, data in steps]
    return device.kit.bundle(b"", made, steps=tuple(step for step, _ in steps), expires=FAR)


def _artifact(step: Step, data: bytes) -> Artifact:
    sha256 = hashlib.sha256(data).hexdigest()
    return Artifact(f"{step.name}.bin", len(data), sha256, Image(len(data), sha256), Codec.FILE, step=step.name)


@pytest.fixture
def firmware(device: Device) -> Path:
    """A modem with firmware, and a device with handlers for it and for packages."""
    program = device.folder / "update-modem"
    program.write_text(example())
    program.chmod(0o755)
    device.configure(more=PROGRAM.format(folder=device.folder))
    (device.folder / "firmware").write_text("old")
    return device.folder / "firmware"


def modem(firmware: Path) -> tuple[Step, bytes]:
    """The step that brings new firmware."""
    return Step("firmware", "modem", Place.DEVICE, {"target": str(firmware)}), b"new"


def app(rig: PackageRig) -> tuple[Step, bytes]:
    """The step that brings the new package."""
    return rig.work.step, rig.work.file.read_bytes()


def test_all_steps_together(device: Device, firmware: Path, capsys: pytest.CaptureFixture[str]):
    """A program and a package, in place: no slot is touched, and the device has the release."""
    rig = PackageRig(device.folder)
    folder = device.publish(released(device, modem(firmware), app(rig)))

    assert device.run("install", str(folder)) == 0
    assert (firmware.read_text(), rig.is_installed()) == ("new", True)
    capsys.readouterr()
    device.run("--output", "json", "status")
    assert json.loads(capsys.readouterr().out)["version"] == "2.0.0"
    assert rig.kept.file("gateway", "2.0").is_file()


def test_one_step_fails(device: Device, firmware: Path, capsys: pytest.CaptureFixture[str]):
    """What was done before it is undone, and the report says which step it was, in its handler's words."""
    rig = PackageRig(device.folder, postinst="echo the port is taken; exit 1")
    folder = device.publish(released(device, modem(firmware), app(rig)))

    assert device.run("install", str(folder)) != 0
    assert (firmware.read_text(), rig.is_before()) == ("old", True)
    assert "step app: dpkg ended with status 1" in capsys.readouterr().out


def test_a_device_without_the_handler(device: Device, firmware: Path, capsys: pytest.CaptureFixture[str]):
    """It refuses before anything is fetched, and says what it has."""
    step = Step("bios", "bios", Place.DEVICE)
    folder = device.publish(released(device, modem(firmware), (step, b"new")))

    assert device.run("install", str(folder)) == 14
    assert "step bios needs the handler bios, which this device has not; it has: apps, modem" in capsys.readouterr().out
    assert firmware.read_text() == "old"
