"""Releases that are not for this device, one for each reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache

from agent.cloud.channel import Offer
from bridge.release.errors import FailureCode
from bridge.release.manifest import Compatibility, Versions
from tests.agent.cases.case import Case, Fault, Group, Offered, installed, rejected
from tests.agent.cases.devices import offering, release
from tests.agent.cases.faults import by_hand
from tests.agent.cases.paths import GOOD, REFUSED
from tests.agent.cases.rows import on_2, on_new
from tests.agent.cases.stage import StagedDevice
from tests.agent.device import SLOT_BYTES, image, kit, package
from tests.releases import EXPIRES, HARDWARE, MODEL, NOW, ReleaseKit

RULE = "Nothing is written and nothing restarts; the report names what is wrong with the release."


@cache
def other_owner() -> ReleaseKit:
    """Whose keys this device does not trust."""
    return ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))


@cache
def strange_root() -> bytes:
    """The second root of yet another owner."""
    return ReleaseKit(root_keys=(1, 1), release_keys=(1, 1)).rotate()


def only(words: str, **fields: object) -> Offered:
    """A release with this compatibility."""
    compatibility = Compatibility(**{"model": MODEL, "hardware": (HARDWARE,), **fields})
    return offering(lambda: package(2, compatibility=compatibility), f"2.0.0 for {words} only")


def nothing(device: StagedDevice) -> Offer:
    """An empty document."""
    return replace(device.offer(package(2)), release=b"{}")


def changed(device: StagedDevice) -> Offer:
    """release.json with other bytes than were signed."""
    offer = device.offer(package(2))
    return replace(offer, release=offer.release.replace(b"2.0.0", b"2.0.1"))


def rooted_elsewhere(device: StagedDevice) -> Offer:
    """A good release with a root that is none of this device."""
    return device.offer(package(2), roots=(strange_root(),))


def clock(words: str, now) -> Fault:
    """The time of day."""
    return by_hand(f"the clock is {words}", lambda device: setattr(device, "now", now))


def no(code: FailureCode, name: str, offered: Offered, *faults: Fault) -> Case:
    """A new device refuses."""
    return on_new(name, REFUSED, rejected(code, "a", "1.0.0"), faults=faults, offers=(offered,))


UNSIGNED = offering(lambda: kit().package(image(2), signers=[]), "2.0.0, unsigned")
FOREIGN = offering(lambda: other_owner().package(image(2)), "2.0.0 of another owner")
EXPIRED = offering(lambda: package(3, expires=NOW - timedelta(days=1)), "3.0.0, expired")
STRICT = offering(lambda: package(3, floor=2), "3.0.0, which forbids going below 2.0.0")
LARGE = offering(lambda: kit().package(image(9, SLOT_BYTES + 1)), "2.0.0, one byte longer than a slot")
OTHER_MODEL = only("another model", model="gateway-9")

REFUSALS = (
    no(FailureCode.MALFORMED, "no release at all", Offered("an empty document", nothing)),
    no(FailureCode.UNSIGNED, "nobody signed", UNSIGNED),
    no(FailureCode.ALTERED, "another owner signed", FOREIGN),
    no(FailureCode.ALTERED, "changed after it was signed", Offered("2.0.0, called 2.0.1", changed)),
    no(FailureCode.EXPIRED, "past its expiry", release(2), clock("at its expiry", EXPIRES)),
    no(FailureCode.INCOMPATIBLE, "for another model", OTHER_MODEL),
    no(FailureCode.INCOMPATIBLE, "for another hardware", only("another hardware", hardware=("r9",))),
    no(FailureCode.INCOMPATIBLE, "from another version", only("1.5 and later", from_version=Versions("1.5"))),
    no(FailureCode.UNTRUSTED_ROOT, "a strange root", Offered("2.0.0 with a root of another owner", rooted_elsewhere)),
    no(FailureCode.TOO_LARGE, "longer than the slot", LARGE),
    on_2(
        "past its expiry, and the clock was set back",
        REFUSED,
        rejected(FailureCode.EXPIRED, "b", "2.0.0"),
        faults=(clock("set back to 1970", NOW.replace(year=1970)),),
        offers=(EXPIRED,),
    ),
    on_2(
        "below the floor of the device",
        f"{GOOD}, {REFUSED}",
        installed("a", "3.0.0"),
        rejected(FailureCode.ROLLED_BACK, "a", "3.0.0", offer="job-2", words="floor 2"),
        offers=(STRICT, release(1, "job-2")),
    ),
    on_new(
        "a release that is refused, and the next one",
        f"{REFUSED}, {GOOD}",
        rejected(FailureCode.INCOMPATIBLE, "a", "1.0.0"),
        installed("b", "3.0.0", offer="job-2"),
        offers=(OTHER_MODEL, release(3, "job-2")),
    ),
)
GROUPS = (Group("Releases that are refused", RULE, REFUSALS),)
