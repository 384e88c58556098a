"""The engine and metered links: a delta goes over them, the full artifact only where nobody forbids it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from agent.bootloaders.file import image_path
from agent.image.installation import in_turn
from agent.slots import Slot
from agent.update.context import Limits
from bridge.release.errors import ChannelError, FailureCode
from bridge.release.report import Outcome
from tests.agent.deltas import DAMAGED, DELTA, GOOD, SAVED, modify, on_release_2, release_3
from tests.agent.device import (
    CHECKPOINT_BYTES,
    FOLDER,
    SimulatedDevice,
    installed,
    package,
)
from tests.releases import FULL_NAME


@dataclass(frozen=True, slots=True)
class Metered:
    """A metered link where the full artifact is kept off it, by the release or by the device."""

    name: str
    release: bool
    device: bool
    who: str


KEPT_OFF = (
    Metered("release", release=False, device=True, who="the release"),
    Metered("device", release=True, device=False, who="this device's configuration"),
)


def behind_metered_link(rule: Metered) -> SimulatedDevice:
    """A device on release 2 whose link has become metered."""
    device = on_release_2()
    device.limits = Limits(CHECKPOINT_BYTES, strikes=8, full_over_metered=rule.device, install=in_turn)
    device.metered = True
    device.start_agent()
    return device


@pytest.mark.parametrize("rule", KEPT_OFF, ids=lambda rule: rule.name)
def test_a_delta_goes_over_a_metered_link(rule):
    """It is what they are for."""
    device = behind_metered_link(rule)

    assert device.run(device.offer(release_3(GOOD, full_over_metered=rule.release))) == installed(
        "a", "3.0.0", artifact=DELTA, saved=SAVED
    )


@pytest.mark.parametrize("rule", KEPT_OFF, ids=lambda rule: rule.name)
def test_a_full_artifact_does_not(rule):
    """The update ends before a byte is fetched or written, with a code of its own and the reason."""
    device = behind_metered_link(rule)
    modify(device)
    slots = [device.kernel.content(image_path(FOLDER, slot)) for slot in Slot]

    report = device.run(device.offer(release_3(GOOD, full_over_metered=rule.release)))

    assert (report.outcome, report.code, report.slot) == (Outcome.FAILED, FailureCode.METERED, "b")
    assert report.detail.startswith(f"the link is metered, and {rule.who} keeps the full artifact of ")
    assert "slot b was modified in the field" in report.detail
    assert [device.kernel.content(image_path(FOLDER, slot)) for slot in Slot] == slots
    assert device.link.names == []


@pytest.mark.parametrize("rule", KEPT_OFF, ids=lambda rule: rule.name)
def test_a_delta_of_no_use_does_not_bring_the_full_one_over_a_metered_link(rule):
    """It ends there, and a new attempt does not pay for the delta once more; with another link it is installed."""
    device = behind_metered_link(rule)
    offer = device.offer(release_3(DAMAGED, full_over_metered=rule.release))

    first = device.run(offer)
    second = device.run(replace(offer, id="job-1#2"))
    names = list(device.link.names)
    device.metered = False
    third = device.run(replace(offer, id="job-1#3"))

    assert [each.code for each in (first, second, third)] == [FailureCode.METERED, FailureCode.METERED, None]
    assert "the payload was damaged on the way" in first.detail
    assert first.artifact == ""
    assert names == [DELTA]
    assert (third.outcome, third.artifact) == (Outcome.INSTALLED, FULL_NAME)


def test_a_full_artifact_that_was_begun_waits_for_another_link():
    """The part that came is kept, and gone on from once bytes cost nothing again."""
    rule = KEPT_OFF[0]
    device = behind_metered_link(rule)
    modify(device)
    device.metered = False
    device.link.fault_after = 60_000
    device.link.faults = [ChannelError("the broker is gone")]
    offer = device.offer(release_3(GOOD, full_over_metered=rule.release))
    device.work()
    device.metered = True

    refused = device.run(offer)
    device.metered = False
    report = device.run(replace(offer, id="job-1#2"))

    assert refused.code is FailureCode.METERED
    assert report.outcome is Outcome.INSTALLED
    assert device.link.offsets[0] == 0
    assert device.link.offsets[1] > 32_000


def test_nobody_asks_about_the_link_where_everything_is_allowed():
    """The owner's command need not run."""
    device = SimulatedDevice.built()
    device.metered = True

    assert device.run(device.offer(package(2))) == installed("b", "2.0.0")
