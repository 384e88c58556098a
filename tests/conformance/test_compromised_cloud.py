"""What whoever holds the cloud account can do to a device: withhold updates, and nothing else.

The account creates any job or deployment it likes, moves any object in the store, rewrites any metadata; on Azure the
service signs whatever it is told to. The device is the real agent: its command line, its channel, its download, its
engine, its file boot loader.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from agent.slots import Slot
from bridge.release.manifest import Compatibility
from tests.conformance.bench import FAR, OLD, Bench
from tests.conformance.cloud import SIMULATED, Account, Cloud, End
from tests.releases import HARDWARE, Package, ReleaseKit

CLOUDS = SIMULATED


@dataclass
class Stage:
    """A device on the bench with its honest owner, and the account that lies to it."""

    bench: Bench
    cloud: Cloud
    account: Account
    device: str
    thief: ReleaseKit = field(default_factory=lambda: ReleaseKit((1, 1), (1, 1), root_expires=FAR))

    def package(self, sequence: int, **changes) -> Package:
        """A release of the owner's, or of another kit's."""
        return self.bench.package(sequence, **changes)

    def attack(self, package: Package, roots: tuple[bytes, ...] = (), body: bytes | None = None) -> End:
        """Offer it, let the agent answer."""
        offer = self.account.offer(self.device, package, roots=roots, body=body)
        self.bench.run()
        return self.account.end(self.device, offer)

    def install(self, package: Package) -> None:
        """An honest update: offered, installed, rebooted, proved, reported."""
        offer = self.account.offer(self.device, package)
        self.bench.run()
        self.bench.boot()
        self.bench.run()
        assert self.account.end(self.device, offer).outcome == "installed"


@pytest.fixture
def stage(cloud, bench, device) -> Stage:
    """A device on the bench, connected to the account."""
    return Stage(bench, cloud, cloud, device)


Attack = tuple[Package, tuple[bytes, ...]]


def forged(stage: Stage) -> Attack:
    """A release of the thief's own making and signing."""
    return stage.package(2, kit=stage.thief), ()


def forged_roots(stage: Stage) -> Attack:
    """With a chain of roots that ends in the thief's keys."""
    stage.thief.rotate()
    return stage.package(2, kit=stage.thief), stage.thief.later_roots


def altered(stage: Stage) -> Attack:
    """The owner's release with one figure changed."""
    package = stage.package(2)
    changed = package.document.replace(b'"version": 2\n', b'"version": 9\n')
    assert changed != package.document
    return replace(package, document=changed), ()


def unsigned(stage: Stage) -> Attack:
    """The owner's release without the approvers."""
    return stage.package(2, signers=()), ()


def cut_short(stage: Stage) -> Attack:
    """Metadata whose end is missing."""
    package = stage.package(2)
    return replace(package, document=package.document[:-6]), ()


def rubbish(stage: Stage) -> Attack:
    """Bytes that are no metadata."""
    return replace(stage.package(2), document=b"\xff" * 4000), ()


def deep(stage: Stage) -> Attack:
    """Metadata that is JSON of ten thousand levels."""
    return replace(stage.package(2), document=b"[" * 10_000), ()


def for_others(stage: Stage) -> Attack:
    """The owner's own release, for other hardware."""
    return stage.package(2, compatibility=Compatibility("gateway-4", (HARDWARE,))), ()


def expired(stage: Stage) -> Attack:
    """The owner's own release, past its time."""
    return stage.package(2, expires=datetime(2020, 1, 1, tzinfo=UTC)), ()


def too_many_roots(stage: Stage) -> Attack:
    """As many roots as an offer holds, none of them a root."""
    return stage.package(2), (b"x" * 300,) * 60


REFUSED: list[tuple[Callable[[Stage], Attack], int]] = [
    (forged, 105),
    (forged_roots, 106),
    (altered, 105),
    (unsigned, 101),
    (cut_short, 100),
    (rubbish, 100),
    (deep, 100),
    (for_others, 104),
    (expired, 102),
    (too_many_roots, 106),
]


@pytest.mark.parametrize(("attack", "code"), REFUSED, ids=[each[0].__name__ for each in REFUSED])
def test_a_compromised_cloud_account_can_do_nothing_but_withhold(stage, attack, code):
    """Refused before one byte is written: rejected with the reason, the old slot boots, the other is untouched."""
    blank = stage.bench.content(Slot.B)
    package, roots = attack(stage)

    end = stage.attack(package, roots)

    assert end == End("rejected", str(code))
    assert stage.bench.content(Slot.A).startswith(OLD)
    assert stage.bench.content(Slot.B) == blank
    stage.bench.assert_old_slot_boots(Slot.A)


def test_work_for_other_agents_is_refused(stage):
    """A script for another program is neither run nor does it block the device."""
    blank = stage.bench.content(Slot.B)
    stage.cloud.offer_foreign(stage.device)

    stage.bench.run()

    assert stage.bench.content(Slot.B) == blank
    stage.bench.assert_old_slot_boots(Slot.A)
    stage.install(stage.package(2))


SWAPPED: list[Callable[[bytes], bytes]] = [
    lambda _: random.Random(666).randbytes(200_000),
    lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    lambda data: data[: len(data) // 2],
    lambda data: data + b"\0" * 100_000,
]


@pytest.mark.parametrize("swap", SWAPPED, ids=["other bytes", "one bit", "cut short", "longer"])
def test_swapped_bytes_in_the_store_never_become_bootable(stage, swap):
    """The signed release with other bytes behind its URL: reported with a code, and the old slot boots."""
    package = stage.package(2)

    end = stage.attack(package, body=swap(package.files[package.artifact.name]))

    assert end.outcome in {"rejected", "failed"}
    assert end.code in {"105", "200"}
    assert stage.bench.content(Slot.A).startswith(OLD)
    stage.bench.assert_old_slot_boots(Slot.A)


def test_a_replayed_older_release_below_the_floor_is_refused(stage):
    """Signed by the owner, years ago, with a hole in it; the floor rose when both slots had passed it."""
    stage.install(stage.package(3, floor=3))
    stage.install(stage.package(4, floor=3))
    running, kept = stage.bench.content(Slot.A), stage.bench.content(Slot.B)

    assert stage.attack(stage.package(2)) == End("rejected", "103")

    assert (stage.bench.content(Slot.A), stage.bench.content(Slot.B)) == (running, kept)
    stage.bench.assert_old_slot_boots(Slot.A)


def test_an_offer_for_another_device_is_none_of_ours(stage):
    """Whatever the other device is told, this one hears nothing of it."""
    other = f"{stage.device}-other"
    stage.cloud.add_device(other)
    offer = stage.account.offer(other, forged(stage)[0])

    stage.bench.run()

    assert stage.account.end(other, offer) == End("", "")
    stage.bench.assert_old_slot_boots(Slot.A)


def test_the_honest_release_is_still_installed_after_all_attacks(stage):
    """Nothing of the above wedges the device."""
    for attack, _ in REFUSED:
        stage.attack(*attack(stage))

    stage.install(stage.package(5))

    assert stage.bench.default is Slot.B
