"""A board made of files: two images, and a boot environment in two copies. For tests, demonstrations and simulators.

`FileBootLoader` is the agent's side. `boot` is the firmware's side: it really chooses a slot, as a boot script would,
and counts boots before it makes them: those of a trial, and those of the default slot since it was last found to run
well; when the default has used its own up, the firmware makes the other slot the default, if that one is bootable.
Both see one directory and go through one `Disk`.

The environment is kept twice, like U-Boot's redundant environment: each change goes to the older copy, then to the
other, and the newest sound copy holds; so one spoiled copy costs nothing. When both are, the firmware boots slot a,
which is where a factory puts the first image. The agent's side is stricter: a copy that it cannot read may be the
newest, and believing the other it might take the slot that runs for the one to overwrite.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from agent.bootloaders.verbs import Verbs
from agent.disk import Disk
from agent.slots import BootEnvironmentError, Slot

ATTEMPTS = 3
"""Boots of a trial, and of a default slot that nobody finds to run well, before the firmware turns to the other."""
LAYOUT = re.compile(
    r"otabridge-boot 2\n"
    r"serial=(?P<serial>[0-9]{1,18})\n"
    r"boots=(?P<boots>[0-9]{1,18})\n"
    r"booted=(?P<booted>[ab])\n"
    r"default=(?P<default>[ab])\n"
    r"trial=(?P<trial>[ab]?)\n"
    r"attempts=(?P<attempts>[0-9])\n"
    r"unproved=(?P<unproved>[0-9])\n"
    r"unbootable=(?P<unbootable>a?b?)\n"
)


@dataclass(frozen=True, slots=True)
class Environment:
    """What the boot loader remembers. `attempts` counts the trial boots left, `unproved` the default slot's boots since
    it was last found to run well, `boots` all boots ever."""

    default: Slot = Slot.A
    booted: Slot = Slot.A
    trial: Slot | None = None
    attempts: int = 0
    unproved: int = 0
    unbootable: frozenset[Slot] = frozenset()
    boots: int = 0
    serial: int = 0

    def trying(self, slot: Slot) -> Environment:
        """`slot` is on trial from the next boot on."""
        return replace(self, trial=slot, attempts=ATTEMPTS, unbootable=self.unbootable - {slot})

    def without(self, slot: Slot) -> Environment:
        """`slot` is not to be booted."""
        trial = None if self.trial is slot else self.trial
        return replace(self, trial=trial, attempts=self.attempts if trial else 0, unbootable=self.unbootable | {slot})

    def committed(self, slot: Slot) -> Environment:
        """`slot` is the default, and no trial is on."""
        return replace(self, default=slot, trial=None, attempts=0, unproved=0, unbootable=self.unbootable - {slot})

    def refilled(self, running: Slot) -> Environment:
        """The default slot runs well."""
        proved = self.trial is None and running is self.default
        return replace(self, unproved=0) if proved else self

    def excused(self, running: Slot) -> Environment:
        """The boot that runs is not counted."""
        if running is self.trial:
            return replace(self, attempts=min(self.attempts + 1, ATTEMPTS))
        meant = self.trial is None and running is self.default
        return replace(self, unproved=max(self.unproved - 1, 0)) if meant else self

    def next_boot(self) -> Environment:
        """What the firmware decides at power-up: `booted` is the slot to start."""
        counted = replace(self, boots=self.boots + 1)
        if self.trial is not None and self.attempts > 0:
            return replace(counted, booted=self.trial, attempts=self.attempts - 1)
        given_up = counted if self.trial is None else counted.without(self.trial)
        return given_up.default_boot()

    def default_boot(self) -> Environment:
        """What the firmware decides without a trial."""
        other = self.default.other
        if self.unproved >= ATTEMPTS and other not in self.unbootable:
            return replace(self, default=other, booted=other, unproved=1)
        return replace(self, booted=self.default, unproved=min(self.unproved + 1, ATTEMPTS))


@dataclass(frozen=True, slots=True)
class Boot:
    """What the firmware started. `boot_id` differs from boot to boot."""

    slot: Slot
    boot_id: str


def boot(directory: Path, disk: Disk) -> Boot:
    """Power-up: choose a slot, and remember the choice before it is made. Never fails: without a readable or writable
    environment there are no trials, and the default slot starts."""
    before = read_environment(directory, disk) or Environment()
    chosen = before.next_boot()
    try:
        write_environment(directory, disk, chosen)
    except OSError:
        return Boot(before.default, _boot_id(chosen))
    return Boot(chosen.booted, _boot_id(chosen))


def create(directory: Path, disk: Disk, slot_bytes: int, image: Iterable[bytes], slot: Slot = Slot.A) -> None:
    """Set up a board in the existing `directory`: two slots of `slot_bytes` bytes, `image` in `slot`, the default; the
    other slot is blank and unbootable.

    Raises:
        OSError: the files cannot be written.
        ValueError: the image is longer than a slot.
    """
    for each in Slot:
        disk.replace(image_path(directory, each), b"")
        _fill(directory, disk, each, slot_bytes, image if each is slot else ())
    write_environment(directory, disk, Environment(slot, slot, unbootable=frozenset({slot.other})))


def image_path(directory: Path, slot: Slot) -> Path:
    """The file that is `slot`."""
    return directory / f"{slot}.img"


def read_environment(directory: Path, disk: Disk) -> Environment | None:
    """The newest readable copy; None when there is none."""
    copies = []
    for path in environment_paths(directory):
        with suppress(OSError):  # firmware goes on with the other copy
            copies.append(_read_copy(path, disk))
    return _newest(copies)


def _newest(copies: Iterable[Environment | None]) -> Environment | None:
    return max((each for each in copies if each is not None), key=lambda each: each.serial, default=None)


def write_environment(directory: Path, disk: Disk, environment: Environment) -> None:
    """Replace the older copy, then the other. Raises: OSError; then the state before stands, or the new one does."""
    known = read_environment(directory, disk)
    serial = 0 if known is None else known.serial + 1
    _write_copy(directory, disk, replace(environment, serial=serial))
    with suppress(OSError):  # the change has been made; this copy is there to be spare
        _write_copy(directory, disk, replace(environment, serial=serial + 1))


def _write_copy(directory: Path, disk: Disk, environment: Environment) -> None:
    disk.replace(environment_paths(directory)[environment.serial % 2], render(environment))


def environment_paths(directory: Path) -> tuple[Path, Path]:
    """The two copies, for even and for odd serials."""
    return directory / "boot.env.0", directory / "boot.env.1"


def render(environment: Environment) -> bytes:
    """The text of one copy, with its checksum as the last line."""
    text = (
        "otabridge-boot 2\n"
        f"serial={environment.serial}\n"
        f"boots={environment.boots}\n"
        f"booted={environment.booted}\n"
        f"default={environment.default}\n"
        f"trial={environment.trial or ''}\n"
        f"attempts={environment.attempts}\n"
        f"unproved={environment.unproved}\n"
        f"unbootable={''.join(sorted(environment.unbootable))}\n"
    )
    return f"{text}sha256={_checksum(text)}\n".encode()


def parse(data: bytes) -> Environment:
    """The environment in `data`. Raises: ValueError when it was cut or altered."""
    text, _, checksum = data.decode("ascii").rpartition("sha256=")
    match = LAYOUT.fullmatch(text)
    if match is None or checksum != f"{_checksum(text)}\n":
        raise ValueError("the boot environment does not match its checksum")
    return Environment(
        default=Slot(match["default"]),
        booted=Slot(match["booted"]),
        trial=Slot(match["trial"]) if match["trial"] else None,
        attempts=int(match["attempts"]),
        unproved=int(match["unproved"]),
        unbootable=frozenset(Slot(name) for name in match["unbootable"]),
        boots=int(match["boots"]),
        serial=int(match["serial"]),
    )


class FileBootLoader(Verbs[Environment]):
    """agent.slots.BootLoader over the board in `directory`."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self._directory = directory
        self._disk = disk

    def booted(self) -> Slot:
        """See BootLoader."""
        return self._read().booted

    def device(self, slot: Slot) -> Path:
        """See BootLoader."""
        return image_path(self._directory, slot)

    def boot_id(self) -> str:
        """The name of this boot, as `boot` gave it. Raises: BootEnvironmentError."""
        return _boot_id(self._read())

    def _read(self) -> Environment:
        paths = environment_paths(self._directory)
        try:
            environment = _newest(_read_copy(path, self._disk) for path in paths)
        except OSError as error:
            raise BootEnvironmentError(
                f"the boot environment in {self._directory} cannot be read: {error.strerror or error}"
            ) from error
        if environment is None:
            named = " and ".join(str(path) for path in paths)
            raise BootEnvironmentError(f"no copy of the boot environment can be read: {named}; restart the board")
        return environment

    def _write(self, environment: Environment) -> None:
        try:
            write_environment(self._directory, self._disk, environment)
        except OSError as error:
            raise BootEnvironmentError(
                f"the boot environment in {self._directory} cannot be written: {error.strerror or error}"
            ) from error


def _read_copy(path: Path, disk: Disk) -> Environment | None:
    try:
        return parse(disk.read(path) or b"")
    except ValueError:
        return None


def _fill(directory: Path, disk: Disk, slot: Slot, slot_bytes: int, image: Iterable[bytes]) -> None:
    file = disk.open_slot(image_path(directory, slot))
    offset = 0
    try:
        if slot_bytes:
            file.write(slot_bytes - 1, b"\0")
        for chunk in image:
            if offset + len(chunk) > slot_bytes:
                raise ValueError(f"the image is longer than a slot of {slot_bytes} bytes")
            file.write(offset, chunk)
            offset += len(chunk)
        file.sync()
    finally:
        file.close()


def _boot_id(environment: Environment) -> str:
    return f"boot-{environment.boots}"


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
