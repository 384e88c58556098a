"""The engine and a delta of no use: the full artifact stands in for it, and it is not tried again."""

from __future__ import annotations

import errno
from dataclasses import replace

import msgspec
import pytest

from agent.bootloaders.file import image_path
from agent.download.answer import LinkRefused
from agent.slots import Slot
from agent.update.journal import render
from bridge.release.errors import ChannelError, DownloadError, FailureCode
from bridge.release.report import Outcome
from tests.agent.deltas import DAMAGED, DELTA, GOOD, PACKED, Killed, on_release_2, release_3
from tests.agent.device import (
    FOLDER,
    delta_package,
    flipped,
    image,
    kit,
    revised,
)
from tests.releases import FULL_NAME, Package, delta, demanding

OF_NO_USE = {
    "damaged": (DAMAGED, "the payload was damaged on the way"),
    "cut": (GOOD[:-300], "the payload is cut: it ends at byte"),
    "too much memory": (demanding(GOOD, 1 << 31), "this device grants 67108864"),
    "not a payload": (b"\x89PNG" + GOOD[4:], "this is no payload"),
    "another image": (delta(image(2), revised(4, 2)), "signed was"),
    "another source": (delta(revised(4, 2), revised(3, 2)), "signed was"),
    "more than signed": (GOOD + GOOD, "goes on after its last frame"),
}


@pytest.mark.parametrize(("data", "words"), OF_NO_USE.values(), ids=OF_NO_USE)
def test_a_delta_of_no_use_is_done_without(data, words):
    """The full artifact of the same release is taken, the slot written anew, and the report says why."""
    device = on_release_2()

    report = device.run(device.offer(release_3(data)))

    assert (report.outcome, report.artifact, report.saved) == (Outcome.INSTALLED, FULL_NAME, 0)
    assert report.detail.startswith(f"delta {DELTA} was not taken: ")
    assert words in report.detail
    assert device.running_image() == revised(3, 2)
    assert device.link.names == [DELTA, FULL_NAME]
    assert device.link.offsets == [0, 0]


def test_a_source_that_fails_in_the_middle_is_done_without():
    """It could be read when it was looked at, and no more when it was needed."""
    device = on_release_2()
    read = device.kernel.read

    def fail(descriptor, length, offset):
        if device.link.names == [DELTA] and device.kernel.opened(descriptor) == image_path(FOLDER, Slot.B):
            raise OSError(errno.EIO, "I/O error")
        return read(descriptor, length, offset)

    device.kernel.read = fail
    report = device.run(device.offer(PACKED))

    assert report.outcome is Outcome.INSTALLED
    assert "/board/b.img cannot be read at byte" in report.detail
    assert device.link.names == [DELTA, FULL_NAME]


def test_a_delta_that_makes_another_image_is_found_out_and_done_without():
    """All its own checksums hold, and the sha256 that was signed does not: the slot that is read back tells."""
    device = on_release_2()
    lying = delta(image(2), revised(4, 2), claim=PACKED.artifact.image)

    report = device.run(device.offer(release_3(lying)))

    assert (report.outcome, report.artifact) == (Outcome.INSTALLED, FULL_NAME)
    assert "the slot gave back" in report.detail


def test_a_full_artifact_of_no_use_ends_the_update():
    """There is nothing left to stand in for it; the old slot never stopped running."""
    device = on_release_2()
    device.kernel.spoil(device.boots.device(Slot.B), 70_000)
    device.link.files[PACKED.artifact.sha256] = flipped(PACKED.files[FULL_NAME], 40_000)
    files = dict(device.link.files)
    offer = device.offer(PACKED)
    device.link.files.update(files)
    before = device.kernel.content(device.boots.device(Slot.B))

    report = device.run(offer)

    assert (report.outcome, report.code, report.slot) == (Outcome.FAILED, FailureCode.ALTERED, "b")
    assert "slot b was modified in the field" in report.detail
    assert device.kernel.content(device.boots.device(Slot.B)) == before


