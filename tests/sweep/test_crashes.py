"""The states of a power cut: all of them where they are few, the telling ones where they are many."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest

from tests.agent.power import SECTOR, Inode, Loss, Naming, Write
from tests.sweep.boards import FileBoard, SystemdBootBoard
from tests.sweep.crashes import BLOCK, Breadth, media, picks
from tests.sweep.exploring import states
from tests.sweep.media import Model
from tests.sweep.recorder import Recording, Settled, Synced, SyncedNames, Tape
from tests.sweep.scenarios import SCENARIOS

FOLDER = Path("/state")
FILE = FOLDER / "file"
OLD, NEW, NEWER = (letter * SECTOR for letter in (b"o", b"n", b"x"))
ALL = Breadth(all_up_to=1 << 16)


def model_of(data: bytes | None = OLD * 3, board=None) -> tuple[Model, Inode]:
    """A medium with one file, or none."""
    inode = Inode()
    files = {} if data is None else {FILE: (inode, data)}
    return Model(Tape(files, ()), board or FileBoard()), inode


def contents(model: Model) -> set[bytes | None]:
    """What the file can hold after a power cut, None for no file."""
    return {medium.files().get(FILE) for medium in media(model, ALL, Random(0))}


def test_each_sector_on_its_way_is_there_or_not():
    """Two sectors of three were written: four states, whatever the order of the writes."""
    model, inode = model_of()
    model.apply(Write(inode, SECTOR, NEW))
    model.apply(Write(inode, 0, NEW))

    assert contents(model) == {OLD + OLD + OLD, OLD + NEW + OLD, NEW + OLD + OLD, NEW + NEW + OLD}


def test_a_sector_written_twice_may_hold_either():
    """The cache may have written it out between the two."""
    model, inode = model_of(OLD)
    model.apply(Write(inode, 0, NEW))
    model.apply(Write(inode, 0, NEWER))

    assert contents(model) == {NEW, OLD, NEWER}


def test_a_write_is_torn_at_the_sectors_of_the_medium():
    """Not where the write began: the sector that it begins in is there with its whole content, or not."""
    model, inode = model_of()
    model.apply(Write(inode, SECTOR // 2, NEW))

    half = SECTOR // 2
    first, second = OLD[:half] + NEW[:half], NEW[:half] + OLD[:half]
    assert contents(model) == {OLD * 3, first + OLD * 2, OLD + second + OLD, first + second + OLD}


@pytest.mark.parametrize("act", [Synced, lambda _: Settled()], ids=["sync", "shutdown"])
def test_what_was_synced_is_there(act):
    """One state is left."""
    model, inode = model_of()
    model.apply(Write(inode, 0, NEW))
    model.apply(act(inode))

    assert contents(model) == {NEW + OLD * 2}


def test_a_name_may_be_there_without_its_data():
    """Renamed before it was synced: nothing there, an empty file, one with its length and zeros, and the whole one."""
    model, inode = model_of(None)
    draft = FILE.with_suffix(".new")
    model.apply(Naming(draft, inode))
    model.apply(Write(inode, 0, NEW))
    model.apply(Naming(FILE, inode, gone=draft))

    assert contents(model) == {None, b"", bytes(SECTOR), NEW}

    model.apply(Synced(inode))
    assert contents(model) == {None, NEW}

    model.apply(SyncedNames(FOLDER))
    assert contents(model) == {NEW}


def test_a_rename_on_fat_may_leave_both_names():
    """Never none of them."""
    board = SystemdBootBoard()
    inode, old, new = Inode(), board.folder / "old.conf", board.folder / "new.conf"
    model = Model(Tape({old: (inode, NEW)}, ()), board)
    model.apply(Naming(new, inode, gone=old))

    found = [set(medium.contents) for medium in media(model, ALL, Random(0))]

    assert found == [{old}, {old, new}, {new}]


def test_of_many_states_the_telling_ones_are_taken():
    """Torn anywhere, overtaken anywhere, one sector alone, all but one, every set of blocks; the same in each run."""
    counts = [1] * (4 * BLOCK)
    sample = [tuple(pick) for pick in picks(counts, Breadth(), Random("x"))]

    def there(sectors: Iterable[int]) -> tuple[int, ...]:
        chosen = set(sectors)
        return tuple(int(sector in chosen) for sector in range(len(counts)))

    every = range(len(counts))
    telling = {there(every[:at]) for at in every} | {there(every[at:]) for at in every}
    telling |= {there([at]) for at in every} | {there(set(every) - {at}) for at in every}
    telling |= {there(every[start:end]) for start in every for end in every[start:]}
    telling |= {there([*every[:BLOCK], *every[2 * BLOCK : 3 * BLOCK]])}
    assert telling <= set(sample)
    assert sample == [tuple(pick) for pick in picks(counts, Breadth(), Random("x"))]


def test_the_states_have_all_that_the_simulated_kernel_does():
    """The model of the sweep and the kernel of the other tests are two; what the one loses, the other can lose."""
    scenario = SCENARIOS[0]
    tape = _tape(scenario)
    steps = {step: {medium.key for medium in there} for step, _, there in states(scenario, tape, Breadth(draws=0))}

    compared = 0
    for step, entry in enumerate(tape.entries):
        if isinstance(entry.act, Write | Naming) and step % 5 == 0:
            for loss in (Loss.LOST, Loss.KEPT, Loss.TORN, Loss.NAMES_ONLY):
                assert _key_after(scenario, entry.call, loss) in steps[step], (entry.moment, loss)
                compared += 1
    assert compared > 40


def _tape(scenario) -> Tape:
    recording = Recording(scenario)
    assert recording.run() == []
    return recording.tape()


def _key_after(scenario, call: int, loss: Loss) -> bytes:
    """The state of the medium that the kernel itself makes of a cut."""
    recording = Recording(scenario)
    recording.run_to(call)
    recording.kernel.lose(loss, Random(0))
    files = {path: (Inode(), data) for path, data in recording.kernel.files().items()}
    (medium,) = media(Model(Tape(files, ()), scenario.board), ALL, Random(0))
    return medium.key
