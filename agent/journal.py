"""What the agent remembers: the update that is under way and the device's lasting record, in one durable file.

The file is one header line, `otabridge-journal <version> <sha256>`, and one JSON document. The digest covers
version and document, so that a journal which a fault has altered anywhere is refused rather than believed.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec

from agent.disk import Disk
from agent.machine import Event, State, next_state
from agent.slots import Slot
from bridge.release.errors import FailureCode, OtabridgeError
from bridge.release.manifest import Artifact, Image
from bridge.release.payload import Mark
from bridge.release.report import Report

VERSION = 1
"""Of the journal's format. A higher one was written by a newer agent."""
MAX_CONCLUDED = 16
"""Offers whose end is remembered; a cloud that repeats one gets the same answer."""
HEADER = re.compile(rb"otabridge-journal ([1-9][0-9]{0,5}) ([0-9a-f]{64})")


class JournalError(OtabridgeError):
    """The journal could not be read or written."""

    code = FailureCode.JOURNAL


class Holding(msgspec.Struct, frozen=True):
    """What a slot holds. `image` is None for what was there before the first release; `health` names checks to run."""

    release: str = ""
    version: str = ""
    sequence: int = 0
    floor: int = 1
    image: Image | None = None
    health: tuple[str, ...] = ()
    committed: bool = False


class Plan(msgspec.Struct, frozen=True):
    """What an accepted release does here: `artifact` makes `target` hold `goal`; None where the bytes are there."""

    target: Slot
    goal: Holding
    artifact: Artifact | None = None


class Update(msgspec.Struct, frozen=True):
    """The update that is under way.

    `offer` is the cloud's id ("" for one that a person ordered), `digest` the sha256 of its release.json, `mark` how
    much of the artifact is durably in the slot, `boot_id` the boot in which the switch was made, `strikes` how many
    times the agent started since the last progress, `ending` how it ends or is going to end.
    """

    offer: str
    digest: str = ""
    plan: Plan | None = None
    mark: Mark = Mark()
    boot_id: str = ""
    strikes: int = 0
    ending: Report | None = None


class Conclusion(msgspec.Struct, frozen=True):
    """An offer that has ended, and how."""

    offer: str
    digest: str
    report: Report


class Record(msgspec.Struct, frozen=True):
    """All that the agent remembers.

    `expected` is the slot last committed, None before the agent ever ran; `roots` the roots after the pinned one that
    were ever accepted; `floor` the least sequence accepted; `fallbacks` counts them over the device's life.
    """

    state: State = State.IDLE
    update: Update | None = None
    a: Holding | None = None
    b: Holding | None = None
    expected: Slot | None = None
    floor: int = 1
    roots: tuple[bytes, ...] = ()
    fallbacks: int = 0
    concluded: tuple[Conclusion, ...] = ()

    def holding(self, slot: Slot) -> Holding | None:
        """What `slot` holds, None when unknown or in the middle of a write."""
        return self.a if slot is Slot.A else self.b

    def with_holding(self, slot: Slot, holding: Holding | None) -> Record:
        """The record in which `slot` holds `holding`."""
        if slot is Slot.A:
            return msgspec.structs.replace(self, a=holding)
        return msgspec.structs.replace(self, b=holding)

    def conclusion(self, offer: str, digest: str) -> Report | None:
        """How `offer` ended, when it has and is remembered."""
        return next((each.report for each in self.concluded if (each.offer, each.digest) == (offer, digest)), None)

    def concluding(self, conclusion: Conclusion) -> Record:
        """The record that also remembers `conclusion`; the oldest is forgotten."""
        return msgspec.structs.replace(self, concluded=(*self.concluded, conclusion)[-MAX_CONCLUDED:])


def render(record: Record) -> bytes:
    """The journal file of `record`."""
    document = msgspec.json.encode(record)
    return b"otabridge-journal %d %s\n%s" % (VERSION, _digest(VERSION, document), document)


def parse(data: bytes) -> Record:
    """The record in the journal file `data`.

    Raises:
        JournalError: altered, cut, or written by a newer agent.
    """
    header, _, document = data.partition(b"\n")
    match = HEADER.fullmatch(header)
    if match is None or match[2] != _digest(int(match[1]), document):
        raise JournalError("its digest does not match: the file was cut or altered")
    if int(match[1]) > VERSION:
        raise JournalError(f"it has version {int(match[1])}, this agent reads up to {VERSION}: a newer agent wrote it")
    try:
        return msgspec.json.decode(document, type=Record)
    except msgspec.MsgspecError as error:
        raise JournalError(f"its document is no record: {error}") from error


def _digest(version: int, document: bytes) -> bytes:
    return hashlib.sha256(b"%d\n%s" % (version, document)).hexdigest().encode()


class Journal:
    """The record and its file. What is in memory is what was last made durable."""

    def __init__(self, disk: Disk, path: Path) -> None:
        """Begin with an empty record; call `load`."""
        self._disk = disk
        self._path = path
        self.record = Record()

    def load(self) -> None:
        """Read the file, when there is one. Raises: JournalError; the record is empty then."""
        try:
            data = self._disk.read(self._path)
            self.record = Record() if data is None else parse(data)
        except OSError as error:
            raise JournalError(f"journal {self._path} cannot be read: {error.strerror or error}") from error
        except JournalError as error:
            raise JournalError(f"journal {self._path} is not usable: {error}") from error

    def set_aside(self) -> Path:
        """Keep a copy of an unusable file for a person to look at; the next `keep` replaces the original.

        Raises: JournalError.
        """
        copy = self._path.with_name(self._path.name + ".unusable")
        self._write(copy, self._read_all())
        return copy

    def keep(self, record: Record) -> None:
        """Make `record` durable. Raises: JournalError; then the record before it stands."""
        self._write(self._path, render(record))
        self.record = record

    def move(self, event: Event, record: Record) -> None:
        """Make `record` durable in the state to which `event` leads. Raises: JournalError."""
        self.keep(msgspec.structs.replace(record, state=next_state(self.record.state, event)))

    def forget_update(self) -> None:
        """Drop the update from memory alone, where the file cannot be written."""
        self.record = msgspec.structs.replace(self.record, state=State.IDLE, update=None)

    def _read_all(self) -> bytes:
        try:
            return self._disk.read(self._path) or b""
        except OSError as error:
            raise JournalError(f"journal {self._path} cannot be read: {error.strerror or error}") from error

    def _write(self, path: Path, data: bytes) -> None:
        try:
            self._disk.replace(path, data)
        except OSError as error:
            raise JournalError(f"journal {path} cannot be written: {error.strerror or error}") from error
