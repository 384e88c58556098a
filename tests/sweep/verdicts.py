"""What is wrong with a medium after a power cut, as the firmware decides and the agent would read it.

The firmware's own code chooses the slot, the agent's own code reads the journal; each pair of copies is read once.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path

from agent.bootloaders.file import image_path
from agent.disk import SystemDisk
from agent.slots import Slot
from agent.update.journal import Journal, JournalError
from agent.update.machine import BEFORE_SWITCH, State
from agent.update.record import Holding, Record
from tests.agent.device import FOLDER, JOURNAL, JOURNAL_COPIES
from tests.agent.power import SECTOR, SimulatedKernel
from tests.sweep.boards import Board, Firmware
from tests.sweep.media import Content, Medium, interned, is_read, sector_bytes
from tests.sweep.parts import StepJudge
from tests.sweep.recorder import Known
from tests.sweep.scenarios import KNOWN

SLOTS = {slot: image_path(FOLDER, slot) for slot in Slot}


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the agent reads of its journal: the record and its serial, -1 where there is none; or what is wrong."""

    record: Record
    serial: int
    trouble: str = ""


class Judge:
    """Judges media; what was read of two copies, or of a slot, is not read again."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._firmware: dict[tuple[bytes, ...], Firmware | None] = {}
        self._remembered: dict[tuple[bytes, ...], Remembered] = {}
        self._images: dict[bytes, dict[str, int]] = {}
        self._steps = StepJudge()

    def violations(self, medium: Medium, known: Known) -> Iterator[str]:
        """All that is wrong with `medium`, once `known` was told or relied on."""
        firmware = self._read_firmware(medium)
        if firmware is None:
            yield "the boot environment is gone"
            return
        journal = self._read_journal(medium)
        yield from self._of_boot(medium, firmware)
        yield from _of_environment(firmware, known)
        yield from _of_journal(journal, known)
        if journal.serial >= 0:
            yield from _of_both(firmware, journal.record)
            yield from self._of_promises(medium, firmware, journal.record)
            yield from self._steps.violations(medium, journal.record)

    def _of_boot(self, medium: Medium, firmware: Firmware) -> Iterator[str]:
        for slot in dict.fromkeys(firmware.starts):
            if self._version(medium, slot) is None:
                yield f"the firmware boots slot {slot}, which holds no signed image"
        for slot in Slot:
            if slot in firmware.bootable and self._version(medium, slot) is None:
                yield f"slot {slot} is called bootable and holds no signed image"

    def _of_promises(self, medium: Medium, firmware: Firmware, record: Record) -> Iterator[str]:
        version = self._version(medium, firmware.default)
        if version is not None and int(version.partition(".")[0]) < record.floor:
            yield f"the floor is {record.floor}, above release {version} in the default slot"
        for slot in Slot:
            holding = record.holding(slot)
            if holding is not None and self._version(medium, slot) != _image_version(holding):
                yield f"the journal says that slot {slot} holds release {holding.version}, which it does not"
        update = record.update
        if update is not None and update.plan is not None and update.plan.goal.image is not None:
            image, count = update.plan.goal.image.sha256, update.checkpoint.target
            if self._bytes_of(medium, update.plan.target, image) < count:
                yield f"the journal promises {count} bytes of image in slot {update.plan.target}, which holds others"

    def _version(self, medium: Medium, slot: Slot) -> str | None:
        matching = self._matching(medium, slot)
        images = _known_images()
        return next((images[key].version for key, count in matching.items() if count == images[key].length), None)

    def _bytes_of(self, medium: Medium, slot: Slot, sha256: str) -> int:
        """How many bytes of the image a slot holds, from its first on."""
        return self._matching(medium, slot).get(sha256, 0)

    def _matching(self, medium: Medium, slot: Slot) -> dict[str, int]:
        content = medium.contents[SLOTS[slot]]
        if content.key not in self._images:
            self._images[content.key] = {key: image.matching(content) for key, image in _known_images().items()}
        return self._images[content.key]

    def _read_firmware(self, medium: Medium) -> Firmware | None:
        found = [path for path in medium.contents if path.parent == self._board.folder and path not in SLOTS.values()]
        keys = tuple(bytes(path) + medium.contents[path].key for path in found if is_read(path))
        if keys not in self._firmware:
            files = {path: medium.contents[path].data() for path in found}
            self._firmware[keys] = self._board.firmware(files)
        return self._firmware[keys]

    def _read_journal(self, medium: Medium) -> Remembered:
        found = {path: content for path in JOURNAL_COPIES if (content := medium.contents.get(path)) is not None}
        keys = tuple(bytes(path) + content.key for path, content in found.items())
        if keys not in self._remembered:
            self._remembered[keys] = _load({path: content.data() for path, content in found.items()})
        return self._remembered[keys]


def _image_version(holding: Holding) -> str:
    """The release that brought the image: a later one may have come beside it."""
    return holding.version if holding.image is None else _known_images()[holding.image.sha256].version


def _of_environment(firmware: Firmware, known: Known) -> Iterator[str]:
    if firmware.serial < known.environment:
        yield "the boot environment is behind a change that was made"
    if firmware.default not in known.good:
        yield f"slot {firmware.default} is the default, and neither proved nor the one told as installed"


def _of_journal(journal: Remembered, known: Known) -> Iterator[str]:
    if journal.trouble and known.serial >= 0:
        yield f"no copy of the journal can be used: {journal.trouble}"
    elif journal.serial < known.serial:
        yield f"the journal is behind what it kept, by {known.serial - journal.serial}"
        before, after = known.record, journal.record
        for name in ("floor", "fallbacks", "roots", "concluded"):
            if getattr(before, name) != getattr(after, name):
                yield f"the journal lost its {name}"


def _of_both(firmware: Firmware, record: Record) -> Iterator[str]:
    target = None if record.update is None or record.update.plan is None else record.update.plan.target
    if record.expected not in (None, firmware.default) and not (
        record.state is State.COMMITTING and target is firmware.default
    ):
        yield f"the journal expects slot {record.expected}, the default is slot {firmware.default}"
    if firmware.trial is not None and (record.state in BEFORE_SWITCH or target is not firmware.trial):
        yield f"slot {firmware.trial} is on trial, and the journal knows nothing of it"


def _load(files: Mapping[Path, bytes]) -> Remembered:
    journal = Journal(SystemDisk(SimulatedKernel.holding(files)), JOURNAL)
    try:
        journal.load()
    except JournalError as error:
        return Remembered(Record(), -1, str(error))
    return Remembered(journal.record, journal._serial)


@dataclass(frozen=True, slots=True)
class KnownImage:
    """An image that was signed once."""

    version: str
    length: int
    sectors: array[int]

    def matching(self, content: Content) -> int:
        """How many bytes of it `content` holds, from the first on."""
        if content.sectors[: len(self.sectors)] == self.sectors:
            return self.length
        low, high = 0, len(self.sectors)  # the first `low` sectors are the same, the first `high` are not
        while high - low > 1:
            middle = (low + high) // 2
            same = content.sectors[:middle] == self.sectors[:middle]
            low, high = (middle, high) if same else (low, middle)
        pairs = zip(sector_bytes(self.sectors[low]), sector_bytes(content.sectors[low]), strict=True)
        return low * SECTOR + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


@cache
def _known_images() -> dict[str, KnownImage]:
    return {
        hashlib.sha256(data).hexdigest(): KnownImage(version, len(data), interned(data))
        for data, version in KNOWN.items()
    }
