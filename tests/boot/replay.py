"""Power cuts in a recorded life of a guest: thousands of states in which the disk may be found, each judged.

A write is durable once a flush came after it. Until then any of the pending ones may be on the disk, in any order, the
last of them torn at a sector. In every such state U-Boot must start a slot that is whole, and within a few power-ons
one whose release runs: nothing else is a device that can still be updated.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.slots import Slot
from tests.boot.board import PARTITIONS
from tests.boot.bootmodel import Remembered, decide, read
from tests.boot.disk import ENVIRONMENT_BYTES, ENVIRONMENT_OFFSETS, DiskImage
from tests.boot.recording import SECTOR, Bytes, Entry

BLOCK = 4096
POWER_ONS = 10
"""More than a trial and both slots' counts take."""
SEED = 1
KEPT = (0.1, 0.5, 0.9)
"""Shares of the pending writes that reach the disk."""
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Known:
    """An image that a slot may hold. `starts`: its kernel does; `runs`: so does its agent."""

    name: str
    blocks: Bytes
    starts: bool = True
    runs: bool = True


@dataclass(frozen=True, slots=True)
class Write:
    """A write as it matters: bytes of the environment, or blocks of a slot, each compared with each known image."""

    environment: tuple[tuple[int, bytes], ...] = ()
    slot: Slot | None = None
    first: int = 0
    equal: Mapping[str, Flags] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """A disk: both copies of the environment, and for each slot and image which blocks are equal."""

    environment: bytearray
    equal: dict[Slot, dict[str, Flags]]

    def copy(self) -> State:
        """Another, to be changed."""
        equal = {slot: {name: flags.copy() for name, flags in each.items()} for slot, each in self.equal.items()}
        return State(bytearray(self.environment), equal)

    def apply(self, write: Write) -> None:
        """The write is on the disk."""
        for at, data in write.environment:
            self.environment[at : at + len(data)] = data
        if write.slot is not None:
            for name, flags in write.equal.items():
                kept = self.equal[write.slot][name][write.first : write.first + len(flags)]
                kept[:] = flags[: len(kept)]

    def holds(self, slot: Slot) -> str | None:
        """The image that `slot` holds, all of it."""
        return next((name for name, flags in self.equal[slot].items() if flags.all()), None)

    def remembered(self) -> Remembered:
        """What U-Boot reads."""
        copies = bytes(self.environment)
        return read(copies[:ENVIRONMENT_BYTES], copies[ENVIRONMENT_BYTES:])


class Geometry:
    """Where on the disk writes matter, and what images there are."""

    def __init__(self, disk: DiskImage, slot_mib: int, images: Sequence[Known]) -> None:
        self.images = {image.name: image for image in images}
        self._starts = {slot: disk.start(number) for slot, number in PARTITIONS.items()}
        self._length = slot_mib << 20

    def begin(self, environment: bytes, slots: Mapping[Slot, str | None]) -> State:
        """A disk with these images in its slots; None is a slot of zeros."""
        zeros = np.zeros(self._length, np.uint8)
        content = {slot: zeros if name is None else self.images[name].blocks for slot, name in slots.items()}
        equal = {slot: self._compared(data, 0) for slot, data in content.items()}
        return State(bytearray(environment), equal)

    def understand(self, offset: int, data: Bytes) -> Write | None:
        """What a write changes; None where nothing of it matters."""
        first = ENVIRONMENT_OFFSETS[0]
        if offset < first + 2 * ENVIRONMENT_BYTES and offset + len(data) > first:
            skipped = max(0, first - offset)
            return Write(environment=((max(0, offset - first), data[skipped:].tobytes()),))
        found = ((slot, start) for slot, start in self._starts.items() if start <= offset < start + self._length)
        slot, start = next(found, (None, 0))
        return None if slot is None else self._into_slot(slot, offset - start, data)

    def _into_slot(self, slot: Slot, offset: int, data: Bytes) -> Write:
        """Blocks that are written in part count as spoilt: so nothing is believed that was not seen whole."""
        if offset % BLOCK or len(data) % BLOCK:
            count = (offset + len(data) - 1) // BLOCK - offset // BLOCK + 1
            spoilt = {name: np.zeros(count, np.bool_) for name in self.images}
            return Write(slot=slot, first=offset // BLOCK, equal=spoilt)
        return Write(slot=slot, first=offset // BLOCK, equal=self._compared(data, offset))

    def _compared(self, data: Bytes, offset: int) -> dict[str, Flags]:
        return {name: _equal(data, image.blocks[offset : offset + len(data)]) for name, image in self.images.items()}


def _equal(data: Bytes, image: Bytes) -> Flags:
    """Which blocks of `data` are those of `image`, as far as that goes: it may be smaller than the slot."""
    same: Flags = (data[: len(image)].reshape(-1, BLOCK) == image.reshape(-1, BLOCK)).all(axis=1)
    return same


@dataclass(frozen=True, slots=True)
class Pending:
    """A write that no flush has made durable: as a whole, and its bytes, of which a torn one keeps the first."""

    entry: Entry
    write: Write

    def torn(self, geometry: Geometry, choice: random.Random) -> Write:
        """Some of its sectors, from the first on."""
        sectors = len(self.entry.data) // SECTOR
        if sectors < 2:
            return self.write
        kept = self.entry.data[: choice.randrange(1, sectors) * SECTOR]
        return geometry.understand(self.entry.offset, kept) or self.write


def states(start: State, log: Iterator[Entry], geometry: Geometry, *, samples: int, flushes: bool) -> Iterator[State]:
    """Every prefix of the `log` from `start` on that ends with a write that matters, and `samples` reorderings of each.
    Without `flushes` none is believed, as if the device had never asked for one."""
    choice = random.Random(SEED)
    durable, pending = start.copy(), list[Pending]()
    for entry in log:
        if entry.flush and flushes:
            _settle(durable, pending)
        write = geometry.understand(entry.offset, entry.data) if len(entry.data) else None
        if write is None:
            continue
        pending.append(Pending(entry, write))
        yield _with(durable, (each.write for each in pending))
        for _ in range(samples):
            yield _with(durable, _some(pending, geometry, choice))
        if entry.fua and flushes:
            durable.apply(pending.pop().write)


def _settle(durable: State, pending: list[Pending]) -> None:
    for each in pending:
        durable.apply(each.write)
    pending.clear()


def _with(durable: State, writes: Iterator[Write]) -> State:
    state = durable.copy()
    for write in writes:
        state.apply(write)
    return state


def _some(pending: Sequence[Pending], geometry: Geometry, choice: random.Random) -> Iterator[Write]:
    share = choice.choice(KEPT)
    picked = [each for each in pending if choice.random() < share]
    choice.shuffle(picked)
    yield from (each.write for each in picked[:-1])
    yield from (each.torn(geometry, choice) for each in picked[-1:])


def violation(state: State, images: Mapping[str, Known]) -> str | None:
    """What is wrong with a disk in `state`; None where a whole release comes to run."""
    held = {slot: state.holds(slot) for slot in Slot}
    known = {slot: None if name is None else images[name] for slot, name in held.items()}

    def can_start(slot: Slot) -> bool:
        image = known[slot]
        return image is None or image.starts  # half of an image may well have a kernel

    remembered = state.remembered()
    for _ in range(POWER_ONS):
        decision = decide(remembered, can_start)
        remembered = decision.after
        if decision.slot is None:
            return f"no slot can be started: {held}"
        image = known[decision.slot]
        if image is None:
            return f"slot {decision.slot}, which is not whole, is started"
        if image.runs:
            return None
    return f"no release comes to run: {held}, {remembered}"
