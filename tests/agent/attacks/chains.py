"""Attacks by the chain of roots."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from tuf.api.metadata import Metadata, Root

from agent.slots import Slot
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome
from bridge.release.trust import MAX_ROOT_BYTES, MAX_ROOTS, canonical
from tests.agent.attacks.attack import Attack, Door
from tests.agent.attacks.scene import LATER, Scene
from tests.releases import NOW, ReleaseKit

roots = partial(Attack, door=Door.ROOTS)
YEAR = timedelta(days=365)


def with_roots(make: Callable[[Scene], tuple[bytes, ...]]) -> Callable[[Scene], None]:
    """The owner's release, with these roots beside it."""

    def strike(scene: Scene) -> None:
        later = make(scene)
        scene.present(scene.release(), later)

    return strike


def gap(scene: Scene) -> tuple[bytes, ...]:
    """Version 3 without version 2, which revoked a key."""
    scene.owner.rotate()
    return (scene.owner.rotate(),)


def thiefs(scene: Scene) -> tuple[bytes, ...]:
    """A rotation of another owner's."""
    return (scene.thief.rotate(),)


def resigned(scene: Scene, signers: list, change: Callable[[Root], None] = lambda _: None) -> bytes:
    """The root after the owner's newest, with `change`, signed by `signers`."""
    document = Metadata.from_bytes(scene.owner.roots[-1])
    document.signed.version += 1
    document.signatures.clear()
    change(document.signed)
    for signer in signers:
        document.sign(signer, append=True)
    return canonical(document)


def one_holder_short(scene: Scene) -> tuple[bytes, ...]:
    """One root holder of two."""
    return (resigned(scene, scene.owner.root_signers[:1]),)


def without_new_holders(scene: Scene) -> tuple[bytes, ...]:
    """A root with the thief's release keys, signed by approvers of releases."""
    return (resigned(scene, scene.owner.release_signers),)


def altered_root(change: Callable[[dict], None]) -> Callable[[Scene], tuple[bytes, ...]]:
    """The owner's next root with a change that nobody signed."""

    def make(scene: Scene) -> tuple[bytes, ...]:
        value = json.loads(scene.owner.rotate())
        change(value)
        return (json.dumps(value).encode(),)

    return make


def unknown_key(document: dict) -> None:
    """A key of a kind from nowhere."""
    key = next(iter(document["signed"]["keys"].values()))
    key.update(keytype="quantum", scheme="quantum-512")


def two_names_of_one_key(document: dict) -> None:
    """So that one approver counts as two."""
    signed = document["signed"]
    role = signed["roles"]["targets"]
    signed["keys"]["cd" * 32] = dict(signed["keys"][role["keyids"][0]])
    role["keyids"] = [role["keyids"][0], "cd" * 32]


def no_threshold(document: dict) -> None:
    """So that nobody needs to sign."""
    document["signed"]["roles"]["targets"]["threshold"] = 0


def rotated_while_off(scene: Scene) -> None:
    """Five rotations, the first two of which have expired, reach it at once."""
    scene.owner.rotate(expires=NOW + YEAR / 4)
    scene.owner.rotate(expires=NOW + YEAR / 2)
    for _ in range(3):
        scene.owner.rotate(expires=LATER + YEAR)
    scene.device.now = NOW + YEAR
    scene.present(scene.release(expires=NOW + 2 * YEAR), scene.owner.later_roots)


def revoked_key(scene: Scene) -> None:
    """The device has heard of the rotation; the old approvers' release comes without it."""
    stolen = scene.owner.release_signers[:2]
    scene.owner.rotate(root=False)
    scene.install(scene.release(2))
    scene.present(scene.release(3, signers=stolen))


def withheld_rotation(scene: Scene) -> None:
    """The device never heard of it, as the cloud kept it back."""
    stolen = scene.owner.release_signers[:2]
    packed = scene.release(2, signers=stolen)
    scene.owner.rotate(root=False)
    scene.present(packed)


