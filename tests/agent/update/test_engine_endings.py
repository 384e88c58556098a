"""How an offer ends, as tables: each row is one thing that can be wrong, and what the cloud is told of it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from agent.bootloaders.file import image_path, read_environment
from agent.cloud.channel import Offer
from agent.slots import Slot
from bridge.release.errors import ChannelError, DownloadError, FailureCode
from bridge.release.manifest import Compatibility, Versions
from bridge.release.report import Outcome, Phase, Report
from tests.agent.device import FOLDER, SLOT_BYTES, SimulatedDevice, image, installed, kit, package
from tests.agent.power import SimulatedKernel
from tests.releases import EXPIRES, FULL_NAME, HARDWARE, MODEL, Package, ReleaseKit, demanding

OTHER_OWNER = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))


class FailingMedium(SimulatedKernel):
    """Takes every write of slot b, syncs it, and gives one bit of the first ones back wrong."""

    def sync(self, descriptor: int) -> None:
        """See Kernel."""
        super().sync(descriptor)
        if self.log[-1] == "sync b.img" and self.log.count("sync b.img") == 2:  # the first made the board
            self.spoil(image_path(FOLDER, Slot.B), 5000)


@dataclass(frozen=True, slots=True)
class Case:
    """`arrange` spoils something on the device before `offered` comes; the report has `code` and says `words`."""

    name: str
    code: FailureCode
    words: str
    offered: Callable[[SimulatedDevice], Offer] = lambda device: device.offer(package(2))
    arrange: Callable[[SimulatedDevice], None] = lambda _: None


def offering(packed: Callable[[], Package], roots: Callable[[], tuple[bytes, ...]] = tuple):
    """Offer what `packed` makes."""
    return lambda device: device.offer(packed(), roots=roots())


def altered(device: SimulatedDevice) -> Offer:
    """The version in release.json was changed after signing."""
    offer = device.offer(package(2))
    return replace(offer, release=offer.release.replace(b"2.0.0", b"2.0.1"))


def climbed(device: SimulatedDevice) -> None:
    """The device has committed releases 2 and 3, of which 3 forbids going back below 2."""
    device.run(device.offer(package(2), "earlier"))
    device.run(device.offer(package(3, floor=2), "later"))


def expire(device: SimulatedDevice) -> None:
    """The clock is at the release's expiry."""
    device.now = EXPIRES


def only(**fields) -> Callable[[], Package]:
    """A release with this compatibility."""
    return lambda: package(2, compatibility=Compatibility(**{"model": MODEL, **fields}))


def fault(call: str, number: int, words: str) -> Callable[[SimulatedDevice], None]:
    """`call` on the kernel fails from now on."""

    def arrange(device: SimulatedDevice) -> None:
        device.kernel.faults[call] = OSError(number, words)

    return arrange


def environment_read_only(device: SimulatedDevice) -> None:
    """Neither copy of the boot environment can be written."""
    for number in (0, 1):
        fault(f"write boot.env.{number}", errno.EROFS, "Read-only file system")(device)


def cut_link(error: Exception) -> Callable[[SimulatedDevice], None]:
    """The download raises `error` in the middle."""
    return lambda device: device.link.faults.append(error)


def spoil_artifact(device: SimulatedDevice) -> None:
    """The store hands out other bytes than were signed."""
    data = bytearray(package(2).files[package(2).artifact.name])
    data[40_000] ^= 1
    device.link.files[package(2).artifact.sha256] = bytes(data)


def exchange_artifact(device: SimulatedDevice) -> None:
    """The store hands out a sound payload of the same image that nobody signed: its header declares more memory."""
    data = demanding(package(2).files[FULL_NAME], 60 << 20)
    device.link.files[package(2).artifact.sha256] = data


def offer_as_is(device: SimulatedDevice) -> Offer:
    """Offer release 2 without putting its artifact back into the store."""
    files = dict(device.link.files)
    offer = device.offer(package(2))
    device.link.files.update(files)
    return offer


