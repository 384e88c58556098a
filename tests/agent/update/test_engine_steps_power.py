"""The power cut in the middle of releases of several steps: all of one is in effect at the end, or nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from functools import cache
from random import Random

import pytest

from agent.bootloaders.file import boot
from agent.disk import SystemDisk
from agent.slots import Slot
from agent.update.journal import serial_of
from bridge.release.report import Outcome
from tests.agent.device import FOLDER, JOURNAL, JOURNAL_COPIES, SimulatedDevice, image, stepped_package
from tests.agent.power import Loss, PowerCut
from tests.agent.stepping import BY_HANDLER, IMAGE, IN_PLACE, WITH_RESTART

STEPS = JOURNAL.with_name("steps")
SPACING = 11
"""Each so many calls of the kernel are cut here, another share of them in each case."""
FATES = {
    "good": {},
    "unhealthy": {"verdicts": ["the radio is silent"]},
    "dead": {"dead": {Slot.B}},
    "broken at first": {"broken": {"install boot": 1_000}},
    "broken at last": {"broken": {"install app": 1_000}},
}
LOSSES = (Loss.LOST, Loss.SCRAMBLED, Loss.KEPT, Loss.TORN, Loss.NAMES_ONLY)
COURSES = [
    (kind, fate)
    for kind in (IMAGE, BY_HANDLER, IN_PLACE, WITH_RESTART)
    for fate in FATES
    if fate != "dead" or kind in (IMAGE, BY_HANDLER)
]


@cache
def prepared(kind: str, fate: str) -> SimulatedDevice:
    """A device with the parts of release 1, at the moment of the offer."""
    device = SimulatedDevice.built()
    device.fit_parts("boot", "app")
    device.kernel.settle()
    device.offer(stepped_package(2, kind))
    fields = dict(FATES[fate])
    device.health.verdicts = list(fields.pop("verdicts", [None]))
    for name, value in fields.items():
        setattr(device, name, value)
    return device


def fresh(kind: str, fate: str) -> SimulatedDevice:
    """A copy, its agent started."""
    device = deepcopy(prepared(kind, fate))
    device.start_agent()
    return device


def cut(device: SimulatedDevice, call: int, loss: Loss) -> None:
    """Work up to the `call`-th call of the kernel from now on; then the power goes, and with it what `loss` takes."""
    device.kernel.cut_at = device.kernel.calls + call
    with suppress(PowerCut):
        device.run()
    device.kernel.cut_at = None
    device.kernel.lose(loss, Random(f"{call} {loss}"))


def wrong(device: SimulatedDevice) -> Iterator[str]:
    """Where the reports, the parts and the slots disagree."""
    outcomes = {report.outcome for _, report in device.cloud.reports}
    version = "2.0.0" if outcomes == {Outcome.INSTALLED} else "1.0.0"
    if len(outcomes) != 1:
        yield f"ended {outcomes}"
    if set(device.parts().values()) != {version}:
        yield f"ended {outcomes}, and the parts are {device.parts()}"
    if device.engine.status().version != version:
        yield f"ended {outcomes}, and version {device.engine.status().version} runs"
    if left := [path for path in device.kernel.files() if STEPS in path.parents]:
        yield f"left over: {left}"


def spoil_newest(device: SimulatedDevice) -> None:
    """The journal is as it was one write earlier, where there was one."""
    serials = {path: serial_of(data) for path in JOURNAL_COPIES if (data := device.disk.read(path)) is not None}
    if len(serials) > 1:
        device.kernel.spoil(max(serials, key=lambda path: serials[path]), 120)


@pytest.mark.parametrize("spoiled", [False, True], ids=["sound", "newest copy of the journal spoiled"])
@pytest.mark.parametrize(("kind", "fate"), COURSES)
def test_all_or_nothing_wherever_the_power_goes(kind, fate, spoiled):
    """After each cut the firmware starts a signed image, and at the end there is one verdict, and it is true."""
    whole = fresh(kind, fate)
    began = whole.kernel.calls
    whole.run()
    calls = whole.kernel.calls - began
    first = 1 + (COURSES.index((kind, fate)) + 5 * spoiled) % SPACING
    found = []
    for number, call in enumerate(range(first, calls + 1, SPACING)):
        device, loss = fresh(kind, fate), LOSSES[number % len(LOSSES)]
        cut(device, call, loss)
        if spoiled:
            spoil_newest(device)
        chosen = boot(FOLDER, SystemDisk(device.kernel.fork())).slot
        if not device.kernel.content(device.boots.device(chosen)).startswith((image(1), image(2))):
            found.append(f"call {call}: slot {chosen} is started, and holds no signed image")
        device.power_up_and_run()
        found += [f"call {call}, {loss}: {each}" for each in wrong(device)]

    assert list(wrong(whole)) == []
    assert found == []
    assert calls > 100
