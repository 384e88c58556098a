"""Where the agent's record is kept: one small file, in two copies, like a boot loader's redundant environment.

Each change goes to the older copy, and the newest copy that can be used holds. A power cut tears at most the one being
written; a medium that spoils one leaves the record as it was one step earlier, and every step can be taken again.

A copy is one header line, `otabridge-journal <version> <serial> <sha256>`, and one JSON document. The digest covers
version, serial and document, so that a copy which a fault has altered anywhere is refused rather than believed.

A newer agent may have written the journal in its trial boot, before the boot loader fell back to this one. So within
one version unknown fields are passed over, and every version keeps the fields of `Legacy`, in that shape.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from agent.disk import Disk
from agent.slots import Slot
from agent.update.machine import Event, State, next_state
from agent.update.record import Failure, Holding, Record
from bridge.release.errors import FailureCode, OtabridgeError

VERSION = 2
"""Of the journal's format. A higher one was written by a newer agent. Without steps under way it is written as 1, which
every agent reads; with steps as 2, since an agent that knows none of them would commit half of a release."""
LEAST_VERSION = 1
HEADER = re.compile(rb"otabridge-journal ([1-9][0-9]{0,5}) ([0-9]{1,18}) ([0-9a-f]{64})")


class JournalError(OtabridgeError):
    """The journal could not be read or written."""

    code = FailureCode.JOURNAL


class Intended(msgspec.Struct, frozen=True):
    """What a newer agent's plan was to make."""

    goal: Holding | None = None


class Unfinished(msgspec.Struct, frozen=True):
    """The update of a newer agent: the cloud's id of its offer, the sha256 of its release.json, and its plan, which is
    understood where it has kept the shape of ours."""

    offer: str
    digest: str = ""
    plan: object = None

    @property
    def goal(self) -> Holding | None:
        """What was to be made, None where that cannot be read."""
        try:
            intended = msgspec.convert(self.plan, Intended | None)
        except msgspec.ValidationError:
            return None
        return None if intended is None else intended.goal


class Legacy(msgspec.Struct, frozen=True):
    """What a journal of any version holds, for an older agent to go on from; see Record."""

    update: Unfinished | None = None
    a: Holding | None = None
    b: Holding | None = None
    expected: Slot | None = None
    floor: int = 1
    roots: tuple[bytes, ...] = ()
    fallbacks: int = 0
    seen: datetime | None = None
    failures: tuple[Failure, ...] = ()

    def record(self) -> Record:
        """The record that keeps all of it but the update."""
        kept = {name: getattr(self, name) for name in self.__struct_fields__ if name != "update"}
        return Record(**kept)


