"""SWUpdate images as steps: they go where they should, or nowhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.handlers.settings import SwupdateSettings
from agent.handling import StepError
from agent.slots import Slot
from bridge.release.step import Place, Step
from tests.agent.handlers.rigs import SLOT_BYTES, Signer, SwupdateRig, swu


@pytest.fixture
def rig(tmp_path: Path) -> SwupdateRig:
    """Slot a runs, slot b is to be written."""
    return SwupdateRig(tmp_path)


def refusal_of(rig: SwupdateRig, **settings: str) -> str:
    """Why a device refuses a step beside the slots with these settings."""
    with pytest.raises(StepError) as refusal:
        rig.handler.require_ready(Step("modem", "swu", Place.DEVICE, settings))
    return str(refusal.value)


def test_a_slot_that_runs_is_never_written(rig: SwupdateRig):
    """The device's selections were mixed up: SWUpdate is asked where an image would go, and is not let to."""
    mixed = rig.of(SwupdateSettings(rig.command, "stable,slot-b", "stable,slot-a"))
    with pytest.raises(StepError) as refusal:
        mixed.install(rig.work)

    assert str(refusal.value) == (
        f"step rootfs: stable,slot-a goes to {rig.running}, and the slot to be written is {rig.target}"
    )
    assert rig.running.read_bytes() == b"r" * SLOT_BYTES


@pytest.mark.parametrize(
    ("section", "where", "message"),
    [
        ("files", "/tmp/otabridge-must-not-be-there", "(Found File: extra"),
        ("scripts", "", "(Found Script: extra"),
    ],
)
def test_a_slot_and_more(rig: SwupdateRig, tmp_path: Path, section: str, where: str, message: str):
    """A fallback leaves the slot, and nothing else: what an image has beside it is a step of its own."""
    extra = tmp_path / "extra"
    extra.write_text("x")
    image = swu(rig.signer, {"slot-b": [(rig.new, "images", str(rig.target)), (extra, section, where)]})
    with pytest.raises(StepError) as refusal:
        rig.handler.install(replace(rig.work, file=image))

    assert "step rootfs: stable,slot-b of the slot has more than images, which no fallback undoes" in str(refusal.value)
    assert message in str(refusal.value)
    assert rig.target.read_bytes() == b"o" * SLOT_BYTES


REFUSED = r"(ended with status 1|took longer than 15 s)"
"""SWUpdate 2022.12 was seen to hang after it had refused an image; then it is ended."""


def test_a_foreign_signature(rig: SwupdateRig, tmp_path: Path):
    """SWUpdate's own judgement holds, too."""
    (tmp_path / "other").mkdir()
    image = swu(Signer(tmp_path / "other"), {"slot-b": []})
    handler = rig.of(SwupdateSettings(rig.command, "stable,slot-a", "stable,slot-b"), seconds=15)
    with pytest.raises(StepError, match=rf"^step rootfs: swupdate {REFUSED}"):
        handler.install(replace(rig.work, file=image))
    assert rig.target.read_bytes() == b"o" * SLOT_BYTES


def test_a_way_back_that_is_not_in_the_image(tmp_path: Path):
    """It is looked for before anything is written; and then there is nothing to undo."""
    rig = SwupdateRig(tmp_path, beside=True)
    modes = {
        "slot-b": [(rig.new, "images", str(rig.target))],
        "back": [(rig.old, "images", str(rig.target))],
    }
    lacking = replace(rig.work, file=swu(rig.signer, modes, lacking="old.bin"))
    handler = rig.of(SwupdateSettings(rig.command), seconds=15)
    with pytest.raises(StepError, match=rf"^step modem: swupdate {REFUSED}"):
        handler.install(lacking)
    handler.undo(lacking)

    assert rig.is_before()


SELECTIONS: list[tuple[Callable[[SwupdateRig], str], str]] = [
    (refusal_of, "step modem: settings.install is missing; handler 'swu' needs: install, undo"),
    (lambda rig: refusal_of(rig, install="stable,modem"), "step modem: settings.undo is missing"),
    (
        lambda rig: refusal_of(rig, install="stable,modem", undo="-p reboot"),
        "step modem: settings.undo is '-p reboot': expected a software set and a mode, as stable,boot",
    ),
]


@pytest.mark.parametrize(("ask", "message"), SELECTIONS)
def test_selections_of_a_step_beside_the_slots(rig: SwupdateRig, ask: Callable[[SwupdateRig], str], message: str):
    """Both ways are named by the release, and no option of SWUpdate's is."""
    assert ask(rig).startswith(message)


def test_a_device_without_selections_for_its_slots(rig: SwupdateRig):
    """Known before the download."""
    with pytest.raises(StepError) as refusal:
        rig.of(SwupdateSettings(rig.command)).require_ready(Step("rootfs", "swu"))

    assert str(refusal.value) == (
        "step rootfs: handlers.swu has no a and b, which select what is for each slot; write such as "
        f'{Slot.A} = "stable,slot-{Slot.A}"'
    )
