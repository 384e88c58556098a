"""A medium as sectors: what is durable, and for each sector that is not, every content it may have at a power cut.

A state of the medium shares all that it does not change: a slot of 256 sectors is an array of so many numbers.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

from tests.agent.power import SECTOR, Inode, Naming, Write, put
from tests.sweep.boards import Board
from tests.sweep.recorder import Act, Settled, Synced, SyncedNames, Tape

_BYTES: dict[int, bytes] = {}


def intern_sector(data: bytes) -> int:
    """The number of a sector: a hash of its bytes, the same in every process."""
    padded = data.ljust(SECTOR, b"\0")
    number = int.from_bytes(blake2b(padded, digest_size=8).digest(), "little")
    _BYTES[number] = padded
    return number


def interned(data: bytes | bytearray) -> array[int]:
    """The sectors of `data`."""
    return array("Q", (intern_sector(bytes(data[at : at + SECTOR])) for at in range(0, len(data), SECTOR)))


def sector_bytes(number: int) -> bytes:
    """The bytes of a sector that was interned in this process."""
    return _BYTES[number]


ZEROS = intern_sector(b"")


def is_read(path: Path) -> bool:
    """Whether anybody reads the file: not so the draft of another, which is truncated before it is written."""
    return path.suffix != ".new"


class Content:
    """What one file holds: `length` bytes in `sectors`. Equal contents have equal keys."""

    def __init__(self, sectors: array[int], length: int) -> None:
        self.sectors = sectors
        self.length = length
        self.key = blake2b(sectors.tobytes(), digest_size=12, salt=length.to_bytes(8, "little")).digest()

    def data(self) -> bytes:
        """The bytes."""
        return b"".join(map(sector_bytes, self.sectors))[: self.length]


@dataclass(frozen=True)
class Medium:
    """A state after a power cut."""

    contents: Mapping[Path, Content]

    @cached_property
    def key(self) -> bytes:
        """The same for states that nobody can tell apart."""
        told = blake2b(digest_size=12)
        for path in sorted(self.contents):
            if is_read(path):
                told.update(bytes(path) + self.contents[path].key)
        return told.digest()

    def files(self) -> dict[Path, bytes]:
        """The bytes of every file."""
        return {path: content.data() for path, content in self.contents.items()}


class File:
    """One inode. `versions` has, for each sector on its way, its contents since the last sync, oldest first."""

    def __init__(self, data: bytes = b"") -> None:
        self.live = bytearray(data)
        self.versions: dict[int, list[int]] = {}
        self.settled = Content(interned(data), len(data))

    @property
    def is_pending(self) -> bool:
        """Whether a power cut may leave it otherwise than a read sees it."""
        return bool(self.versions) or len(self.live) != self.settled.length

    def write(self, offset: int, data: bytes) -> None:
        """The cache takes `data`. A sector that it alters is on its way; for another it makes no difference."""
        first = min(offset, len(self.live)) // SECTOR
        put(self.live, offset, data)
        for sector in range(first, -(-(offset + len(data)) // SECTOR)):
            number = intern_sector(bytes(self.live[sector * SECTOR : (sector + 1) * SECTOR]))
            if number != self._latest(sector):
                self.versions.setdefault(sector, []).append(number)

    def _latest(self, sector: int) -> int | None:
        """Its content as a read sees it; None behind the durable end."""
        if sector in self.versions:
            return self.versions[sector][-1]
        return self.settled.sectors[sector] if sector < len(self.settled.sectors) else None

    def sync(self) -> None:
        """All is durable."""
        if self.is_pending:
            self.settled = self.content({each: numbers[-1] for each, numbers in self.versions.items()}, len(self.live))
            self.versions = {}

    def shortest(self, landed: Mapping[int, int]) -> int:
        """The least length with which the sectors in `landed` can be there."""
        reached = (max(landed) + 1) * SECTOR if landed else 0
        return max(self.settled.length, min(reached, len(self.live)))

    def content(self, landed: Mapping[int, int], length: int) -> Content:
        """The durable sectors with those in `landed` over them, and zeros where there are none up to `length`."""
        sectors = self.settled.sectors[:]
        missing = -(-length // SECTOR) - len(sectors)
        if missing > 0:
            sectors.extend([ZEROS] * missing)
        for sector, number in landed.items():
            sectors[sector] = number
        return Content(sectors, length)


class Model:
    """A medium in the course of a tape: `names` are durable, `namings` on their way, in order."""

    def __init__(self, tape: Tape, board: Board) -> None:
        self._board = board
        self._files: dict[int, File] = {}
        self._inodes: list[Inode] = []  # held, so that no two have one id
        self.names: dict[Path, File] = {}
        self.namings: list[Naming] = []
        for path, (inode, data) in tape.files.items():
            self.names[path] = self._adopt(inode, data)

    def apply(self, act: Act) -> None:
        """The next step of the tape."""
        match act:
            case Write(inode, offset, data):
                self.file(inode).write(offset, data)
            case Naming():
                self.namings += self._steps(act)
            case Synced(inode):
                self.file(inode).sync()
            case SyncedNames(folder):
                self._make_durable([each for each in self.namings if each.path.parent == folder])
            case Settled():
                self._make_durable(self.namings)
                for file in self._files.values():
                    file.sync()

    def named(self, count: int) -> dict[Path, File]:
        """The files there are when the first `count` namings on their way got through."""
        names = dict(self.names)
        for naming in self.namings[:count]:
            self._name(names, naming)
        return names

    def file(self, inode: Inode) -> File:
        """The file that is `inode`; a new one is empty."""
        return self._files.get(id(inode)) or self._adopt(inode, b"")

    def _steps(self, naming: Naming) -> list[Naming]:
        if self._board.renames_in_two and naming.path.parent == self._board.folder and naming.gone is not None:
            return [replace(naming, gone=None), naming]
        return [naming]

    def _adopt(self, inode: Inode, data: bytes) -> File:
        self._inodes.append(inode)
        self._files[id(inode)] = File(data)
        return self._files[id(inode)]

    def _make_durable(self, namings: list[Naming]) -> None:
        for naming in namings:
            self._name(self.names, naming)
        done = set(map(id, namings))
        self.namings = [each for each in self.namings if id(each) not in done]

    def _name(self, names: dict[Path, File], naming: Naming) -> None:
        if naming.inode is None:
            names.pop(naming.path, None)
        else:
            names[naming.path] = self.file(naming.inode)
        if naming.gone is not None:
            names.pop(naming.gone, None)
