"""The power is cut between any two writes of any verb: what is remembered is the state before or the state after."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random

import pytest

from agent.slots import BootEnvironmentError, Slot
from tests.agent.bootloaders.rigs import FAST, GrubRig, Rig, SystemdBootRig, UBootRig
from tests.agent.power import Loss, PowerCut


def on_trial(rig: Rig) -> None:
    """Slot b runs, on trial."""
    rig.loader.try_slot(Slot.B)
    rig.power_up()


def untried(rig: Rig) -> None:
    """Slot a runs, slot b was never tried."""
    rig.power_up()


CASES: dict[str, tuple[Callable[[Rig], None], Callable[[Rig], None]]] = {
    "begin a trial": (untried, lambda rig: rig.loader.try_slot(Slot.B)),
    "give a trial up": (on_trial, lambda rig: rig.loader.mark_unbootable(Slot.B)),
    "commit": (on_trial, lambda rig: rig.loader.commit(Slot.B)),
    "excuse a restart": (on_trial, lambda rig: rig.loader.excuse_restart()),
}


def seen(rig: Rig) -> tuple[Slot, Slot | None, list[Slot]]:
    """What the agent sees, and what the next boots will be."""
    state = rig.loader.default(), rig.loader.trial()
    return (*state, [rig.power_up() for _ in range(rig.attempts + 1)])


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", FAST)
def test_a_cut_leaves_before_or_after(name: str, case: str, loss: Loss, tmp_path: Path):
    """At each call in turn, until the verb comes through; whatever becomes of what was not synced."""
    prepare, verb = CASES[case]
    expected = []
    for act in (untried, verb):
        rig = FAST[name](tmp_path)
        prepare(rig)
        if act is verb:
            verb(rig)
        rig.kernel.settle()
        expected.append(seen(rig))
    for at in count(1):
        rig = FAST[name](tmp_path)
        prepare(rig)
        rig.kernel.settle()
        if not cut(rig, verb, rig.kernel.calls + at):
            break
        rig.kernel.lose(loss, Random(at))
        assert seen(rig) in expected

    assert at > 2, "the verb writes nothing"


def cut(rig: Rig, verb: Callable[[Rig], None], at: int) -> bool:
    """Whether the power went during `verb`."""
    rig.kernel.cut_at = at
    try:
        verb(rig)
    except PowerCut:
        return True
    finally:
        rig.kernel.cut_at = None
    return False


@pytest.mark.parametrize(("prepare", "verb"), CASES.values(), ids=CASES)
def test_a_torn_write_of_the_uboot_environment_leaves_the_state_before(prepare, verb, tmp_path: Path):
    """fw_setenv overwrites the older copy: when that is torn, the one before stands, for U-Boot and the agent alike."""
    rig = UBootRig(tmp_path)
    prepare(rig)
    before = rig.loader.default(), rig.loader.trial()
    verb(rig)
    rig.tear_newest()

    assert (rig.loader.default(), rig.loader.trial()) == before


@pytest.mark.parametrize(
    ("stale", "verb", "left"),
    [
        ("otabridge-1-b.unbootable", lambda rig: rig.loader.mark_unbootable(Slot.B), "otabridge-2-b.unbootable"),
        ("otabridge-1-b.unbootable", lambda rig: rig.loader.commit(Slot.B), "otabridge-2-b.conf"),
        ("otabridge-2-b.conf", lambda rig: rig.loader.mark_unbootable(Slot.B), "otabridge-2-b.unbootable"),
    ],
)
def test_a_rename_that_left_both_names_is_mended(stale, verb, left, tmp_path: Path):
    """FAT has no journal: the old name of an entry may come back. The next verb leaves one."""
    rig = SystemdBootRig(tmp_path)
    on_trial(rig)
    rig.kernel._names[rig.path / stale] = rig.kernel._names[rig.path / "otabridge-2-b+2-1.conf"]
    verb(rig)

    assert rig.remembered() == ["otabridge-1-a.conf", left]


@pytest.mark.parametrize("make", [GrubRig, SystemdBootRig])
def test_a_change_that_cannot_be_made_says_where_and_why(make, tmp_path: Path):
    """The file system has become read-only."""
    rig = make(tmp_path)
    for call in ("write", "rename"):
        rig.kernel.faults[call] = OSError(30, "Read-only file system")
    before = rig.remembered()

    with pytest.raises(
        BootEnvironmentError, match=r"/boot/.*(cannot be written|cannot be made): Read-only file system"
    ):
        rig.loader.try_slot(Slot.B)
    assert rig.remembered() == before
