"""The board made of files: its firmware chooses as a boot loader would, and keeps the promises of the port."""

from __future__ import annotations

import errno
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.bootloaders.file import (
    ATTEMPTS,
    Environment,
    FileBootLoader,
    boot,
    create,
    environment_paths,
    image_path,
    parse,
    read_environment,
    render,
)
from agent.disk import SystemDisk
from agent.slots import BootEnvironmentError, Slot
from tests.agent.power import Loss, PowerCut, SimulatedKernel

FOLDER = Path("/board")
ENVIRONMENTS = st.builds(
    Environment,
    st.sampled_from(Slot),
    st.sampled_from(Slot),
    st.none() | st.sampled_from(Slot),
    st.integers(0, 9),
    st.integers(0, 9),
    st.frozensets(st.sampled_from(Slot)),
    st.integers(0, 10**18 - 1),
    st.integers(0, 10**18 - 1),
)
FULL = OSError(errno.EROFS, "Read-only file system")


@pytest.fixture
def kernel() -> SimulatedKernel:
    """A board with a factory image in slot a."""
    kernel = SimulatedKernel()
    create(FOLDER, SystemDisk(kernel), 4096, [b"factory ", b"image"])
    return kernel


@pytest.fixture
def disk(kernel) -> SystemDisk:
    """Its disk."""
    return SystemDisk(kernel)


@pytest.fixture
def loader(disk) -> FileBootLoader:
    """The agent's side of it."""
    return FileBootLoader(FOLDER, disk)


def starts(disk: SystemDisk, count: int) -> list[Slot]:
    """The slots that the next `count` power-ups start."""
    return [boot(FOLDER, disk).slot for _ in range(count)]


def test_a_board_fresh_from_the_factory(kernel, disk, loader):
    """Slot a holds the image and starts; slot b is blank and not bootable; both have their length."""
    assert starts(disk, 2) == [Slot.A, Slot.A]
    assert (loader.booted(), loader.default(), loader.trial()) == (Slot.A, Slot.A, None)
    assert kernel.content(loader.device(Slot.A)) == b"factory image" + bytes(4096 - 13)
    assert kernel.content(loader.device(Slot.B)) == bytes(4096)
    assert read_environment(FOLDER, disk).unbootable == {Slot.B}


def test_a_trial_has_so_many_attempts_then_falls_back(disk, loader):
    """Three trial boots without a commit, then the default, for ever."""
    loader.try_slot(Slot.B)

    assert starts(disk, ATTEMPTS + 2) == [Slot.B] * ATTEMPTS + [Slot.A, Slot.A]
    assert loader.trial() is None


def test_an_attempt_is_counted_before_it_is_made(kernel, disk, loader):
    """A trial boot that dies at once was an attempt."""
    loader.try_slot(Slot.B)
    boot(FOLDER, disk)
    kernel.lose(Loss.LOST, Random(0))

    assert read_environment(FOLDER, disk).attempts == ATTEMPTS - 1


def test_a_committed_trial_stays(disk, loader):
    """After the commit the slot is the default, with a count of boots of its own; doing it twice is doing it once."""
    loader.try_slot(Slot.B)
    boot(FOLDER, disk)
    loader.commit(Slot.B)
    loader.commit(Slot.B)

    assert (loader.default(), loader.trial()) == (Slot.B, None)
    assert starts(disk, ATTEMPTS) == [Slot.B] * ATTEMPTS


def test_marking_the_trial_slot_unbootable_ends_the_trial(disk, loader):
    """The engine gives a trial up this way, also from inside it."""
    loader.try_slot(Slot.B)
    boot(FOLDER, disk)
    loader.mark_unbootable(Slot.B)

    assert loader.trial() is None
    assert starts(disk, 1) == [Slot.A]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda loader: loader.mark_unbootable(Slot.A), "slot a is the default: without it the board would have"),
        (lambda loader: loader.try_slot(Slot.A), "slot a is the default already"),
        (lambda loader: loader.commit(Slot.B), "slot b does not run"),
    ],
)
def test_a_verb_that_would_brick_is_refused(disk, loader, act, message):
    """And nothing has changed."""
    before = read_environment(FOLDER, disk)

    with pytest.raises(BootEnvironmentError, match=message):
        act(loader)

    assert read_environment(FOLDER, disk) == before


def test_each_boot_has_its_own_name(disk, loader):
    """The boot id comes from the count of boots, and the agent sees the firmware's."""
    names = [boot(FOLDER, disk).boot_id for _ in range(5)]

    assert len(set(names)) == 5
    assert loader.boot_id() == names[-1]


@given(ENVIRONMENTS)
def test_an_environment_comes_back(environment):
    """What is rendered is parsed to the same environment."""
    assert parse(render(environment)) == environment