REFUSALS = [
    Case("no release at all", FailureCode.MALFORMED, "not TUF metadata", lambda d: replace(altered(d), release=b"{}")),
    Case(
        "nobody signed",
        FailureCode.UNSIGNED,
        "signed by nobody; 1 signatures are needed",
        offering(lambda: kit().package(image(2), signers=[])),
    ),
    Case(
        "another owner signed",
        FailureCode.ALTERED,
        "which is no release key of the root",
        offering(lambda: OTHER_OWNER.package(image(2))),
    ),
    Case("expired", FailureCode.EXPIRED, "expired at 2027-03-01", arrange=expire),
    Case(
        "below the floor",
        FailureCode.ROLLED_BACK,
        "below this device's floor 2",
        lambda d: d.offer(package(1)),
        climbed,
    ),
    Case("other model", FailureCode.INCOMPATIBLE, "for model 'gateway-9'", offering(only(model="gateway-9"))),
    Case("other hardware", FailureCode.INCOMPATIBLE, f"this device is '{HARDWARE}'", offering(only(hardware=("r9",)))),
    Case(
        "other starting version",
        FailureCode.INCOMPATIBLE,
        "this device runs 1.0.0",
        offering(only(from_version=Versions("1.5"))),
    ),
    Case("altered", FailureCode.ALTERED, "altered after signing", altered),
    Case(
        "roots of another owner",
        FailureCode.UNTRUSTED_ROOT,
        "not signed as root version 1 demands",
        offering(lambda: package(2), lambda: (OTHER_OWNER.rotate(),)),
    ),
    Case(
        "endless roots",
        FailureCode.UNTRUSTED_ROOT,
        "65 roots in one offer, the limit is 64",
        offering(lambda: package(2), lambda: (kit().pinned,) * 65),
    ),
    Case(
        "image longer than the slot",
        FailureCode.TOO_LARGE,
        f"has {SLOT_BYTES + 1} bytes, slot b has room for {SLOT_BYTES}",
        offering(lambda: kit().package(image(9, SLOT_BYTES + 1))),
    ),
]

FAILURES = [
    Case("link gave up", FailureCode.DOWNLOAD, "no answer", arrange=cut_link(DownloadError("no answer"))),
    Case(
        "cloud refused for good",
        FailureCode.DOWNLOAD,
        "unknown job",
        arrange=cut_link(ChannelError("unknown job", retryable=False)),
    ),
    Case("artifact altered", FailureCode.ALTERED, "came out otherwise than they were", offer_as_is, spoil_artifact),
    Case("artifact exchanged", FailureCode.ALTERED, "signed was", offer_as_is, exchange_artifact),
    Case(
        "disk full",
        FailureCode.SLOT_WRITE,
        "b.img cannot be written at byte 0: No space left",
        arrange=fault("write b.img", errno.ENOSPC, "No space left"),
    ),
    Case(
        "sync fails",
        FailureCode.SLOT_WRITE,
        "b.img could not be synced: I/O error",
        arrange=fault("sync b.img", errno.EIO, "I/O error"),
    ),
    Case(
        "read-back fails",
        FailureCode.SLOT_WRITE,
        "b.img cannot be read at byte 0: I/O error",
        arrange=fault("read b.img", errno.EIO, "I/O error"),
    ),
    Case(
        "boot environment read-only",
        FailureCode.BOOT_ENVIRONMENT,
        "/board cannot be written: Read-only",
        arrange=environment_read_only,
    ),
    Case(
        "journal full",
        FailureCode.JOURNAL,
        "journal /state/journal.0 cannot be written: No space",
        arrange=fault("write journal", errno.ENOSPC, "No space"),
    ),
]


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.name)
def test_a_refused_release_writes_nothing(case):
    """What was given is wrong: rejected with its code and a reason; no byte is fetched, both slots are as they were."""
    device = SimulatedDevice.built()
    case.arrange(device)
    slots = [device.kernel.content(image_path(FOLDER, slot)) for slot in Slot]
    served, reboots, running = device.link.served, device.reboots, device.booted

    report = device.run(case.offered(device))

    assert (report.outcome, report.code, report.slot) == (Outcome.REJECTED, case.code, running)
    assert case.words in report.detail
    assert [device.kernel.content(image_path(FOLDER, slot)) for slot in Slot] == slots
    assert (device.link.served, device.reboots) == (served, reboots)


