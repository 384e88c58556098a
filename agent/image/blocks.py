"""What Linux tells of block devices: who mounted them, and which of them share bytes.

Sources: proc(5), /proc/self/mountinfo; the kernel's Documentation/ABI/stable/sysfs-block; open(2): of a block device,
O_EXCL without O_CREAT fails with EBUSY where the kernel itself uses it, whatever the agent can see.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from agent.image.fitness import ADVICE, Kind, Place, UnfitSlot, Uses, require_fit

MAX_DEVICES = 4096
"""Devices looked at for one slot; no board has as many."""
_OCTAL = re.compile(r"\\([0-7]{3})")


class Blocks:
    """The block devices of this machine. A test gives other roots of `/proc/self/mountinfo` and `/sys`."""

    def __init__(
        self, *, files: bool, mountinfo: Path = Path("/proc/self/mountinfo"), sysfs: Path = Path("/sys")
    ) -> None:
        """`files`: whether a slot may be a regular file, as on a board made of files."""
        self._files = files
        self._mountinfo = mountinfo
        self._sysfs = sysfs

    def require_fit(self, target: Path, running: Path) -> None:
        """Whether the slot at `target` may be written, while the one at `running` runs. Writes nothing.

        Raises: UnfitSlot, naming the path and what to do.
        """
        place = self._place(target, to_write=True)
        require_fit(place, self._place(running, to_write=False), self._uses(place), files=self._files)

    def _place(self, path: Path, *, to_write: bool) -> Place:
        try:
            found = path.stat()
        except OSError as error:
            raise UnfitSlot(f"slot {path}: {error.strerror}; {ADVICE}, or bring the device back") from error
        place = Place(path, _kind(found), _id(found), read_only=self._is_read_only(_id(found)))
        if not to_write or place.read_only or place.kind not in (Kind.BLOCK, Kind.FILE):
            return place
        return _tried(place)

    def _is_read_only(self, number: str) -> bool:
        try:
            return (self._folder(number) / "ro").read_text().strip() == "1"
        except OSError:
            return False  # a regular file; where /sys is missing, opening it tells

    def _uses(self, place: Place) -> Uses:
        names = {number: self._name(number) for number in self._sharing(place.id)}
        return Uses({**names, place.id: place.path}, self._mounts())

    def _mounts(self) -> dict[str, tuple[str, ...]]:
        """Folders by the device that is mounted there: by its number, and by its name where the number is no device's,
        as with btrfs."""
        found: dict[str, tuple[str, ...]] = {}
        try:
            lines = self._mountinfo.read_text(errors="surrogateescape").splitlines()
        except OSError as error:
            raise UnfitSlot(f"{self._mountinfo} cannot be read: {error.strerror}; mount /proc") from error
        for line in lines:
            for number, folder in _mounted(line):
                found[number] = (*found.get(number, ()), folder)
        return found

    def _sharing(self, start: str) -> set[str]:
        """The devices whose bytes are among those of `start`, or the other way round, `start` included."""
        wholes = self._wholes(start)
        found, ahead = {start, *wholes}, [start, *wholes]
        while ahead and len(found) < MAX_DEVICES:
            number = ahead.pop()
            parts = () if number in wholes else self._parts(number)  # what lies beside `start` shares nothing with it
            new = {*parts, *self._holders(number), *self._loops(number)} - found
            found |= new
            ahead.extend(new)
        return found

    def _folder(self, number: str) -> Path:
        return (self._sysfs / "dev/block" / number).resolve()

    def _wholes(self, number: str) -> tuple[str, ...]:
        """The disk that the partition `number` lies on."""
        folder = self._folder(number)
        return tuple(_numbers([folder.parent])) if (folder / "partition").exists() else ()

    def _parts(self, number: str) -> Iterator[str]:
        """The partitions of the disk `number`."""
        return _numbers(mark.parent for mark in self._folder(number).glob("*/partition"))

    def _holders(self, number: str) -> Iterator[str]:
        """What lies above it: device mappers, RAID."""
        return _numbers(self._folder(number).glob("holders/*"))

    def _loops(self, number: str) -> Iterator[str]:
        """Loop devices over it."""
        for file in (self._sysfs / "block").glob("loop*/loop/backing_file"):
            try:
                backing = Path(file.read_text().rstrip("\n")).stat()
            except OSError:
                continue  # set free meanwhile, or its file was deleted
            if _id(backing) == number:
                yield from _numbers([file.parent.parent])

    def _name(self, number: str) -> Path:
        return Path("/dev") / self._folder(number).name


def _kind(found: os.stat_result) -> Kind:
    tests = ((stat.S_ISBLK, Kind.BLOCK), (stat.S_ISREG, Kind.FILE), (stat.S_ISDIR, Kind.FOLDER))
    return next((kind for test, kind in tests if test(found.st_mode)), Kind.OTHER)


def _id(found: os.stat_result) -> str:
    """Major and minor number of a block device; of all else its file system and inode, which no number looks like."""
    if stat.S_ISBLK(found.st_mode):
        return f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    return f"file {found.st_dev}:{found.st_ino}"


def _tried(place: Place) -> Place:
    """`place` opened as it will be to be written, and closed. Raises: UnfitSlot."""
    try:
        os.close(os.open(place.path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.EROFS):
            raise UnfitSlot(
                f"slot {place.path} cannot be opened for writing: {error.strerror}; let the agent write it "
                f"(DeviceAllow in its unit file, or the device's owner and mode), or {ADVICE}"
            ) from error
        return replace(place, busy=error.errno == errno.EBUSY, read_only=error.errno == errno.EROFS)
    return place


def _mounted(line: str) -> Iterator[tuple[str, str]]:
    """The device of one line of mountinfo, by number and by source, each with the folder where it is mounted."""
    before, _, after = line.partition(" - ")
    fields, source = before.split(" "), after.split(" ")
    if len(fields) < 5 or len(source) < 2:  # noqa: PLR2004 - proc(5): the mount point is field 5, the source 10
        return
    folder = _plain(fields[4])
    yield fields[2], folder
    if source[1].startswith("/"):
        try:
            found = Path(_plain(source[1])).stat()
        except OSError:
            return  # a name of another namespace
        if stat.S_ISBLK(found.st_mode) and _id(found) != fields[2]:
            yield _id(found), folder


def _plain(field: str) -> str:
    """Blanks are written in octal."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), field)


def _numbers(folders: Iterable[Path]) -> Iterator[str]:
    for folder in folders:
        try:
            yield (folder / "dev").read_text().strip()
        except OSError:
            continue  # gone meanwhile, or no device
