"""Faults of handlers, and of the files that they are handed."""

from __future__ import annotations

from dataclasses import replace

from agent.bootloaders.file import read_environment, write_environment
from agent.slots import Slot
from tests.agent.cases.case import EVERY, Fault
from tests.agent.cases.faults import said
from tests.agent.cases.stage import StagedDevice
from tests.agent.device import FOLDER
from tests.agent.stepping import SCRIPT

ALWAYS = 1_000


def broken(verb: str, times: int = ALWAYS) -> Fault:
    """The handler fails at `verb`, which is a moment, so often."""
    word, _, step = verb.partition(" ")
    often = "" if times == ALWAYS else f", {times} times"
    done = {"install": "install", "undo": "undo", "settle": "drop the way back of"}[word]
    return Fault(f"the handler cannot {done} {step}{often}", lambda device: device.broken.update({verb: times}))


def unfit(step: str, why: str) -> Fault:
    """The handler says that it cannot do the step here."""
    return Fault(f"the handler of {step} is not ready: {why}", lambda device: device.unfit.update({step: why}))


def no_handler() -> Fault:
    """The configuration names none."""

    def strike(device: StagedDevice) -> None:
        device.handlers = ()
        device.renew_engine()

    return Fault("the device has no handlers", strike)


def no_handlers_in(slot: Slot) -> Fault:
    """The system in that slot is configured without."""

    def strike(device: StagedDevice) -> None:
        device.handlers = () if device.booted is slot else (SCRIPT,)
        device.renew_engine()

    return Fault(f"the system in slot {slot} has no handlers once it starts", strike, "start", EVERY)


def spoils() -> Fault:
    """The handler of the slot's step says that all went well."""

    def strike(device: StagedDevice) -> None:
        device.spoils = True
        device.renew_engine()

    return Fault("the handler writes other bytes into the slot than were signed", strike)


def switches_by_itself(moment: str = "installed rootfs") -> Fault:
    """The handler has made the slot the default, without a trial."""

    def strike(device: StagedDevice) -> None:
        known = read_environment(FOLDER, device.disk)
        write_environment(FOLDER, device.disk, replace(known, default=Slot.B, unbootable=frozenset()))

    return Fault("the handler makes the slot that it wrote the default", strike, moment)


def file_altered(step: str, moment: str, at: int = 1_000) -> Fault:
    """Somebody, or the medium, changed what was fetched."""

    def strike(device: StagedDevice) -> None:
        found = [path for path in device.kernel.files() if path.name == f"{step}.file"]
        assert found, "the file is not there yet"
        device.kernel.spoil(found[0], at)

    return Fault(f"a bit of the file of {step} is wrong {said(moment)}", strike, moment)


def no_space() -> Fault:
    """The file system of the agent's state is nearly full."""
    return Fault("little is free where the files go", lambda device: setattr(device.kernel, "free_bytes", 50_000))