def replayed_root(scene: Scene) -> None:
    """The pinned root again, after the newest."""
    scene.owner.rotate()
    scene.present(scene.release(), (*scene.owner.later_roots, scene.owner.pinned))


def expired_root(scene: Scene) -> None:
    """The owner has let it expire; the thief hands out nothing newer."""
    scene.owner = ReleaseKit(root_expires=NOW + YEAR)
    scene.device.pinned = scene.owner.pinned
    scene.device.start_agent()
    scene.device.now = NOW + YEAR
    scene.present(scene.release(expires=NOW + 2 * YEAR))


INSTALLED = {"outcome": Outcome.INSTALLED, "slot": Slot.B, "runs": "2.0.0", "writes": True, "code": None}
UNTRUSTED = {"code": FailureCode.UNTRUSTED_ROOT}

ATTACKS = (
    roots(
        "gap in the chain",
        "leaves out the root that revoked a key",
        strike=with_roots(gap),
        **UNTRUSTED,
        says="version 2 between them is missing: publish the whole chain",
    ),
    roots(
        "roots of another owner",
        "sends roots of their own",
        strike=with_roots(thiefs),
        **UNTRUSTED,
        says="is not signed as root version 1 demands",
    ),
    roots(
        "root with one holder short",
        "has the key of one root holder of the two that it takes",
        strike=with_roots(one_holder_short),
        **UNTRUSTED,
        says="is not signed as root version 1 demands",
    ),
    roots(
        "root signed by approvers",
        "has the keys of all approvers of releases, and makes a root with them",
        strike=with_roots(without_new_holders),
        **UNTRUSTED,
        says="is not signed as root version 1 demands",
    ),
    roots(
        "unknown kind of key",
        "names a key of a kind that nobody can check",
        strike=with_roots(altered_root(unknown_key)),
        **UNTRUSTED,
        says="Unsupported public key quantum/quantum-512",
    ),
    roots(
        "one key under two names",
        "lets one approver count as two",
        strike=with_roots(altered_root(two_names_of_one_key)),
        **UNTRUSTED,
        says="are one key under two ids",
    ),
    roots(
        "threshold of nought",
        "lets nobody approve",
        strike=with_roots(altered_root(no_threshold)),
        **UNTRUSTED,
        says="threshold",
    ),
    roots(
        "too many roots",
        "keeps the device busy with signatures",
        strike=with_roots(lambda scene: (scene.owner.pinned,) * (MAX_ROOTS + 1)),
        **UNTRUSTED,
        says="65 roots in one offer, the limit is 64",
    ),
    roots(
        "oversized root",
        "sends a root longer than any",
        strike=with_roots(lambda _: (b" " * (MAX_ROOT_BYTES + 1),)),
        **UNTRUSTED,
        says="a root has 16385 bytes, the limit is 16384",
    ),
    roots(
        "old root again",
        "sends the first root after the newest, to bring revoked keys back",
        strike=replayed_root,
        **INSTALLED,
        so="a root that lies behind is passed over; trust never goes back",
    ),
    roots(
        "expired root",
        "withholds every rotation until the root has expired",
        strike=expired_root,
        code=FailureCode.EXPIRED,
        says="expired at 2027-03-01 12:00 UTC: rotate it",
    ),
    roots(
        "revoked key",
        "signs with keys that were stolen and then revoked",
        strike=revoked_key,
        code=FailureCode.ALTERED,
        says="or the key was revoked; sign the release anew",
        slot=Slot.B,
        runs="2.0.0",
    ),
    roots(
        "revoked key, and the rotation withheld",
        "the same, to a device that the rotation was kept from",
        strike=withheld_rotation,
        **INSTALLED,
        so="nobody can tell a device what it is kept from; it ends with the release's expiry and the root's",
    ),
    roots(
        "off for a year",
        "nobody attacks: five rotations reach a device at once that was off meanwhile",
        strike=rotated_while_off,
        **INSTALLED,
        so="the chain is followed from the pinned root; only its end must be unexpired",
    ),
)
