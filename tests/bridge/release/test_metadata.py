"""Roots whose thresholds would not mean what they say."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import Metadata, Root

from bridge.release.errors import UntrustedRoot
from bridge.release.metadata import require_sound
from bridge.release.trust import Trust, canonical
from tests.releases import ROOT_EXPIRES, new_signers


def root_with(*keys, threshold=1, role="targets"):
    """A root with one good root holder, and `keys` for releases."""
    root = Root(expires=ROOT_EXPIRES)
    root.add_key(new_signers(1)[0].public_key, "root")
    root.add_key(new_signers(1)[0].public_key, "targets")
    for key in keys:
        root.add_key(key, role)
    root.roles[role].threshold = threshold
    return root


def renamed(key, keyid, **changes):
    """`key` under another id."""
    fields = {"keytype": key.keytype, "scheme": key.scheme, "keyval": dict(key.keyval), **changes}
    return SSlibKey(keyid, **fields)


ED = new_signers(1)[0].public_key
EC = CryptoSigner.generate_ecdsa().public_key
SHORT = SSlibKey.from_crypto(rsa.generate_private_key(65537, 1024).public_key())


def test_a_plain_root_is_sound():
    """Ed25519, ECDSA and RSA holders side by side."""
    require_sound(root_with(ED, EC, CryptoSigner.generate_rsa(size=2048).public_key, threshold=4))


UNSOUND = {
    "one key under two ids": (lambda: root_with(ED, renamed(ED, "f" * 64)), "are one key under two ids"),
    "one key in two spellings": (
        lambda: root_with(ED, renamed(ED, "f" * 64, keyval={"public": ED.keyval["public"].upper()})),
        "are one key under two ids",
    ),
    "one PEM with another line end": (
        lambda: root_with(EC, renamed(EC, "f" * 64, keyval={"public": EC.keyval["public"] + "\n\n"})),
        "are one key under two ids",
    ),
    "one root holder twice": (lambda: root_with(ED, renamed(ED, "f" * 64), role="root"), "role 'root'"),
    "a threshold nobody can meet": (lambda: root_with(ED, threshold=3), "threshold 3 cannot be met by 2 keys"),
    "a short RSA key": (lambda: root_with(SHORT), "has 1024 bits, RSA needs 2048"),
    "no key at all": (
        lambda: root_with(renamed(ED, "f" * 64, keyval={"public": "zz"})),
        "key ffffffffffff is not readable",
    ),
    "a scheme of PKCS1 v1.5": (
        lambda: root_with(renamed(SHORT, "f" * 64, scheme="rsa-pkcs1v15-sha256")),
        "has scheme 'rsa-pkcs1v15-sha256'; use one of",
    ),
}


@pytest.mark.parametrize(("make", "says"), UNSOUND.values(), ids=UNSOUND)
def test_an_unsound_root_is_refused(make, says):
    """The message names the role and the key at fault."""
    with pytest.raises(UntrustedRoot, match=says):
        require_sound(make())


def test_one_person_cannot_be_two_approvers():
    """A root, well signed, that lists an approver twice is refused when it is pinned, before any release counts."""
    holder = new_signers(1)[0]
    root = root_with(ED, renamed(ED, "f" * 64), threshold=2)
    root.add_key(holder.public_key, "root")
    metadata = Metadata(root)
    metadata.sign(holder)
    with pytest.raises(UntrustedRoot, match="one key under two ids"):
        Trust.pin(canonical(metadata))


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda root: root.roles["targets"].keyids.append("e" * 64), "is named, but not in the root"),
        (lambda root: setattr(root.roles["root"], "threshold", True), "threshold must be a whole number"),
        (lambda root: setattr(root.roles["root"], "threshold", float("nan")), "threshold must be a whole number"),
        (lambda root: setattr(root, "version", True), "is not a whole number"),
    ],
    ids=["a dangling id", "a threshold that is true", "a threshold that is no number", "a version that is true"],
)
def test_wrong_types_are_refused(edit, says):
    """python-tuf leaves these to the client."""
    root = root_with()
    edit(root)
    with pytest.raises(UntrustedRoot, match=says):
        require_sound(root)
