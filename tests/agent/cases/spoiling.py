"""Faults that change what is stored: bits of the journal, of the boot environment and of the slots."""

from __future__ import annotations

import msgspec

from agent.bootloaders.file import environment_paths, image_path
from agent.slots import Slot
from agent.update.journal import VERSION, _digest, render, serial_of
from agent.update.record import Record
from tests.agent.cases.case import Fault
from tests.agent.cases.faults import said
from tests.agent.cases.stage import StagedDevice
from tests.agent.device import FOLDER, JOURNAL_COPIES

NO_COPY = render(Record())


def journal_spoiled(moment: str = "offer", copies: tuple[int, ...] = (0, 1), time: int = 1) -> Fault:
    """A bit of these copies of the journal is wrong."""

    def strike(device: StagedDevice) -> None:
        for path in (JOURNAL_COPIES[number] for number in copies):
            if device.disk.read(path) is not None:
                device.kernel.spoil(path, 120)

    which = "both copies" if len(copies) == 2 else f"copy {copies[0]}"
    return Fault(f"{which} of the journal spoiled {said(moment)}", strike, moment, time)


def environment_spoiled(moment: str, copies: tuple[int, ...] = (0, 1), time: int = 1) -> Fault:
    """A bit of these copies of the boot environment is wrong."""

    def strike(device: StagedDevice) -> None:
        for number in copies:
            device.kernel.spoil(environment_paths(FOLDER)[number], 30)

    which = "both copies" if len(copies) == 2 else f"copy {copies[0]}"
    return Fault(f"{which} of the boot environment spoiled {said(moment)}", strike, moment, time)


def slot_spoiled(slot: Slot, moment: str = "offer", at: int = 70_000) -> Fault:
    """A bit of what `slot` holds is wrong."""
    words = f"slot {slot} modified {said(moment)}"
    return Fault(words, lambda device: device.kernel.spoil(image_path(FOLDER, slot), at), moment)


def slot_gone(slot: Slot) -> Fault:
    """Its device is not there."""
    return Fault(f"the device of slot {slot} is gone", lambda device: device.kernel.lose_file(image_path(FOLDER, slot)))


def newest_copy_spoiled(moment: str) -> Fault:
    """The record that is left is as it was one write earlier."""

    def strike(device: StagedDevice) -> None:
        newest = max(JOURNAL_COPIES, key=lambda path: serial_of(device.disk.read(path) or NO_COPY))
        device.kernel.spoil(newest, 120)

    return Fault(f"the newest copy of the journal spoiled {said(moment)}", strike, moment)


def newer_journal(moment: str, **fields: object) -> Fault:
    """The journal is as an agent of the next version might write it: with states and fields of its own."""

    def strike(device: StagedDevice) -> None:
        known = msgspec.to_builtins(device.record)
        document = msgspec.json.encode({**known, "state": "levitating", "mood": "good", **fields})
        version, serial = VERSION + 1, 99
        sealed = _digest(version, serial, document)
        device.write_journal(b"otabridge-journal %d %d %s\n%s" % (version, serial, sealed, document))

    also = "".join(f", with {name} {value}" for name, value in fields.items())
    return Fault(f"the journal is of a newer version{also} {said(moment)}", strike, moment)
