"""Signing with keys in files and in a KMS."""

from __future__ import annotations

import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from tuf.api.metadata import Metadata

from bridge.errors import UsageError
from bridge.keys import KeyType, OwnedKey, create_key, read_public, write_public
from bridge.release.manifest import render
from bridge.signing import SigningFailed, SigningKey, find_key, has_signed, import_key, open_signer, sign
from tests.releases import describe, new_release

PASSPHRASE = "correct horse battery"
IMAGE = b"image"


@pytest.fixture
def metadata():
    """An unsigned release."""
    return Metadata(render(new_release(artifacts=(describe(IMAGE, IMAGE),))))


def answer(_what):
    """The right passphrase."""
    return PASSPHRASE


def never(what):
    """Nobody may be asked."""
    pytest.fail(f"asked for {what}")


@pytest.mark.parametrize("kind", KeyType)
def test_an_encrypted_key_signs(tmp_path, metadata, kind):
    """The passphrase is asked for by the file's name, and the signature verifies."""
    files, asked = create_key("alice", kind, tmp_path, PASSPHRASE), []
    key = find_key(str(files.private))

    sign(metadata, key, lambda what: asked.append(what) or PASSPHRASE)

    assert asked == ["passphrase of alice.pem"]
    assert has_signed(metadata, key.public.key)


def test_an_unencrypted_key_asks_for_nothing(tmp_path, metadata):
    """Throw-away keys of tests."""
    key = find_key(str(create_key("test", KeyType.ED25519, tmp_path, None).private))
    sign(metadata, key, never)

    assert has_signed(metadata, key.public.key)


@pytest.mark.parametrize("form", ["{}/alice.pem", "{}/alice.pub.json", "file:{}/alice.pem", "file2:{}/alice.pem"])
def test_a_key_is_found_by_either_file(tmp_path, form):
    """People name what they have at hand."""
    create_key("alice", KeyType.ED25519, tmp_path, None)
    key = find_key(form.format(tmp_path))

    assert ("alice", tmp_path / "alice.pem") == (key.public.name, key.place)


def test_a_signature_is_there_only_while_it_verifies(tmp_path, metadata):
    """A changed release is not signed any more, and signing replaces the stale signature."""
    key = find_key(str(create_key("alice", KeyType.ED25519, tmp_path, None).private))
    sign(metadata, key, never)
    metadata.signed.version += 1
    assert not has_signed(metadata, key.public.key)

    sign(metadata, key, never)

    assert has_signed(metadata, key.public.key)
    assert len(metadata.signatures) == 1


def broken(tmp_path):
    """Files with which no signature can be made: what to name, and what is said."""
    create_key("alice", KeyType.ED25519, tmp_path, PASSPHRASE)
    create_key("bob", KeyType.ED25519, tmp_path, None)
    (tmp_path / "noise.pem").write_text("noise")
    (tmp_path / "noise.pub.json").write_bytes((tmp_path / "bob.pub.json").read_bytes())
    (tmp_path / "carol.pub.json").write_bytes((tmp_path / "alice.pub.json").read_bytes())
    (tmp_path / "carol.pem").write_bytes((tmp_path / "bob.pem").read_bytes())
    (tmp_path / "dan.pub.json").write_bytes((tmp_path / "bob.pub.json").read_bytes())


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("alice", r"private key .*alice\.pem: the passphrase is wrong, or the file is damaged"),
        ("noise", r"private key .*noise\.pem: not a PEM private key"),
        ("carol", r"private key .*carol\.pem does not belong to the public key of alice"),
        ("dan", r"private key .*dan\.pem cannot be read: No such file or directory"),
        ("erin", r"public key file .*erin\.pub\.json cannot be read: No such file or directory"),
    ],
)
def test_a_key_that_cannot_sign_is_told_by_name(tmp_path, metadata, name, says):
    """One sentence each, and the release is as it was."""
    broken(tmp_path)
    with pytest.raises(UsageError, match=says):
        sign(metadata, find_key(str(tmp_path / f"{name}.pem")), lambda _: "wrong passphrase")
    assert metadata.signatures == {}


def test_a_uri_needs_its_public_key_file():
    """A KMS is not asked whose key it is each time."""
    with pytest.raises(
        UsageError, match=r"key awskms:alias/x: give its public key file too \(--public NAME.pub.json\)"
    ):
        find_key("awskms:alias/x")


