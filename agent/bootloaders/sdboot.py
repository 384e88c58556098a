"""systemd-boot: what it must remember stands in the names of its entries, one a slot, on the partition that it reads.

`otabridge-7-b+2-1.conf` is the entry of slot b with 2 boots left and 1 made (The Boot Loader Specification, "Boot
counting"). systemd-boot prefers the highest number (sd-boot compares names as versions), counts a boot by renaming the
entry before it starts it, and puts an entry whose boots are used up behind all others. Without counters the entry is
blessed: it is booted without being counted. `otabridge-7-b.unbootable` is no entry to systemd-boot at all.

So each verb is one rename, made durable by a sync of the folder. The partition is FAT: should a power cut leave both
names, the entry is taken for what systemd-boot takes it for, and the next verb leaves one name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from agent.bootloaders.partitions import Partitions
from agent.bootloaders.verbs import Verbs
from agent.kernel import Kernel
from agent.slots import BootEnvironmentError, Slot

ENTRIES = Path("loader/entries")
ATTEMPTS = 3
LAYOUT = re.compile(
    r"otabridge-(?P<number>[0-9]{1,9})-(?P<slot>[ab])"
    r"(?:(?P<off>\.unbootable)|(?:\+(?P<left>[0-9]{1,3})(?:-(?P<done>[0-9]{1,3}))?)?\.conf)"
)


class Folder(Protocol):
    """The folder of the entries. Both raise OSError."""

    def names(self) -> Sequence[str]:
        """The names in it."""

    def rename(self, old: str, new: str) -> None:
        """Give `old` the name `new`, in place of what had it, durably."""


class SystemFolder:
    """Folder at `path` of this machine."""

    def __init__(self, path: Path, kernel: Kernel) -> None:
        self._path = path
        self._kernel = kernel

    def names(self) -> Sequence[str]:
        """See Folder."""
        return [entry.name for entry in self._path.iterdir()]

    def rename(self, old: str, new: str) -> None:
        """See Folder."""
        self._kernel.rename(self._path / old, self._path / new)
        descriptor = self._kernel.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._kernel.sync(descriptor)
        finally:
            self._kernel.close(descriptor)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the name of an entry says. `left` boots are left and `done` were made; `left` None: it is not counted."""

    slot: Slot
    number: int
    left: int | None = None
    done: int = 0
    unbootable: bool = False

    @property
    def name(self) -> str:
        """As systemd-boot writes it."""
        counters = "" if self.left is None else f"+{self.left}" + (f"-{self.done}" if self.done else "")
        return f"otabridge-{self.number}-{self.slot}" + (".unbootable" if self.unbootable else f"{counters}.conf")


def entry_of(name: str) -> Entry | None:
    """What `name` says; None when it is the name of something else."""
    match = LAYOUT.fullmatch(name)
    if match is None:
        return None
    left = None if match["left"] is None else int(match["left"])
    return Entry(Slot(match["slot"]), int(match["number"]), left, int(match["done"] or 0), bool(match["off"]))


@dataclass(frozen=True, slots=True)
class Entries:
    """The two entries, and the slot that runs: it tells the last boot of a trial from a trial that was given up."""

    a: Entry
    b: Entry
    running: Slot

    def entry(self, slot: Slot) -> Entry:
        """The entry of `slot`."""
        return self.a if slot is Slot.A else self.b

    def with_entry(self, entry: Entry) -> Entries:
        """The entry of its slot is `entry`."""
        return replace(self, a=entry) if entry.slot is Slot.A else replace(self, b=entry)

    @property
    def default(self) -> Slot:
        """The blessed entry with the highest number; without one the slot that runs."""
        blessed = [entry for entry in (self.a, self.b) if entry.left is None and not entry.unbootable]
        return max(blessed, key=lambda entry: entry.number).slot if blessed else self.running

    @property
    def trial(self) -> Slot | None:
        """The slot with a counted entry that is preferred to the default, while it has boots left or runs."""
        tried = self.entry(self.default.other)
        counted = tried.left is not None and not tried.unbootable
        preferred = tried.number > self.entry(self.default).number
        return tried.slot if counted and preferred and (tried.left or tried.slot is self.running) else None

    def trying(self, slot: Slot) -> Entries:
        """`slot` is preferred, and counted."""
        return self.with_entry(Entry(slot, self.entry(slot.other).number + 1, ATTEMPTS))

    def without(self, slot: Slot) -> Entries:
        """`slot` has no entry that systemd-boot sees."""
        return self.with_entry(Entry(slot, self.entry(slot).number, unbootable=True))

    def committed(self, slot: Slot) -> Entries:
        """`slot` is preferred and blessed."""
        own, other = self.entry(slot).number, self.entry(slot.other).number
        return self.with_entry(Entry(slot, own if own > other else other + 1))

    def refilled(self, running: Slot) -> Entries:
        """A blessed entry is not counted."""
        del running
        return self

    def excused(self, running: Slot) -> Entries:
        """A boot of the trial goes from those made to those left."""
        entry = self.entry(running)
        if self.trial is not running or entry.left is None or not entry.done:
            return self
        return self.with_entry(replace(entry, left=entry.left + 1, done=entry.done - 1))


class SystemdBoot(Verbs[Entries]):
    """agent.slots.BootLoader over the entries in `folder`, which errors call `place`."""

    def __init__(self, partitions: Partitions, folder: Folder, place: Path) -> None:
        self._partitions = partitions
        self._folder = folder
        self._place = place

    def booted(self) -> Slot:
        """See BootLoader."""
        return self._partitions.booted()

    def device(self, slot: Slot) -> Path:
        """See BootLoader."""
        return self._partitions.device(slot)

    def entry_name(self, slot: Slot) -> str:
        """The file name of the entry of `slot`. Raises: BootEnvironmentError."""
        return self._read().entry(slot).name

    def _read(self) -> Entries:
        known = self._known()
        for slot in Slot:
            if not known[slot]:
                raise BootEnvironmentError(
                    f"{self._place} has no entry for slot {slot}; put one there, as otabridge-1-{slot}.conf"
                )
        return Entries(known[Slot.A][-1], known[Slot.B][-1], self.booted())

    def _known(self) -> dict[Slot, list[Entry]]:
        """The entries of each slot, the one that systemd-boot prefers last."""
        try:
            entries = [entry for entry in map(entry_of, self._folder.names()) if entry is not None]
        except OSError as error:
            raise BootEnvironmentError(
                f"{self._place} cannot be read ({error.strerror}); mount the boot partition"
            ) from error
        entries.sort(key=lambda entry: (not entry.unbootable, entry.number, entry.left is not None))
        return {slot: [entry for entry in entries if entry.slot is slot] for slot in Slot}

    def _write(self, environment: Entries) -> None:
        for slot, entries in self._known().items():
            self._rename(entries, environment.entry(slot).name)

    def _rename(self, entries: Sequence[Entry], name: str) -> None:
        """The preferred one first: until then nothing has changed, and then everything has."""
        try:
            for entry in reversed(entries):
                if entry.name != name:
                    self._folder.rename(entry.name, name)
        except OSError as error:
            raise BootEnvironmentError(f"{self._place}/{name} cannot be made: {error.strerror or error}") from error
