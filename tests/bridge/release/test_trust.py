"""Attack stories: what a device believes, told by what an attacker, or a hurried owner, hands to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from tuf.api.metadata import Metadata, Root

from bridge.release.errors import (
    EXIT_CODES,
    AlteredRelease,
    ExpiredRelease,
    FailureCode,
    IncompatibleRelease,
    MalformedRelease,
    ReleaseError,
    RolledBackRelease,
    UnsignedRelease,
    UntrustedRoot,
)
from bridge.release.manifest import MAX_RELEASE_BYTES, Compatibility, Versions, render
from bridge.release.trust import (
    MAX_ROOT_BYTES,
    MAX_ROOTS,
    Facts,
    Trust,
    canonical,
    follow,
    judge,
    key_name,
    read_release,
)
from tests.releases import (
    EXPIRES,
    HARDWARE,
    MODEL,
    NOW,
    ROOT_EXPIRES,
    ReleaseKit,
    new_release,
    new_signers,
    sign_targets,
)

FACTS = Facts(MODEL, HARDWARE, "1.0.0")
IMAGE = b"an image" * 100


@pytest.fixture(scope="module")
def kit():
    """An owner with 2 of 3 root keys and 2 of 3 release keys."""
    return ReleaseKit()


def refusal(kit, document, now=NOW, facts=FACTS):
    """The reason why a device that follows all of the kit's roots refuses `document`."""
    verdict = judge(follow(kit.pinned, kit.later_roots), document, now, facts)
    assert verdict.refusal is not None
    with pytest.raises(type(verdict.refusal)):
        verdict.accepted()
    return verdict.refusal


def test_a_release_with_two_approvals_of_two_is_accepted(kit):
    """Signed by the threshold, unexpired, for this device: it is believed, and the verdict tells who stands behind."""
    package = kit.package(IMAGE)
    verdict = judge(follow(kit.pinned, ()), package.document, NOW, FACTS)

    assert package.release == verdict.accepted()
    assert (len(verdict.standing.signed), verdict.standing.missing) == (2, 0)
    assert (verdict.root_version, verdict.root_expires) == (1, ROOT_EXPIRES)


def test_a_third_approval_does_no_harm(kit):
    """More signatures than needed are welcome, in whatever order people signed."""
    package = kit.package(IMAGE, signers=list(reversed(kit.release_signers)))

    assert package.release == judge(follow(kit.pinned, ()), package.document, NOW, FACTS).accepted()


def signed(kit, **changes):
    return kit.package(IMAGE, **changes).document


REFUSED = {
    "nobody approved": (lambda kit: signed(kit, signers=[]), UnsignedRelease, "signed by nobody; 2 signatures are"),
    "one approver is missing": (
        lambda kit: signed(kit, signers=kit.release_signers[:1]),
        UnsignedRelease,
        "2 signatures are needed, 1 missing from: ",
    ),
    "a stranger approved": (
        lambda kit: signed(kit, signers=[kit.release_signers[0], *new_signers(1)]),
        AlteredRelease,
        "which is no release key of the root",
    ),
    "root holders approved": (
        lambda kit: signed(kit, signers=kit.root_signers),
        AlteredRelease,
        "which is no release key of the root",
    ),
    "it expired": (
        lambda kit: signed(kit, expires=NOW),
        ExpiredRelease,
        "release gateway-os 2.0.0 expired at 2026-03-01 12:00 UTC: sign it anew",
    ),
    "another model": (
        lambda kit: signed(kit, compatibility=Compatibility("gateway-4")),
        IncompatibleRelease,
        "the release is for model 'gateway-4', this device is 'gateway-3'",
    ),
    "other hardware": (
        lambda kit: signed(kit, compatibility=Compatibility(MODEL, ("r3", "r4"))),
        IncompatibleRelease,
        "the release is for hardware r3, r4; this device is 'r2'",
    ),
    "too old to start from": (
        lambda kit: signed(kit, compatibility=Compatibility(MODEL, (), Versions("1.1", "1.9"))),
        IncompatibleRelease,
        "updates from versions 1.1 to 1.9; this device runs 1.0.0",
    ),
    "too new to start from": (
        lambda kit: signed(kit, compatibility=Compatibility(MODEL, (), Versions(most="0.9"))),
        IncompatibleRelease,
        "updates from versions any to 0.9; this device runs 1.0.0",
    ),
    "not JSON": (lambda _: b"{", MalformedRelease, "release.json is not TUF metadata: Expecting"),
    "not text": (lambda _: b"\xff\xfe", MalformedRelease, "release.json is not TUF metadata"),
    "a root instead": (lambda kit: kit.pinned, MalformedRelease, "holds metadata of role 'root', expected 'targets'"),
    "too long": (
        lambda _: b" " * (MAX_RELEASE_BYTES + 1),
        MalformedRelease,
        "release.json has 16385 bytes, the limit is 16384",
    ),
    "nested without end": (lambda _: b"[" * 16000, MalformedRelease, "release.json is not TUF metadata"),
    "too many signatures": (
        lambda kit: sign_targets(render(kit.package(IMAGE).release), new_signers(17)),
        MalformedRelease,
        "release.json has 17 signatures, the limit is 16",
    ),
}


