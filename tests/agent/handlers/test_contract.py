"""The contract of handlers, by the real programs: each verb may be repeated, and cut off anywhere."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from agent.handling import StepError
from agent.pace import StopRequested
from bridge.release.step import Step
from tests.agent.handlers.raucrig import RaucRig
from tests.agent.handlers.rigs import PackageRig, Rig, ScriptRig, SwupdateRig

RIGS: dict[str, Callable[[Path], AbstractContextManager[Rig]]] = {
    "script": lambda folder: nullcontext(ScriptRig(folder)),
    "script of the release": lambda folder: nullcontext(ScriptRig(folder, brought=True)),
    "package": lambda folder: nullcontext(PackageRig(folder)),
    "package that was absent": lambda folder: nullcontext(PackageRig(folder, absent=True)),
    "RAUC": RaucRig.started,
    "SWUpdate of the slot": lambda folder: nullcontext(SwupdateRig(folder)),
    "SWUpdate beside the slots": lambda folder: nullcontext(SwupdateRig(folder, beside=True)),
}


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Each device in turn. The agent gives a file no name that would tell what it is."""
    with RIGS[request.param](tmp_path) as rig:
        rig.work = replace(rig.work, file=rig.work.file.rename(tmp_path / "rootfs.file"))
        yield rig


def cut_off(rig: Rig, beats: int, verb: Callable[[], None]) -> bool:
    """Whether `verb` was cut off by a stop after so many signs of life."""
    rig.life.left = beats
    try:
        verb()
    except StopRequested:
        return True
    finally:
        rig.life.left = None
    return False


def test_looking_changes_nothing(rig: Rig):
    """Whether a step can be done is asked of devices that then do not do it."""
    rig.handler.require_ready(rig.work.step)

    assert rig.is_before()
    assert rig.handler.inspect()


def test_a_life_of_a_step(rig: Rig):
    """Each verb can be called twice, as after a restart between its end and the journal's word for it."""
    for _ in range(2):
        rig.handler.undo(rig.work)
    assert rig.is_before()
    for _ in range(2):
        rig.handler.install(rig.work)
    assert rig.is_installed()
    for _ in range(2):
        rig.handler.undo(rig.work)
    assert rig.is_before()
    rig.handler.install(rig.work)
    for _ in range(2):
        rig.handler.settle(rig.work)
    assert rig.is_installed()


def test_cut_off_anywhere(rig: Rig):
    """Wherever a verb is cut off, it can be called again; and what was half installed can be undone, also when that is
    cut off at the same place."""
    install, undo = partial(rig.handler.install, rig.work), partial(rig.handler.undo, rig.work)
    for beats in itertools.count(step=rig.stride):
        interrupted = cut_off(rig, beats, install)
        cut_off(rig, beats, undo)
        undo()
        assert rig.is_before(), beats
        if not interrupted:
            return
        cut_off(rig, beats, install)
        install()
        assert rig.is_installed(), beats


@pytest.mark.parametrize("rig", [name for name in RIGS if name != "script"], indirect=True)
def test_a_file_that_is_none(rig: Rig):
    """A file that passed its sha256 can still be wrong: the step fails by its name, and what was there stays. What the
    guide's program installs may be anything."""
    rig.work.file.write_text("exit 3")
    with pytest.raises(StepError, match=f"^step {rig.work.step.name}: "):
        rig.handler.install(rig.work)

    assert not rig.is_installed()
    assert rig.is_before()


@pytest.mark.parametrize("rig", [name for name in RIGS if "script" not in name], indirect=True)
def test_a_step_that_says_what_nobody_understands(rig: Rig):
    """A handler does not pass over a setting that was misspelt; what a script makes of it is the script's."""
    step = rig.work.step
    with pytest.raises(StepError) as refusal:
        rig.handler.require_ready(Step(step.name, step.handler, step.place, {**step.settings, "udno": "x"}))

    assert f"step {step.name}: settings.udno is not understood by {step.handler!r}; there are: " in str(refusal.value)
