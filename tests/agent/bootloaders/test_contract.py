"""One contract for all boot loaders, whatever they remember, and wherever."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.slots import BootEnvironmentError, Slot
from tests.agent.bootloaders.raucrig import RaucRig
from tests.agent.bootloaders.rigs import COUNTING, FAST, RIGS, Rig

VERBS = {
    "booted": lambda rig: rig.loader.booted(),
    "default": lambda rig: rig.loader.default(),
    "trial": lambda rig: rig.loader.trial(),
    "mark_unbootable": lambda rig: rig.loader.mark_unbootable(Slot.B),
    "try_slot": lambda rig: rig.loader.try_slot(Slot.B),
    "commit": lambda rig: rig.loader.commit(Slot.A),
    "refill": lambda rig: rig.loader.refill(),
    "excuse_restart": lambda rig: rig.loader.excuse_restart(),
}


@pytest.fixture(params=[*RIGS, "rauc"])
def rig(request, tmp_path: Path):
    """A board of each boot loader: slot a runs, slot b is not to be booted."""
    if request.param != "rauc":
        yield RIGS[request.param](tmp_path)
        return
    with RaucRig.started(tmp_path) as board:
        yield board


def starts(rig: Rig, count: int) -> list[Slot]:
    """The slots that the next `count` power-ups start; the agent runs in each, and commits none."""
    slots = []
    for _ in range(count):
        slots.append(rig.power_up())
        rig.loader.refill()
    return slots


def starts_without_agent(rig: Rig, count: int) -> list[Slot]:
    """The slots that the next `count` power-ups start, in which no agent comes up."""
    return [rig.power_up() for _ in range(count)]


def state(rig: Rig) -> tuple[Slot, Slot, Slot | None]:
    """What the agent sees."""
    return rig.loader.booted(), rig.loader.default(), rig.loader.trial()


def test_a_board_fresh_from_the_factory(rig: Rig):
    """Slot a runs and is the default, and stays it over healthy boots."""
    assert starts(rig, rig.attempts + 2) == [Slot.A] * (rig.attempts + 2)
    assert state(rig) == (Slot.A, Slot.A, None)


def test_a_trial_has_so_many_boots_then_falls_back(rig: Rig):
    """Trial boots without a commit are bounded; then the default runs, and the slot is not tried again."""
    rig.loader.try_slot(Slot.B)
    assert rig.loader.trial() is Slot.B

    assert starts(rig, rig.attempts) == [Slot.B] * rig.attempts
    assert state(rig) == (Slot.B, Slot.A, Slot.B)
    assert starts(rig, 3) == [Slot.A] * 3
    assert state(rig) == (Slot.A, Slot.A, None)


def test_a_committed_trial_stays(rig: Rig):
    """After the commit the slot is the default over healthy boots; committing twice is committing once."""
    rig.loader.try_slot(Slot.B)
    rig.power_up()
    rig.loader.commit(Slot.B)
    rig.loader.commit(Slot.B)

    assert state(rig) == (Slot.B, Slot.B, None)
    assert starts(rig, rig.attempts + 2) == [Slot.B] * (rig.attempts + 2)
    assert state(rig) == (Slot.B, Slot.B, None)


def test_the_way_back_is_a_trial_again(rig: Rig):
    """After an update to slot b, one to slot a goes the same way."""
    rig.loader.try_slot(Slot.B)
    rig.power_up()
    rig.loader.commit(Slot.B)
    rig.loader.mark_unbootable(Slot.A)
    rig.loader.try_slot(Slot.A)

    assert starts(rig, rig.attempts + 1) == [Slot.A] * rig.attempts + [Slot.B]
    assert state(rig) == (Slot.B, Slot.B, None)


@pytest.mark.parametrize("boots", [0, 1])
def test_marking_the_trial_slot_unbootable_ends_the_trial(rig: Rig, boots: int):
    """The agent gives a trial up this way, before its first boot and from inside it."""
    rig.loader.try_slot(Slot.B)
    starts(rig, boots)
    rig.loader.mark_unbootable(Slot.B)

    assert rig.power_up() is Slot.A
    assert state(rig) == (Slot.A, Slot.A, None)


def test_a_trial_begins_with_all_its_boots(rig: Rig):
    """Whatever an earlier trial used up; beginning it twice is beginning it once."""
    rig.loader.try_slot(Slot.B)
    starts(rig, rig.attempts + 1)
    rig.loader.try_slot(Slot.B)
    rig.loader.try_slot(Slot.B)

    assert starts(rig, rig.attempts + 1) == [Slot.B] * rig.attempts + [Slot.A]


@pytest.mark.parametrize(
    ("verb", "slot", "message"),
    [
        ("mark_unbootable", Slot.A, "slot a is the default: without it the board would have nothing to boot"),
        ("try_slot", Slot.A, "slot a is the default already: a trial of it could not fall back"),
        ("commit", Slot.B, "slot b does not run: only the slot that runs can be proved and committed"),
    ],
)
def test_a_verb_that_would_brick_is_refused(rig: Rig, verb: str, slot: Slot, message: str):
    """And nothing has changed."""
    before = rig.remembered()

    with pytest.raises(BootEnvironmentError, match=message):
        getattr(rig.loader, verb)(slot)

    assert rig.remembered() == before


def test_a_restart_that_was_asked_for_is_not_held_against_a_trial(rig: Rig):
    """Twice as many boots as there are attempts, each excused; then attempts run out as ever."""
    rig.loader.try_slot(Slot.B)
    for _ in range(2 * rig.attempts):
        assert rig.power_up() is Slot.B
        rig.loader.excuse_restart()
        assert state(rig) == (Slot.B, Slot.A, Slot.B)

    assert starts(rig, rig.attempts + 1) == [Slot.B] * rig.attempts + [Slot.A]


def test_excusing_the_default_leaves_a_trial_that_has_not_begun(rig: Rig):
    """Between the switch and the restart the old slot runs: its restart gives the trial nothing."""
    rig.loader.try_slot(Slot.B)
    rig.loader.excuse_restart()
    rig.loader.refill()

    assert starts(rig, rig.attempts + 1) == [Slot.B] * rig.attempts + [Slot.A]


@pytest.mark.parametrize("name", RIGS)
def test_a_trial_in_which_no_agent_comes_up_ends(name: str, tmp_path: Path):
    """The boot loader needs no help to fall back, and none to stay with the default."""
    rig = RIGS[name](tmp_path)
    rig.loader.try_slot(Slot.B)

    assert starts_without_agent(rig, rig.attempts + 2) == [Slot.B] * rig.attempts + [Slot.A] * 2


@pytest.mark.parametrize("name", RIGS)
def test_a_full_count_is_not_written_again(name: str, tmp_path: Path):
    """Flash wears: healthy boots of a default that is not counted, or was refilled, change nothing."""
    rig = RIGS[name](tmp_path)
    rig.power_up()
    rig.loader.refill()
    before = rig.remembered()
    rig.loader.refill()
    rig.loader.excuse_restart()

    assert rig.remembered() == before


@pytest.mark.parametrize("name", COUNTING)
def test_a_counted_default_that_never_proves_itself_is_left(name: str, tmp_path: Path):
    """The slot before, if it is bootable, gets its turn; healthy boots in between begin the count anew."""
    rig = COUNTING[name](tmp_path)
    rig.loader.try_slot(Slot.B)
    rig.power_up()
    rig.loader.commit(Slot.B)
    assert starts(rig, 2 * rig.attempts) == [Slot.B] * 2 * rig.attempts

    assert starts_without_agent(rig, rig.attempts + 1) == [Slot.B] * rig.attempts + [Slot.A]


@pytest.mark.parametrize("name", COUNTING)
def test_a_counted_default_without_an_alternative_stays(name: str, tmp_path: Path):
    """A slot that is not to be booted is not, however badly the default does."""
    rig = COUNTING[name](tmp_path)

    assert starts_without_agent(rig, 4 * rig.attempts) == [Slot.A] * 4 * rig.attempts


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "booted"])
@pytest.mark.parametrize("name", RIGS)
def test_an_unreadable_environment_is_named(name: str, verb: str, tmp_path: Path):
    """No verb takes what it cannot read for empty, or writes over it."""
    rig = RIGS[name](tmp_path)
    rig.spoil()
    before = rig.remembered()

    with pytest.raises(BootEnvironmentError) as caught:
        VERBS[verb](rig)

    assert rig.place in str(caught.value)
    assert rig.remembered() == before


@pytest.mark.parametrize("name", ["file", "grub", "uboot"])
def test_firmware_boots_without_an_environment(name: str, tmp_path: Path):
    """A board whose environment is gone starts all the same."""
    rig = RIGS[name](tmp_path)
    rig.spoil()

    assert rig.power_up() in Slot


ACTS = st.lists(st.sampled_from(["boot", "try", "mark", "commit", "excuse"]), max_size=25)


def act(rig: Rig, what: str) -> None:
    """One thing that a device may do; every boot of the default is a healthy one."""
    match what:
        case "boot":
            rig.power_up()
            rig.loader.refill()
        case "try":
            rig.loader.try_slot(rig.loader.default().other)
        case "mark":
            rig.loader.mark_unbootable(rig.loader.default().other)
        case "commit":
            rig.loader.commit(rig.loader.booted())
        case _:
            rig.loader.excuse_restart()


@given(acts=ACTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_boot_loaders_agree(acts: list[str], tmp_path: Path):
    """Whatever a device does in whatever order, each boot loader runs the same slot, and none loses its default."""
    rigs = [make(_made(tmp_path / name)) for name, make in FAST.items()]
    for rig in rigs:
        rig.power_up()
    for what in acts:
        for rig in rigs:
            act(rig, what)
        assert len({state(rig) for rig in rigs}) == 1


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
