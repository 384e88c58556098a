"""Power cuts in a recording: an update that keeps its order survives all of them, one that does not is found out."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.slots import Slot
from tests.boot.bootmodel import Decision, Remembered, decide, read
from tests.boot.disk import ENVIRONMENT_BYTES, ENVIRONMENT_OFFSETS, DiskImage
from tests.boot.environment import HEAD
from tests.boot.recording import Entry
from tests.boot.replay import Geometry, Known, State, states, violation

SLOT_MIB = 1
PIECE = 64 * 1024
FLUSH = Entry(0, np.zeros(0, np.uint8), flush=True)
FACTORY = {"otabridge_default": "a"}
TRIAL = {"otabridge_default": "a", "otabridge_trial": "b", "upgrade_available": "1", "bootcount": "0"}


def image(seed: int) -> np.ndarray:
    """The bytes of a slot."""
    return np.frombuffer(random.Random(seed).randbytes(SLOT_MIB << 20), np.uint8)


OLD, NEW = Known("1.0.0", image(1)), Known("2.0.0", image(2))
DEAD = Known("2.0.0", image(2), runs=False)


def copy(flag: int, variables: dict[str, str]) -> bytes:
    """One copy of U-Boot's environment."""
    data = b"".join(f"{name}={value}\0".encode() for name, value in variables.items()) + b"\0"
    data = data.ljust(ENVIRONMENT_BYTES - HEAD.size, b"\0")
    return HEAD.pack(zlib.crc32(data), flag) + data


def both(variables: dict[str, str]) -> bytes:
    """Both copies, the first the newer."""
    return copy(1, variables) + copy(0, variables)


def writes(disk: DiskImage) -> list[Entry]:
    """The new image into slot b."""
    start = disk.start(3)
    return [Entry(start + at, NEW.blocks[at : at + PIECE]) for at in range(0, len(NEW.blocks), PIECE)]


def switch() -> Entry:
    """Slot b on trial, into the older copy."""
    return Entry(ENVIRONMENT_OFFSETS[1], np.frombuffer(copy(2, TRIAL), np.uint8))


@pytest.fixture
def disk(tmp_path) -> DiskImage:
    """Where on a disk things are; the disk itself is not needed."""
    return DiskImage(Path(tmp_path, "none"), SLOT_MIB)


def found(disk: DiskImage, log: list[Entry], *, flushes: bool = True, new: Known = NEW) -> set[str]:
    """What goes wrong in all states of an update that did `log`."""
    return {words for state in replayed(disk, log, flushes=flushes, new=new) if (words := violation(state, known(new)))}


def known(new: Known) -> dict[str, Known]:
    """Both images by name."""
    return {OLD.name: OLD, new.name: new}


def replayed(disk: DiskImage, log: list[Entry], *, flushes: bool, new: Known) -> Iterator[State]:
    """The states from a factory's disk on."""
    geometry = Geometry(disk, SLOT_MIB, [OLD, new])
    start = geometry.begin(both(FACTORY), {Slot.A: OLD.name, Slot.B: None})
    return states(start, iter(log), geometry, samples=4, flushes=flushes)


def test_an_update_that_keeps_its_order_survives_every_cut(disk):
    """The slot is durable before the switch."""
    assert found(disk, [*writes(disk), FLUSH, switch(), FLUSH]) == set()


def test_a_switch_before_the_slot_is_durable_is_found_out(disk):
    """The same without the flush in between."""
    assert found(disk, [*writes(disk), switch(), FLUSH]) == {"slot b, which is not whole, is started"}


def test_flushes_that_are_not_believed_are_found_out(disk):
    """The control of every replay."""
    assert found(disk, [*writes(disk), FLUSH, switch(), FLUSH], flushes=False)


def test_a_release_that_does_not_run_falls_back(disk):
    """The old slot is whole and runs."""
    assert found(disk, [*writes(disk), FLUSH, switch(), FLUSH], new=DEAD) == set()


def test_a_release_that_is_smaller_than_its_slot_is_whole_without_the_rest(disk):
    """What lies behind it is of the image before it, and nobody's business."""
    small = Known(NEW.name, NEW.blocks[: len(NEW.blocks) // 2])
    log = [entry for entry in writes(disk) if entry.offset < disk.start(3) + len(small.blocks)]

    assert found(disk, [*log, FLUSH, switch(), FLUSH], new=small) == set()
    assert found(disk, [*log, switch(), FLUSH], new=small) == {"slot b, which is not whole, is started"}


def test_a_write_over_the_slot_that_runs_is_found_out(disk):
    """A device without a slot is no device."""
    over = Entry(disk.start(2), NEW.blocks[:PIECE])

    assert found(disk, [over, FLUSH]) == {"slot a, which is not whole, is started"}


COUNTED = Remembered(Slot.A, trial=Slot.B, counted=True)
DECISIONS = [
    (Remembered(Slot.B), "ab", Decision(Slot.B, Remembered(Slot.B))),
    (COUNTED, "ab", Decision(Slot.B, Remembered(Slot.A, trial=Slot.B, counted=True, count=1))),
    (COUNTED, "a", Decision(Slot.A, Remembered(Slot.A, unbootable=Slot.B))),
    (Remembered(Slot.A, Slot.B, counted=True, count=3), "ab", Decision(Slot.A, Remembered(Slot.A, unbootable=Slot.B))),
    (Remembered(Slot.A, unbootable=Slot.B), "b", Decision(None, Remembered(Slot.A, unbootable=Slot.B))),
    (Remembered(Slot.A), "b", Decision(Slot.B, Remembered(Slot.A))),
]


@pytest.mark.parametrize(("remembered", "sound", "decision"), DECISIONS)
def test_the_model_decides_as_the_script(remembered, sound, decision):
    """A few of the cases that the real U-Boot decides elsewhere."""
    assert decide(remembered, lambda slot: slot in sound) == decision


def test_the_newer_sound_copy_counts():
    """A spoilt copy is passed over, however new it is; without any, slot a comes first and is counted."""
    newer, older = copy(1, TRIAL), copy(0, FACTORY)
    spoilt = newer[:-1] + b"x"

    assert read(older, newer).trial is Slot.B
    assert read(newer, older).trial is Slot.B
    assert read(spoilt, older) == Remembered(Slot.A)
    assert read(spoilt, spoilt) == Remembered(Slot.A, counted=True)
