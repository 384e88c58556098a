"""Attacks by releases: those of the owner at the wrong time or place, and those of others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from agent.slots import Slot
from bridge.release.errors import FailureCode
from bridge.release.manifest import Compatibility, Versions
from bridge.release.report import Outcome
from tests.agent.attacks.attack import Attack, Door
from tests.agent.attacks.scene import Scene
from tests.agent.device import SLOT_BYTES, image
from tests.releases import FULL_NAME, HARDWARE, MODEL, new_signers

release = partial(Attack, door=Door.RELEASE)


def offering(**changes: object) -> Callable[[Scene], None]:
    """The owner's release with fields of its own."""
    return lambda scene: scene.present(scene.release(**changes))


def only_for(**fields: object) -> Callable[[Scene], None]:
    """The owner's release for other devices."""
    return offering(compatibility=Compatibility(**{"model": MODEL, "hardware": (HARDWARE,), **fields}))


def expire(scene: Scene) -> None:
    """At the second of its expiry."""
    packed = scene.release()
    scene.device.now = packed.release.expires
    scene.present(packed)


def forge(scene: Scene) -> None:
    """With keys that no root names."""
    scene.present(scene.thief.package(image(66)))


def one_short(scene: Scene) -> None:
    """With one approval of two."""
    scene.present(scene.release(signers=scene.owner.release_signers[:1]))


def extra_signature(scene: Scene) -> None:
    """Beside both approvals."""
    signers = [*scene.owner.release_signers[:2], *new_signers(1)]
    scene.present(scene.release(signers=signers))


def replay_below_the_floor(scene: Scene) -> None:
    """Release 3 forbade to go back below 2, and both slots have passed it."""
    old = scene.release(1)
    scene.install(scene.release(2), scene.release(3, floor=2))
    scene.present(old)


def replay_above_the_floor(scene: Scene) -> None:
    """No later release forbids it."""
    old = scene.release(2)
    scene.install(scene.release(3), scene.release(4))
    scene.present(old)


def mixed_bytes(scene: Scene) -> None:
    """The artifact of release 3 where that of release 2 should lie."""
    two, three = scene.release(2), scene.release(3)
    scene.present(two)
    scene.serve(FULL_NAME, three.files[FULL_NAME], two)


def delta_from_another_image(scene: Scene) -> None:
    """A delta that starts from image 7, which this device never had."""
    scene.present(scene.delta(2, source=7))


ATTACKS = (
    release(
        "replay below the floor",
        "hands out an old release, signed by the owner, with a hole that a later one has closed",
        strike=replay_below_the_floor,
        code=FailureCode.ROLLED_BACK,
        says="below this device's floor 2",
        runs="3.0.0",
    ),
    release(
        "replay above the floor",
        "hands out an old release, signed by the owner and unexpired, that no later one forbids",
        strike=replay_above_the_floor,
        code=None,
        outcome=Outcome.INSTALLED,
        slot=Slot.B,
        runs="2.0.0",
        writes=True,
        so="going back is what owners do, too: only the floor tells the two apart; raise it with each security release",
    ),
    release(
        "expired",
        "hands out a release whose time is over",
        strike=expire,
        code=FailureCode.EXPIRED,
        says="expired at 2027-03-01 00:00 UTC: sign it anew",
    ),
    release(
        "wrong model",
        "hands out the owner's release for other devices",
        strike=only_for(model="gateway-9"),
        code=FailureCode.INCOMPATIBLE,
        says="is for model 'gateway-9', this device is 'gateway-3'",
    ),
    release(
        "wrong hardware",
        "hands out the owner's release for another revision of the board",
        strike=only_for(hardware=("r8", "r9")),
        code=FailureCode.INCOMPATIBLE,
        says="is for hardware r8, r9; this device is 'r2'",
    ),
    release(
        "wrong starting version",
        "leaves out the release between, whose migration this one needs",
        strike=only_for(from_version=Versions("1.5")),
        code=FailureCode.INCOMPATIBLE,
        says="this device runs 1.0.0",
    ),
    release(
        "image longer than the slot",
        "hands out a release for a board with larger slots",
        strike=lambda scene: scene.present(scene.owner.package(image(9, SLOT_BYTES + 1))),
        code=FailureCode.TOO_LARGE,
        says="slot b has room for",
    ),
    release(
        "artifacts of another release, in the store",
        "moves the artifact of one signed release to where that of another lies",
        strike=mixed_bytes,
        code=FailureCode.ALTERED,
        says="the payload",
        outcome=Outcome.FAILED,
    ),
    release(
        "delta from another image",
        "offers a delta whose source is not what runs",
        strike=delta_from_another_image,
        code=None,
        outcome=Outcome.INSTALLED,
        slot=Slot.B,
        runs="2.0.0",
        writes=True,
        so="the device reads its own slot before it believes in a delta; it passes this one over and takes the full",
    ),
    release(
        "forged",
        "signs a release with keys of their own",
        strike=forge,
        code=FailureCode.ALTERED,
        says="which is no release key of the root",
    ),
    release(
        "threshold one short",
        "has one approver's key of the two that it takes",
        strike=one_short,
        code=FailureCode.UNSIGNED,
        says="2 signatures are needed, 1 missing",
    ),
    release(
        "a signature of their own beside the good ones",
        "adds a signature, for whatever reader counts it",
        strike=extra_signature,
        code=FailureCode.ALTERED,
        says="which is no release key of the root",
    ),
)