def test_a_delta_of_no_use_is_not_tried_again_after_a_restart():
    """Neither by the next start of the agent, nor by a new attempt of the cloud: its bytes cost money."""
    device = on_release_2()
    offer = device.offer(release_3(DAMAGED))
    device.link.fault_names = {FULL_NAME}
    device.link.faults = [Killed(), DownloadError("the server stopped answering")]
    with pytest.raises(Killed):
        device.run(offer)
    device.start_agent()

    failed = device.run()
    report = device.run(replace(offer, id="job-1#2"))

    assert (failed.outcome, failed.code) == (Outcome.FAILED, FailureCode.DOWNLOAD)
    assert (report.outcome, report.artifact) == (Outcome.INSTALLED, FULL_NAME)
    assert device.link.names == [DELTA, FULL_NAME, FULL_NAME, FULL_NAME]


def test_what_is_known_of_one_release_says_nothing_of_the_next():
    """A delta may have the same name in each."""
    device = on_release_2()
    device.run(device.offer(release_3(DAMAGED)))
    device.link.names.clear()
    next_one = kit().package(image(4)[:1000] + revised(3, 2)[1000:], sources=(revised(3, 2),), version="4", sequence=4)

    report = device.run(device.offer(next_one, "job-2"))

    assert (report.artifact, report.detail) == (DELTA, "")


def test_a_begun_delta_goes_on_without_reading_its_source_again():
    """What it starts from was looked at when it was begun; each span is held against its checksum all the same."""
    device = on_release_2()
    device.link.chunk_bytes, device.link.fault_after = 500, 10_000
    device.link.faults = [ChannelError("the broker is gone")]
    device.offer(delta_package(3, 2, frame_bytes=16 * 1024))
    device.work()
    opened = []
    opens = device.kernel.open
    device.kernel.open = lambda path, flags: (opened.append(path), opens(path, flags))[1]

    device.work()

    assert opened.count(image_path(FOLDER, Slot.B)) == 1
    assert len(device.link.offsets) == 2
    assert device.link.names == [DELTA, DELTA]


def test_a_slot_that_should_hold_the_release_and_does_not_is_made_by_a_delta():
    """The release before is wanted back, its slot was spoiled meanwhile: the cheapest way is looked for anew."""
    device = on_release_2()
    back = kit().package(image(1), sources=(image(2),), version="1.0.0", sequence=1)
    device.write_journal(render(held(device.record, back)))
    device.kernel.spoil(device.boots.device(Slot.A), 7)
    device.start_agent()

    report = device.run(device.offer(back, "back"))

    assert (report.outcome, report.version) == (Outcome.INSTALLED, "1.0.0")
    assert device.running_image() == image(1)


def held(record, packed: Package):
    """The record in which slot a holds `packed`, committed."""
    release = packed.release
    goal = msgspec.structs.replace(
        record.holding(Slot.B),
        version=release.version,
        sequence=release.sequence,
        image=packed.artifact.image,
    )
    return record.with_holding(Slot.A, goal)


def test_a_delta_that_the_agent_does_not_survive_is_done_without():
    """Out of memory, or a crash below Python: long before the update is given up, the full artifact is tried."""
    device = on_release_2()
    device.link.fault_names, device.link.fault_after = {DELTA}, 0
    device.link.faults = [Killed() for _ in range(20)]
    deaths = 0
    offer = device.offer(PACKED)
    while True:
        try:
            report = device.run(offer)
        except Killed:
            deaths += 1
            device.start_agent()
        else:
            break

    assert (report.outcome, report.artifact) == (Outcome.INSTALLED, FULL_NAME)
    assert deaths == device.limits.strikes // 2 + 1
    assert f"the agent was restarted {deaths} times in a row while it applied it" in report.detail


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LinkRefused("404 Not Found"), "404 Not Found"),
        (MemoryError(), "this device ran out of memory"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_delta_that_cannot_be_had_or_held_is_done_without(error, words):
    """It was never copied to the store or has left it; or it takes more than this device has at the moment."""
    device = on_release_2()
    device.link.fault_names, device.link.fault_after = {DELTA}, 0
    device.link.faults = [error]

    report = device.run(device.offer(PACKED))

    assert (report.outcome, report.artifact) == (Outcome.INSTALLED, FULL_NAME)
    assert words in report.detail
    assert device.link.names == [DELTA, FULL_NAME]