@given(ENVIRONMENTS, st.data())
def test_any_flipped_bit_is_refused(environment, data):
    """A spoiled copy is not believed."""
    spoiled = bytearray(render(environment))
    spoiled[data.draw(st.integers(0, len(spoiled) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(ValueError):  # noqa: PT011 - a byte that is no ASCII fails earlier, with its own words
        parse(bytes(spoiled))


@given(st.lists(st.sampled_from(["boot", "try", "mark", "commit"]), max_size=30))
def test_no_sequence_of_verbs_loses_the_default(acts):
    """Whatever the agent does in whatever order, the firmware has a default that is bootable, and no trial of it."""
    disk = SystemDisk(SimulatedKernel())
    create(FOLDER, disk, 64, [])
    loader = FileBootLoader(FOLDER, disk)
    verbs = {
        "boot": lambda: boot(FOLDER, disk),
        "try": lambda: loader.try_slot(loader.default().other),
        "mark": lambda: loader.mark_unbootable(loader.default().other),
        "commit": lambda: loader.commit(loader.booted()),
    }
    for act in acts:
        verbs[act]()
        environment = read_environment(FOLDER, disk)

        assert environment.default not in environment.unbootable
        assert environment.trial is not environment.default


@pytest.mark.parametrize("copy", [0, 1])
def test_one_spoiled_copy_costs_nothing(kernel, disk, loader, copy):
    """Each change is in both copies when it is done; the next one heals what was spoiled."""
    loader.try_slot(Slot.B)
    kernel.spoil(environment_paths(FOLDER)[copy], 30)

    assert loader.trial() is Slot.B
    assert starts(disk, 1) == [Slot.B]
    assert {parse(disk.read(path)).booted for path in environment_paths(FOLDER)} == {Slot.B}


@pytest.mark.parametrize("copy", [0, 1])
def test_a_copy_that_cannot_be_read_is_not_passed_over(kernel, loader, copy):
    """It may be the newest: an agent that believed the other might overwrite the slot that runs."""
    kernel.faults[f"read boot.env.{copy}"] = OSError(errno.EIO, "Input/output error")

    with pytest.raises(BootEnvironmentError, match="the boot environment in /board cannot be read: Input/output error"):
        loader.booted()


def test_a_change_counts_once_the_first_copy_holds_it(kernel, loader):
    """The second copy is a spare: that it cannot be written is no reason to call the change failed."""
    kernel.faults["write boot.env.1"] = OSError(errno.EIO, "Input/output error")
    loader.try_slot(Slot.B)

    assert loader.trial() is Slot.B


def test_without_any_environment_slot_a_starts(kernel, disk, loader):
    """The rule of last resort; until then the agent is told what is wrong."""
    for path in environment_paths(FOLDER):
        kernel.spoil(path)

    with pytest.raises(
        BootEnvironmentError, match=r"no copy .* can be read: /board/boot.env.0 and .*restart the board"
    ):
        loader.booted()
    assert starts(disk, 1) == [Slot.A]
    assert loader.booted() is Slot.A


def test_a_board_that_cannot_count_makes_no_trial(kernel, disk, loader):
    """Attempts that cannot be counted down would never end: the default starts instead."""
    loader.try_slot(Slot.B)
    for number in (0, 1):
        kernel.faults[f"write boot.env.{number}"] = FULL

    assert starts(disk, 3) == [Slot.A] * 3


def test_a_change_that_cannot_be_written_names_the_folder(kernel, loader):
    """The agent learns where and why."""
    for number in (0, 1):
        kernel.faults[f"write boot.env.{number}"] = FULL

    with pytest.raises(
        BootEnvironmentError, match="the boot environment in /board cannot be written: Read-only file system"
    ):
        loader.try_slot(Slot.B)


def test_an_image_longer_than_a_slot_is_refused(disk):
    """A board is not set up with half an image."""
    with pytest.raises(ValueError, match="longer than a slot of 4 bytes"):
        create(Path("/other"), disk, 4, [b"12345"])


@pytest.mark.parametrize("verb", ["mark_unbootable", "try_slot"])
@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("at", range(1, 6))
def test_a_power_cut_inside_a_verb_leaves_before_or_after(kernel, verb, loss, at):
    """Each verb takes effect wholly or not at all."""
    disk = SystemDisk(kernel)
    loader = FileBootLoader(FOLDER, disk)
    loader.try_slot(Slot.B)
    before = read_environment(FOLDER, disk)
    kernel.cut_at = kernel.calls + at

    with pytest.raises(PowerCut):
        getattr(loader, verb)(Slot.B)
    kernel.lose(loss, Random(at))

    after = before.without(Slot.B) if verb == "mark_unbootable" else before.trying(Slot.B)
    seen = read_environment(FOLDER, SystemDisk(kernel))
    assert (seen.trial, seen.attempts) in {(before.trial, before.attempts), (after.trial, after.attempts)}
    assert kernel.content(image_path(FOLDER, Slot.A)).startswith(b"factory image")