@pytest.mark.parametrize("case", FAILURES, ids=lambda case: case.name)
def test_a_failure_before_the_switch_leaves_the_old_slot_running(case):
    """Getting or writing it went wrong: failed with its code and a reason; nothing restarts, nothing is on trial."""
    device = SimulatedDevice.built()
    case.arrange(device)

    report = device.run(case.offered(device))

    assert (report.outcome, report.code, report.slot, report.version) == (Outcome.FAILED, case.code, "a", "1.0.0")
    assert case.words in report.detail
    assert (device.reboots, device.boots.trial(), device.boots.default()) == (0, None, Slot.A)


def test_a_medium_that_gives_back_other_bytes_is_found_out():
    """The whole slot is read back before the switch: a bad one is never booted."""
    device = SimulatedDevice.built(kernel=FailingMedium())

    report = device.run(device.offer(package(2)))

    assert (report.outcome, report.code) == (Outcome.FAILED, FailureCode.SLOT_MISMATCH)
    assert "its medium may be failing" in report.detail
    assert device.reboots == 0
    assert Slot.B in read_environment(FOLDER, device.disk).unbootable


def test_a_good_release_is_installed_and_only_then_reported():
    """The way of every day: download, check, one restart, proof, commit, report; signs of life are sparse."""
    device = SimulatedDevice.built()

    report = device.run(device.offer(package(2, health=("network",))))

    assert report == installed("b", "2.0.0")
    assert device.running_image() == image(2)
    assert (device.boots.default(), device.boots.trial(), device.reboots) == (Slot.B, None, 1)
    assert device.health.asked == [("network",)]
    assert device.cloud.reports == [("job-1", report)]
    assert list(dict.fromkeys(each.phase for each in device.cloud.seen)) == [
        phase for phase in Phase if phase is not Phase.WAITING
    ]
    assert len(device.cloud.seen) <= 15


def test_an_unhealthy_release_falls_back_and_says_why():
    """The report is about the slot that runs again, with the words of the health check; the fallback is counted."""
    device = SimulatedDevice.built()
    device.health.verdicts = ["service gatewayd is not active"]

    report = device.run(device.offer(package(2)))

    detail = "service gatewayd is not active"
    assert report == Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.UNHEALTHY, detail, 1, FULL_NAME)
    assert device.booted is Slot.A
    assert device.engine.status().slots[1].release == ""


def test_a_release_that_never_comes_up_is_given_up_by_the_boot_loader():
    """The agent learns of it in the old slot, and tells."""
    device = SimulatedDevice.built(dead={Slot.B})

    report = device.run(device.offer(package(2)))

    assert (report.outcome, report.code, report.fallbacks) == (Outcome.FELL_BACK, FailureCode.FELL_BACK, 1)
    assert report.detail == "the boot loader gave slot b up; slot a runs again"


def test_a_release_that_runs_already_is_installed_at_once():
    """A new job for what was committed costs no download, also where the release no longer updates from itself."""
    device = SimulatedDevice.built()
    narrow = package(2, compatibility=Compatibility(MODEL, from_version=Versions(most="1.9")))
    device.run(device.offer(narrow, "job-1"))
    served = device.link.served

    report = device.run(device.offer(narrow, "job-2"))

    assert report == installed("b", "2.0.0", artifact="")
    assert (device.link.served, device.reboots) == (served, 1)


def test_an_offer_repeated_after_its_end_gets_the_same_report():
    """The cloud may have missed the end: nothing is done twice, and the same words are said again."""
    device = SimulatedDevice.built()
    device.health.verdicts = ["no route", None]
    first = device.run(device.offer(package(2)))
    served = device.link.served

    again = device.run(device.offer(package(2)))

    assert again == first
    assert (device.link.served, device.reboots) == (served, 2)
    assert device.cloud.reports == [("job-1", first)] * 2


def test_another_release_under_a_known_offer_id_is_judged_anew():
    """An answer is remembered for the bytes that it was given for, not for a name that the cloud chose."""
    device = SimulatedDevice.built()
    device.run(device.offer(package(2)))

    report = device.run(device.offer(package(3)))

    assert report == installed("a", "3.0.0")


def test_a_clock_before_the_expiry_is_in_time():
    """The last minute still counts."""
    device = SimulatedDevice.built(now=datetime(2027, 2, 28, 23, 59, tzinfo=UTC))

    report = device.run(device.offer(package(2)))

    assert report.outcome is Outcome.INSTALLED