@pytest.mark.parametrize(("make", "kind", "says"), REFUSED.values(), ids=REFUSED)
def test_a_release_is_refused_with_its_reason(kit, make, kind, says):
    """Each refusal is of its own kind, has its own exit code, and says what happened."""
    seen = refusal(kit, make(kit))

    assert type(seen) is kind
    assert says in str(seen)
    assert EXIT_CODES[seen.code] == seen.exit_code


def test_the_floor_stops_a_rollback(kit):
    """A well signed old release is refused once the device's floor has risen above it."""
    seen = refusal(kit, signed(kit, sequence=2), facts=Facts(MODEL, HARDWARE, "1.0.0", floor=3))

    assert isinstance(seen, RolledBackRelease)
    assert "sequence 2 is below this device's floor 3" in str(seen)


@pytest.mark.parametrize("version", [None, "unknown build"])
def test_a_device_without_an_orderable_version_takes_no_release_with_a_range(kit, version):
    """The fault is named as the device's; the release is not called malformed."""
    document = signed(kit, compatibility=Compatibility(MODEL, (), Versions(least="1.0")))
    seen = refusal(kit, document, facts=Facts(MODEL, HARDWARE, version))

    assert isinstance(seen, IncompatibleRelease)
    assert "this device" in str(seen)


def test_without_facts_only_the_signatures_and_dates_are_judged(kit):
    """An approver's machine is no device: compatibility is none of its business."""
    package = kit.package(IMAGE, compatibility=Compatibility("another"))

    assert package.release == judge(follow(kit.pinned, ()), package.document, NOW).accepted()


def test_a_refusal_still_tells_what_was_found_out(kit):
    """A release that lacks an approver shows what it is and who is missing."""
    verdict = judge(follow(kit.pinned, ()), signed(kit, signers=[]), NOW)

    assert (verdict.release.version, verdict.standing.missing, len(verdict.standing.unsigned)) == ("2.0.0", 2, 3)


# --- what no signature covers -----------------------------------------------------------------------------------------


def reshaped(document, change):
    content = json.loads(document)
    change(content)
    return (json.dumps(content, indent=1, separators=(",", ": "), sort_keys=True) + "\n").encode()


SMUGGLED = {
    "beside the signed part": lambda content: content.update(note="trust me"),
    "beside a signature": lambda content: content["signatures"][0].update(note="trust me"),
    "another order of signatures": lambda content: content["signatures"].reverse(),
    "capitals in a signature": lambda content: content["signatures"][0].update(
        sig=content["signatures"][0]["sig"].upper()
    ),
    "blanks in a signature": lambda content: content["signatures"][0].update(sig=" " + content["signatures"][0]["sig"]),
}


@pytest.mark.parametrize("change", SMUGGLED.values(), ids=SMUGGLED)
def test_nothing_rides_along_unsigned(kit, change):
    """A file that says more, or says it otherwise, than the approvers signed is refused, valid signatures or not."""
    seen = refusal(kit, reshaped(signed(kit), change))

    assert isinstance(seen, AlteredRelease)


