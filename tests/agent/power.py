"""A kernel in memory whose power can be cut at every call: what was not synced is lost, kept, torn or scrambled.

It models what a file system promises and no more. Data is durable after a sync of its file, a name after a sync of its
folder. Until then each 512-byte sector may or may not have reached the medium, a new file may have its length and only
zeros, and a name may be there without the data. Names change in the order in which they were given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from pathlib import Path
from random import Random
from typing import Self

SECTOR = 512


class PowerCut(BaseException):
    """The power is gone. Not an Exception: no code of the agent may handle it."""


class Loss(StrEnum):
    """What becomes of all that was not synced when the power is cut."""

    LOST = auto()
    KEPT = auto()
    TORN = auto()
    """All is kept but the second half of the last write."""
    NAMES_ONLY = auto()
    """Files were created and renamed, their data is missing: the classic of a missing sync before a rename."""
    SCRAMBLED = auto()
    """Any sectors, and any first part of the names."""


@dataclass(slots=True)
class Inode:
    """A file: `live` is what a read gives, `durable` what a power cut leaves at least."""

    live: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class Write:
    """Data on its way to the medium."""

    inode: Inode
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Naming:
    """A name on its way to the medium: `path` means `inode`, or nothing where that is None, and `gone` means nothing
    any more."""

    path: Path
    inode: Inode | None
    gone: Path | None = None


class SimulatedKernel:
    """agent.kernel.Kernel. Every call that changes something, and every `moment`, is a place to cut; `calls` counts
    them.

    The power is cut during call number `cut_at`: a write or rename is on its way then, a sync has not happened.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.cut_at: int | None = None
        self.log: list[str] = []
        self.faults: dict[str, OSError] = {}
        self._names: dict[Path, Inode] = {}
        self._durable_names: dict[Path, Inode] = {}
        self._writes: list[Write] = []
        self._namings: list[Naming] = []
        self._open: dict[int, Inode | Path] = {}
        self._folders: set[Path] = set()
        self.free_bytes = 2**40

    @classmethod
    def holding(cls, files: Mapping[Path, bytes]) -> Self:
        """One whose medium holds `files`."""
        kernel = cls()
        kernel._names = {path: Inode(bytearray(data), bytearray(data)) for path, data in files.items()}
        kernel._durable_names = dict(kernel._names)
        return kernel

    def open(self, path: Path, flags: int) -> int:
        """See Kernel."""
        descriptor = max(self._open, default=2) + 1
        if flags & os.O_DIRECTORY:
            self._open[descriptor] = path
            return descriptor
        if flags & os.O_TRUNC or (flags & os.O_CREAT and path not in self._names):
            self._fault_at("create", path)
            self._create(path)
        elif path not in self._names:
            raise FileNotFoundError(2, "No such file or directory", str(path))
        self._open[descriptor] = self._names[path]
        return descriptor

    def write(self, descriptor: int, data: memoryview, offset: int) -> int:
        """See Kernel."""
        inode = self._inode(descriptor)
        self._fault("write", inode)
        self._writes.append(Write(inode, offset, bytes(data)))
        put(inode.live, offset, data)
        self.moment(f"write {self._name(inode)}")
        return len(data)

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """See Kernel."""
        inode = self._inode(descriptor)
        self._fault("read", inode)
        return bytes(inode.live[offset : offset + length])

    def read_into(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        """See Kernel."""
        data = self.read(descriptor, len(buffer), offset)
        buffer[: len(data)] = data
        return len(data)

    def forget(self, descriptor: int, offset: int, length: int) -> None:
        """See Kernel."""

    def length(self, descriptor: int) -> int:
        """See Kernel."""
        return len(self._inode(descriptor).live)

    def sync(self, descriptor: int) -> None:
        """See Kernel."""
        opened = self._open[descriptor]
        if isinstance(opened, Path):
            self._raise_fault(f"sync folder {opened.name}")
            self.moment(f"sync folder {opened.name}")
            self._sync_names(opened)
            return
        self._fault("sync", opened)
        self.moment(f"sync {self._name(opened)}")
        self.flush(opened)

    def flush(self, inode: Inode) -> None:
        """What was written to `inode` and not given up reaches the medium."""
        for write in self._writes:
            if write.inode is inode:
                keep_sectors(write, [True] * -(-len(write.data) // SECTOR))
        self.give_up(inode)

    def give_up(self, inode: Inode) -> None:
        """Forget what is on its way to `inode`: reads still see it, no later sync makes it durable."""
        self._writes = [write for write in self._writes if write.inode is not inode]

    def rename(self, old: Path, new: Path) -> None:
        """See Kernel."""
        self._fault("rename", self._names[old])
        self._name_it(Naming(new, self._names[old], gone=old))
        self.moment(f"rename {new.name}")

    def make_folder(self, path: Path) -> None:
        """See Kernel. A folder is there as long as the machine runs, or anything is in it."""
        self._fault_at("make", path)
        if self._is_folder(path):
            raise FileExistsError(17, "File exists", str(path))
        self._folders.add(path)
        self.moment(f"make {path.name}")

    def names(self, folder: Path) -> list[str]:
        """See Kernel."""
        self._fault_at("list", folder)
        if folder in self._names:
            raise NotADirectoryError(20, "Not a directory", str(folder))
        if not self._is_folder(folder):
            raise FileNotFoundError(2, "No such file or directory", str(folder))
        depth = len(folder.parts)
        return list({path.parts[depth] for path in (*self._names, *self._folders) if folder in path.parents})

    def remove(self, path: Path) -> None:
        """See Kernel."""
        self._fault("remove", self._names[path])
        self._name_it(Naming(path, None))
        self.moment(f"remove {path.name}")

    def remove_folder(self, path: Path) -> None:
        """See Kernel."""
        self._fault_at("remove", path)
        self._folders.discard(path)
        self.moment(f"remove {path.name}")

    def free(self, folder: Path) -> int:
        """See Kernel."""
        self._fault_at("free", folder)
        return self.free_bytes

    def close(self, descriptor: int) -> None:
        """See Kernel."""
        del self._open[descriptor]

    def moment(self, what: str) -> None:
        """Something happens; the power may be cut now."""
        self.calls += 1
        self.log.append(what)
        if self.calls == self.cut_at:
            raise PowerCut(what)

    def lose(self, loss: Loss, random: Random) -> None:
        """The power was cut: only what `loss` leaves is there at the next start."""
        for naming in self._namings[: self._surviving_names(loss, random)]:
            apply(self._durable_names, naming)
        for index, write in enumerate(self._writes):
            keep_sectors(write, self._surviving_sectors(loss, random, write, last=index == len(self._writes) - 1))
        self._restart()

    def settle(self) -> None:
        """An orderly shutdown: everything reaches the medium."""
        self.lose(Loss.KEPT, Random(0))

    def content(self, path: Path) -> bytes:
        """What a read of `path` gives."""
        return bytes(self._names[path].live)

    def files(self) -> dict[Path, bytes]:
        """What a read of each file gives."""
        return {path: bytes(inode.live) for path, inode in self._names.items()}

    def spoil(self, path: Path, offset: int = 0) -> None:
        """Flip a bit on the medium."""
        self._names[path].live[offset] ^= 1
        self._names[path].durable[offset] ^= 1

    def opened(self, descriptor: int) -> Path | None:
        """The path of an open file."""
        inode = self._open[descriptor]
        return next((path for path, known in self._names.items() if known is inode), None)

    def fork(self) -> SimulatedKernel:
        """The same medium in another machine, as a power-up would find it now."""
        return SimulatedKernel.holding(self.files())

    def _create(self, path: Path) -> None:
        self._name_it(Naming(path, Inode()))
        self.moment(f"create {path.name}")

    def _name_it(self, naming: Naming) -> None:
        self._namings.append(naming)
        apply(self._names, naming)

    def _sync_names(self, folder: Path) -> None:
        for naming in self._namings:
            if naming.path.parent == folder:
                apply(self._durable_names, naming)
        self._namings = [naming for naming in self._namings if naming.path.parent != folder]

    def _surviving_names(self, loss: Loss, random: Random) -> int:
        if loss is Loss.SCRAMBLED:
            return random.randint(0, len(self._namings))
        return 0 if loss is Loss.LOST else len(self._namings)

    def _surviving_sectors(self, loss: Loss, random: Random, write: Write, *, last: bool) -> list[bool]:
        count = -(-len(write.data) // SECTOR)
        if loss is Loss.SCRAMBLED:
            return [random.random() < 0.5 for _ in range(count)]
        if loss is Loss.TORN and last:
            return [index < count // 2 for index in range(count)]
        return [loss in (Loss.KEPT, Loss.TORN)] * count

    def _is_folder(self, path: Path) -> bool:
        return path in self._folders or any(path in each.parents for each in (*self._names, *self._folders))

    def _restart(self) -> None:
        self._folders = set()
        self._names = dict(self._durable_names)
        for inode in self._names.values():
            inode.live[:] = inode.durable
        self._writes, self._namings, self._open = [], [], {}

    def _inode(self, descriptor: int) -> Inode:
        opened = self._open[descriptor]
        assert isinstance(opened, Inode)
        return opened

    def _name(self, inode: Inode) -> str:
        return next((path.name for path, known in self._names.items() if known is inode), "?")

    def _fault_at(self, call: str, path: Path) -> None:
        self._raise_fault(f"{call} {path.name}")

    def _fault(self, call: str, inode: Inode) -> None:
        if self.faults:
            self._raise_fault(f"{call} {self._name(inode)}")

    def _raise_fault(self, called: str) -> None:
        for prefix, fault in self.faults.items():
            if called.startswith(prefix):
                raise fault


def put(content: bytearray, offset: int, data: bytes | memoryview) -> None:
    """Write `data` into `content`, with zeros before it where `content` is shorter."""
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def apply(names: dict[Path, Inode], naming: Naming) -> None:
    """Let `naming` take effect on `names`."""
    if naming.inode is None:
        names.pop(naming.path, None)
    else:
        names[naming.path] = naming.inode
    if naming.gone is not None:
        names.pop(naming.gone, None)


def keep_sectors(write: Write, kept: list[bool]) -> None:
    """Bring those sectors of `write` to the medium. Once one is there, so is the file's new length, with zeros."""
    if not any(kept):
        return
    durable, end = write.inode.durable, write.offset + len(write.data)
    durable.extend(bytes(max(0, end - len(durable))))
    for index, keep in enumerate(kept):
        start = index * SECTOR
        if keep:
            put(durable, write.offset + start, write.data[start : start + SECTOR])