MISSING = [("gcpkms:projects/p", "gcpkms"), ("hv:key/1", "vault"), ("hsm:2", "hsm")]


@pytest.mark.parametrize(("uri", "extra"), MISSING, ids=[extra for _, extra in MISSING])
def test_a_missing_library_names_its_extra(tmp_path, uri, extra):
    """Whoever signs with an HSM learns what to install."""
    modules = {"gcpkms": "google.cloud.kms", "vault": "hvac", "hsm": "pkcs11"}
    if modules[extra] in sys.modules:
        pytest.skip(f"{modules[extra]} is installed here")
    owned = read_public(create_key("alice", KeyType.ECDSA_P256, tmp_path, None).public)
    with pytest.raises(UsageError, match=rf"pip install 'securesystemslib\[{extra}\]'"):
        open_signer(SigningKey(OwnedKey(owned.key, "alice", uri), uri), answer)


@pytest.mark.parametrize(
    ("uri", "extra", "module"),
    [
        ("azurekms:vault/key", "azurekms", "azure.keyvault"),
        ("gcpkms:projects/p", "gcpkms", "google.cloud.kms"),
        ("hsm:", "hsm", "pkcs11"),
        ("hsm:2", "hsm", "pkcs11"),
        ("hv:key", "vault", "hvac"),
    ],
)
def test_an_import_without_its_library_names_the_extra(uri, extra, module):
    """Before anything is written."""
    if module in sys.modules:
        pytest.skip(f"{module} is installed here")
    with pytest.raises(UsageError, match=rf"pip install 'securesystemslib\[{extra}\]'"):
        import_key(uri, "ci", never)


@pytest.mark.parametrize(
    ("uri", "says"),
    [("azurekms:vault", "write azurekms:VAULT/KEY"), ("hsm:two", "write hsm: or hsm:SLOT with the slot's number")],
)
def test_an_import_needs_a_whole_uri(uri, says):
    """The message shows its form."""
    with pytest.raises(UsageError, match=says):
        import_key(uri, "ci", never)


@pytest.mark.parametrize("uri", ["gnupg:1234", "alice.pem", "awskms", ""])
def test_an_import_needs_a_known_scheme(uri):
    """The message lists them."""
    with pytest.raises(UsageError, match="begin with one of awskms:, azurekms:, gcpkms:, hsm:, hv:"):
        import_key(uri, "ci", never)


def sign_digest(key, message, _algorithm):
    """As KMS does for MessageType=DIGEST; moto hashes the digest again."""
    return key.private_key.sign(message, ECDSA(Prehashed(SHA256())))


@pytest.fixture
def kms(monkeypatch):
    """An AWS KMS in this process; its client."""
    moto = pytest.importorskip("moto")
    boto3 = pytest.importorskip("boto3")
    for name, value in {"DEFAULT_REGION": "eu-central-1", "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr("moto.kms.utils.ECDSAPrivateKey.sign", sign_digest)
    with moto.mock_aws():
        yield boto3.client("kms")


def new_kms_key(kms):
    """An ECDSA key that signs; its id."""
    return kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["KeyId"]


def test_a_kms_key_is_imported_once_and_signs_by_its_file(kms, tmp_path, metadata):
    """From then on the public key file alone names it."""
    owned = import_key(f"awskms:{new_kms_key(kms)}", "ci", never)
    write_public(tmp_path / "ci.pub.json", owned)
    key = find_key(str(tmp_path / "ci.pub.json"))

    sign(metadata, key, never)

    assert has_signed(metadata, key.public.key)
    assert find_key(owned.uri, tmp_path / "ci.pub.json") == key


def test_a_kms_key_that_became_another_is_noticed(kms, metadata):
    """An alias moved to a new key signs well, but not for the owner that the root lists."""
    owned = import_key(f"awskms:{new_kms_key(kms)}", "ci", never)
    with pytest.raises(SigningFailed, match="signed with another key than ci's") as failed:
        sign(metadata, SigningKey(owned, f"awskms:{new_kms_key(kms)}"), never)

    assert (failed.value.exit_code, metadata.signatures) == (1, {})


def test_a_kms_that_refuses_is_a_sentence(kms, metadata):
    """Whatever the cloud's library raises."""
    owned = import_key(f"awskms:{new_kms_key(kms)}", "ci", never)
    with pytest.raises(SigningFailed, match=r"key awskms:gone cannot sign: .*NotFoundException"):
        sign(metadata, SigningKey(owned, "awskms:gone"), never)