def test_a_key_written_twice_is_refused(kit):
    """Readers differ on which of two equal JSON keys counts, so neither does."""
    document = signed(kit)
    twice = document.replace(b'"_type": "targets",', b'"_type": "targets",\n  "_type": "targets",')

    assert isinstance(refusal(kit, twice), AlteredRelease)


@pytest.mark.parametrize("value", ["1.5", "NaN", "Infinity", '"\\ud800"', "[" * 800 + "]" * 800, "9" * 4400])
def test_values_without_a_canonical_form_are_refused(kit, value):
    """JSON that a signature cannot cover is a refusal, never a crash."""
    document = signed(kit).replace(b'"advisory": ""', b'"advisory": "", "x": ' + value.encode())

    assert isinstance(refusal(kit, document), ReleaseError)


@pytest.mark.parametrize("keyid", [0, None, True, 1.5, "\x1b[31mroot"])
def test_a_signature_by_no_name_at_all_is_refused(kit, keyid):
    """Key ids come from the attacker too."""
    seen = refusal(kit, reshaped(signed(kit), lambda content: content["signatures"][0].update(keyid=keyid)))

    assert str(seen).isprintable()


@pytest.mark.parametrize("sig", [0, None, [], "zz", "", "00"])
def test_a_signature_that_is_none_is_refused(kit, sig):
    """A wrong signature is refused although two others would do."""
    document = kit.package(IMAGE, signers=kit.release_signers).document

    seen = refusal(kit, reshaped(document, lambda content: content["signatures"][0].update(sig=sig)))

    assert isinstance(seen, AlteredRelease)


def test_a_refusal_quotes_hostile_bytes_harmlessly(kit):
    """Terminals and logs see neither control characters nor pages of text."""
    document = json.dumps({"signed": {"_type": "\x1b]0;owned\x07\n" * 900}, "signatures": []}).encode()
    text = str(refusal(kit, document))

    assert text.isprintable()
    assert len(text) <= 600


# --- the chain of roots -----------------------------------------------------------------------------------------------


def test_after_a_rotation_the_old_approvers_count_no_more():
    """A revoked key's approval is worth nothing to a device that followed the rotation."""
    kit = ReleaseKit()
    before = signed(kit)
    kit.rotate(root=False)

    assert "the key was revoked" in str(refusal(kit, before))
    assert judge(follow(kit.pinned, kit.later_roots), signed(kit), NOW, FACTS).accepted()


def test_a_device_far_behind_follows_every_rotation():
    """All root keys may change several times; the chain still leads there."""
    kit = ReleaseKit()
    for _ in range(3):
        kit.rotate()

    trust = follow(kit.pinned, kit.later_roots)

    assert (4, list(kit.roots)) == (trust.root.version, trust.chain)


def test_a_skipped_version_is_refused():
    """An attacker who withholds a rotation cannot jump over it."""
    kit = ReleaseKit()
    kit.rotate()
    kit.rotate()
    with pytest.raises(UntrustedRoot, match=r"version 3 follows version 1; version 2 between them is missing"):
        follow(kit.pinned, kit.later_roots[1:])


def test_an_old_root_changes_nothing():
    """Replaying a root that is behind us is passed over: no rollback, and no refusal of an honest repeat."""
    kit = ReleaseKit()
    kit.rotate()
    trust = follow(kit.pinned, [*kit.later_roots, kit.pinned, *kit.later_roots])

    assert (trust.root.version, len(trust.chain)) == (2, 2)


def root_of(version, root_signers, release_signers, threshold=2, expires=ROOT_EXPIRES):
    root = Root(version=version, expires=expires)
    for signer in root_signers:
        root.add_key(signer.public_key, "root")
    for signer in release_signers:
        root.add_key(signer.public_key, "targets")
    root.roles["root"].threshold = threshold
    return root


def signed_root(root, signers):
    metadata = Metadata(root)
    for signer in signers:
        metadata.sign(signer, append=True)
    return canonical(metadata)


