"""Plays a state case on the simulated device, and says where the device and the case disagree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.bootloaders.file import boot, read_environment
from agent.cloud.channel import Offer
from agent.disk import SystemDisk
from agent.slots import Slot
from agent.update.machine import State
from bridge.release.report import Report
from tests.agent.cases.case import Case, Told
from tests.agent.cases.chain import spelled
from tests.agent.cases.devices import first_bytes, queued, signed_images
from tests.agent.cases.stage import StagedDevice
from tests.agent.device import FOLDER, JOURNAL

STEPS = JOURNAL.with_name("steps")


@dataclass(frozen=True, slots=True)
class Standing:
    """All that an offer which is handed over once more must not change."""

    running: Slot
    default: Slot
    trial: Slot | None
    restarts: int
    served: int
    floor: int
    fallbacks: int
    slots: tuple[bytes, bytes]


def disagreements(case: Case) -> list[str]:
    """Every point in which what the device did and is differs from what `case` expects."""
    device = case.prepared.build()
    device.begin(case.name, case.faults)
    offers = queued(device, case.offered)
    device.happens("offer")
    device.live()
    again = () if case.forgotten or case.stuck else _again(case, device, offers)
    return [*_course(case, device), *again, *_end(case, device)]


def _course(case: Case, device: StagedDevice) -> Iterator[str]:
    if tuple(device.steps) != case.chain:
        yield f"states were:    {spelled(tuple(device.steps))}\nand should be:  {spelled(case.chain)}"
    told = tuple(_told(offer, report) for offer, report in device.cloud.reports)
    if told != case.reports:
        yield f"told was:       {told}\nand should be:  {case.reports}"
    for expected, (_, report) in zip(case.reports, device.cloud.reports, strict=False):
        if expected.words not in report.detail:
            yield f"the detail was {report.detail!r} and should say {expected.words!r}"
    if device.boots_made != case.restarts:
        yield f"the machine started {device.boots_made} times, and should have {case.restarts} times"


def _end(case: Case, device: StagedDevice) -> Iterator[str]:
    device.kernel.faults.clear()
    device.kernel.restore_files()
    running = boot(FOLDER, SystemDisk(device.kernel.fork())).slot
    if (device.booted, running) != (case.slot, case.slot):
        yield f"slot {device.booted} runs and slot {running} would boot next, {case.slot} should"
    if first_bytes(device, device.booted) not in signed_images():
        yield f"slot {device.booted} runs and holds no signed image"
    environment = read_environment(FOLDER, device.disk)
    for slot in Slot:
        bootable = environment is not None and slot not in environment.unbootable
        if bootable and not case.blank and first_bytes(device, slot) not in signed_images():
            yield f"slot {slot} may be booted and holds no signed image"
    if not case.stuck:
        yield from _agreement(case, device)


def _agreement(case: Case, device: StagedDevice) -> Iterator[str]:
    """Slot, boot loader, journal and the last report tell the same; parts are of the version that runs, and no file of
    a release is left over that ended, unless its next offer may go on with it."""
    device.start_agent()
    device.live()
    status = device.engine.status()
    version = case.beside or signed_images().get(first_bytes(device, device.booted))
    parts = dict.fromkeys(device.parts(), version) | dict(case.kept)
    if device.parts() != parts:
        yield f"the parts are {device.parts()}, and should be {parts}"
    left = [str(path) for path in device.kernel.files() if STEPS in path.parents]
    if left and not status.digest:
        yield f"left over: {', '.join(left)}"
    told = (status.booted, status.default, status.trial, status.expected, status.state, status.version)
    if told != (device.booted, device.booted, None, device.booted, State.IDLE, version):
        yield f"slot {device.booted} runs {version}, and the device says {told}"
    last = status.last
    if last is not None and (last.slot, last.version, last.fallbacks) != (device.booted, version, status.fallbacks):
        yield f"slot {device.booted} runs {version} after {status.fallbacks} fallbacks, and the last report is {last}"
    if status.unsent:
        yield f"{status.unsent} ends were never told"


def _again(case: Case, device: StagedDevice, offers: tuple[Offer, ...]) -> Iterator[str]:
    """Each offer once more, on a device that nothing more happens to: the same is told of it, and nothing is done."""
    device.strikes = ()
    ends = {each.offer: each for each in case.reports if each.offer not in device.cloud.gone}
    for offer in offers:
        before, heard = _standing(device), len(device.cloud.reports)
        device.cloud.queue = [offer]
        device.live()
        told = [_told(name, report) for name, report in device.cloud.reports[heard:]]
        if told != ([ends[offer.id]] if offer.id in ends else []):
            yield f"{offer.id} was handed over again, and ended {told}"
        if _standing(device) != before:
            yield f"{offer.id} was handed over again, and changed the device"


def _standing(device: StagedDevice) -> Standing:
    status = device.engine.status()
    return Standing(
        device.booted,
        status.default,
        status.trial,
        device.boots_made,
        device.link.served,
        status.floor,
        status.fallbacks,
        (first_bytes(device, Slot.A), first_bytes(device, Slot.B)),
    )


def _told(offer: str, report: Report) -> Told:
    return Told(report.outcome, report.slot, report.version, report.code, report.fallbacks, offer)