class NewerJournal(JournalError):
    """A newer agent wrote it; `legacy` is what can be read of it."""

    def __init__(self, message: str, legacy: Legacy) -> None:
        super().__init__(message)
        self.legacy = legacy


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of the journal. `record` is None when `trouble` says why it cannot be used; None for no file."""

    serial: int = -1
    record: Record | None = None
    trouble: JournalError | None = None


def render(record: Record, serial: int = 0) -> bytes:
    """A copy of the journal that holds `record`."""
    document, version = msgspec.json.encode(record), _version_for(record)
    return b"otabridge-journal %d %d %s\n%s" % (version, serial, _digest(version, serial, document), document)


def parse(data: bytes) -> Record:
    """The record in the copy `data`. Raises: JournalError: altered or cut; NewerJournal."""
    version, _, document = _open(data)
    if version > VERSION:
        newer = f"it has version {version}, this agent reads up to {VERSION}: a newer agent wrote it"
        raise NewerJournal(newer, _legacy(document))
    try:
        return msgspec.json.decode(document, type=Record)
    except msgspec.MsgspecError as error:
        raise NewerJournal(f"its document is no record of this agent: {error}", _legacy(document)) from error


def _version_for(record: Record) -> int:
    plan = None if record.update is None else record.update.plan
    return VERSION if plan is not None and plan.steps else LEAST_VERSION


def serial_of(data: bytes) -> int:
    """The serial of the copy `data`. Raises: JournalError: altered or cut."""
    return _open(data)[1]


def _open(data: bytes) -> tuple[int, int, bytes]:
    header, _, document = data.partition(b"\n")
    match = HEADER.fullmatch(header)
    if match is None or match[3] != _digest(int(match[1]), int(match[2]), document):
        raise JournalError("its digest does not match: the file was cut or altered")
    return int(match[1]), int(match[2]), document


def _legacy(document: bytes) -> Legacy:
    try:
        return msgspec.json.decode(document, type=Legacy)
    except msgspec.MsgspecError as error:
        raise JournalError(f"its document is no record: {error}") from error


def _digest(version: int, serial: int, document: bytes) -> bytes:
    return hashlib.sha256(b"%d %d\n%s" % (version, serial, document)).hexdigest().encode()


def _judged(path: Path, data: bytes) -> Copy:
    serial = -1
    try:
        serial = serial_of(data)
        return Copy(serial, parse(data))
    except NewerJournal as error:
        return Copy(serial, trouble=NewerJournal(f"journal {path} is not usable: {error}", error.legacy))
    except JournalError as error:
        return Copy(serial, trouble=JournalError(f"journal {path} is not usable: {error}"))


class Journal:
    """The record and its two copies. What is in memory is what was last made durable."""

    def __init__(self, disk: Disk, path: Path) -> None:
        """Begin with an empty record; call `load`. The copies are `path` with `.0` and `.1` after it."""
        self._disk = disk
        self._paths = tuple(path.with_name(f"{path.name}.{number}") for number in range(2))
        self._serial = -1
        self.record = Record()

    def load(self) -> None:
        """Take the newest copy that can be used; without any file the record is empty.

        Raises:
            JournalError: there are files, and none can be used; the record is empty then. NewerJournal: see there.
        """
        copies = [self._read(path) for path in self._paths]
        newest = max(copies, key=lambda copy: (copy.record is not None, copy.serial))
        self._serial = max(copy.serial for copy in copies) if newest.record is None else newest.serial
        if newest.record is not None:
            self.record = newest.record
            return
        self.record = Record()
        troubles = [copy.trouble for copy in sorted(copies, key=lambda copy: -copy.serial) if copy.trouble is not None]
        if troubles:
            raise next((each for each in troubles if isinstance(each, NewerJournal)), troubles[0])

    def set_aside(self) -> tuple[Path, ...]:
        """Copy unusable files for a person to look at, or a newer agent; the next `keep` replaces the originals.

        Raises: JournalError.
        """
        found = [(path, data) for path in self._paths if (data := self._content(path)) is not None]
        aside = tuple(path.with_name(path.name + ".unusable") for path, _ in found)
        for path, (_, data) in zip(aside, found, strict=True):
            self._write(path, data)
        return aside

    def keep(self, record: Record) -> None:
        """Make `record` durable. Raises: JournalError; then the record before it stands."""
        serial = self._serial + 1
        self._write(self._paths[serial % 2], render(record, serial))
        self._serial, self.record = serial, record

    def move(self, event: Event, record: Record) -> None:
        """Make `record` durable in the state to which `event` leads. Raises: JournalError."""
        self.keep(msgspec.structs.replace(record, state=next_state(self.record.state, event)))

    def forget_update(self) -> None:
        """Drop the update, from memory alone where the file cannot be written.

        Raises: JournalError when the file may hold more than memory did: a write that failed can have got through.
        """
        forgotten = msgspec.structs.replace(self.record, state=State.IDLE, update=None)
        try:
            self.keep(forgotten)
        except JournalError:
            self._require_no_newer_copy()
            self.record = forgotten

    def _require_no_newer_copy(self) -> None:
        for path in self._paths:
            if self._read(path).serial > self._serial:
                raise JournalError(f"journal {path} cannot be written, and what it holds is not sure to last")

    def _read(self, path: Path) -> Copy:
        try:
            data = self._content(path)
        except JournalError as error:
            return Copy(trouble=error)
        return Copy() if data is None else _judged(path, data)

    def _content(self, path: Path) -> bytes | None:
        try:
            return self._disk.read(path)
        except OSError as error:
            raise JournalError(f"journal {path} cannot be read: {error.strerror or error}") from error

    def _write(self, path: Path, data: bytes) -> None:
        try:
            self._disk.replace(path, data)
        except OSError as error:
            raise JournalError(f"journal {path} cannot be written: {error.strerror or error}") from error