def test_the_old_threshold_must_sign_the_new_root():
    """One root holder alone cannot hand trust to new keys."""
    kit, thieves = ReleaseKit(), new_signers(3)
    stolen = signed_root(root_of(2, thieves, thieves), [kit.root_signers[0], *thieves])
    trust = Trust.pin(kit.pinned)
    with pytest.raises(UntrustedRoot, match=r"root version 2 is not signed as root version 1 demands: .*1/2 keys"):
        trust.advance(stolen)

    assert (1, [kit.pinned]) == (trust.root.version, trust.chain)


def test_the_new_threshold_must_sign_the_new_root():
    """A root whose own holders did not sign would lock everyone out at the next rotation."""
    kit, successors = ReleaseKit(), new_signers(3)
    unproven = signed_root(root_of(2, successors, successors), [*kit.root_signers, successors[0]])
    with pytest.raises(UntrustedRoot, match=r"root version 2 is not signed as root version 2 demands: .*1/2 keys"):
        follow(kit.pinned, [unproven])


def test_the_pinned_root_must_be_signed_by_itself():
    """What a person pins is still held against its own threshold."""
    holders = new_signers(2)
    with pytest.raises(UntrustedRoot, match=r"root version 1 is not signed as root version 1 demands"):
        Trust.pin(signed_root(root_of(1, holders, holders), holders[:1]))


def test_release_keys_cannot_make_a_root():
    """Approvers approve releases; who they are is not theirs to say."""
    kit = ReleaseKit()
    coup = signed_root(root_of(2, kit.release_signers, kit.release_signers), kit.release_signers)
    with pytest.raises(UntrustedRoot, match="0/2 keys"):
        follow(kit.pinned, [coup])


def test_only_the_newest_root_must_be_unexpired():
    """An expired root still vouches for its successor (TUF specification 5.3.9), but for no release."""
    kit = ReleaseKit(root_expires=NOW - timedelta(days=1))
    assert "root version 1 expired at 2026-02-28 12:00 UTC: rotate it" in str(refusal(kit, signed(kit)))

    kit.rotate(expires=ROOT_EXPIRES)

    assert judge(follow(kit.pinned, kit.later_roots), signed(kit), NOW, FACTS).accepted()


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (b"", "root is not TUF metadata"),
        (b"{}", "root is not TUF metadata"),
        (b" " * (MAX_ROOT_BYTES + 1), "a root has 16385 bytes, the limit is 16384"),
        (sign_targets(render(new_release(artifacts=())), []), "holds metadata of role 'targets', expected 'root'"),
    ],
    ids=["empty", "no fields", "too long", "a release"],
)
def test_what_is_no_root_is_refused(kit, document, says):
    """Pinned or in the chain, it must be a root."""
    with pytest.raises(UntrustedRoot, match=says):
        Trust.pin(document)
    with pytest.raises(UntrustedRoot, match=says):
        follow(kit.pinned, [document])


def test_an_offer_carries_a_bounded_chain(kit):
    """A cloud cannot keep a device busy with roots for ever."""
    with pytest.raises(UntrustedRoot, match=r"65 roots in one offer, the limit is 64"):
        follow(kit.pinned, [kit.pinned] * (MAX_ROOTS + 1))


def test_a_key_is_shown_by_its_owners_name(kit):
    """People read names; the start of the id tells two of the same name apart."""
    key = kit.root_signers[0].public_key
    named = type(key)(key.keyid, key.keytype, key.scheme, key.keyval, {"x-otabridge-name": "rita"})

    assert (f"rita ({key.keyid[:12]})", key.keyid[:12]) == (key_name(named), key_name(key))


def test_what_is_written_is_canonical(kit):
    """Reading and writing a release again changes nothing."""
    document = signed(kit)

    assert document == canonical(read_release(document))


def test_the_day_of_expiry_is_exact(kit):
    """One second before it holds, at the second itself it does not."""
    document = signed(kit)
    last = EXPIRES - timedelta(seconds=1)

    assert judge(follow(kit.pinned, ()), document, last, FACTS).refusal is None
    assert refusal(kit, document, datetime(2027, 3, 1, tzinfo=UTC)).code == FailureCode.EXPIRED
