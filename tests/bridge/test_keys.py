"""Keys in files: private ones stay private, public ones are what they claim."""

from __future__ import annotations

import json
import stat

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bridge.errors import UsageError
from bridge.keys import KeyType, create_key, read_public, write_public

PASSPHRASE = "correct horse battery"


@pytest.mark.parametrize("kind", KeyType)
def test_a_new_key_is_encrypted_and_its_owners_alone(tmp_path, kind):
    """PKCS#8, mode 0600, unreadable without the passphrase."""
    files = create_key("alice", kind, tmp_path, PASSPHRASE)
    pem = files.private.read_bytes()

    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert stat.S_IMODE(files.private.stat().st_mode) == 0o600
    assert load_pem_private_key(pem, PASSPHRASE.encode())
    with pytest.raises(ValueError, match="password"):
        load_pem_private_key(pem, b"another passphrase")


def test_the_public_file_travels(tmp_path):
    """Key, name and place are read back; a root takes over the name and never the place."""
    files = create_key("alice", KeyType.ECDSA_P256, tmp_path, PASSPHRASE)
    owned = read_public(files.public)

    assert (owned.name, owned.uri, owned.key.scheme) == ("alice", "alice.pem", "ecdsa-sha2-nistp256")
    assert owned.for_root.unrecognized_fields == {"x-otabridge-name": "alice"}


def test_an_unencrypted_key_is_made_only_when_asked_for(tmp_path):
    """Passphrase None is the caller's explicit word; an empty one is a mistake."""
    assert b"BEGIN PRIVATE KEY" in create_key("test", KeyType.ED25519, tmp_path, None).private.read_bytes()
    with pytest.raises(UsageError, match="the passphrase has 0 characters, at least 12 are needed"):
        create_key("alice", KeyType.ED25519, tmp_path, "")
    assert {"test.pem", "test.pub.json"} == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("there", ["alice.pem", "alice.pub.json"])
def test_keys_are_never_overwritten(tmp_path, there):
    """Either file in the way stops both."""
    (tmp_path / there).write_text("precious")
    with pytest.raises(UsageError, match=f"{there} exists; keys are never overwritten"):
        create_key("alice", KeyType.ED25519, tmp_path, PASSPHRASE)

    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize("name", ["", "../alice", "a/b", ".hidden", "a" * 65, "al\nice", "alice\x1b[0m"])
def test_a_name_is_a_file_name(tmp_path, name):
    """It names files and is shown to people."""
    with pytest.raises(UsageError, match="key name"):
        create_key(name, KeyType.ED25519, tmp_path, PASSPHRASE)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    """A file where the folder should be."""
    (tmp_path / "keys").touch()
    with pytest.raises(UsageError, match=r"alice\.pem cannot be written: (File exists|Not a directory)"):
        create_key("alice", KeyType.ED25519, tmp_path / "keys", PASSPHRASE)


EDITS = {
    "another id": (lambda key: key.update(keyid="0" * 64), "does not belong to the key in the file"),
    "another type": (lambda key: key.update(keytype="rsa"), "does not belong to the key in the file"),
    "an unknown scheme": (lambda key: key.update(scheme="md5"), "holds no usable key"),
    "another scheme": (lambda key: key.update(scheme="rsassa-pss-sha256"), "holds no usable key"),
    "no public half": (lambda key: key.update(keyval={}), "is no public key file"),
    "a public half of noise": (lambda key: key.update(keyval={"public": "00"}), "holds no usable key"),
    "no name": (lambda key: key.pop("x-otabridge-name"), "missing required field `x-otabridge-name`"),
    "a name with terminal codes": (lambda key: key.update({"x-otabridge-name": "\x1b[0m"}), "key name"),
}


@pytest.mark.parametrize(("edit", "says"), EDITS.values(), ids=EDITS)
def test_an_edited_public_file_is_refused(tmp_path, edit, says):
    """What goes into a root is checked when it is read, with the file's name in the message."""
    path = create_key("alice", KeyType.ED25519, tmp_path, PASSPHRASE).public
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=says):
        read_public(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"not json", "is no public key file"), (b" " * 70_000, "has more than 65536 bytes")],
    ids=["noise", "too long"],
)
def test_what_is_no_public_file_is_refused(tmp_path, content, says):
    """Bounded, and by name."""
    path = tmp_path / "alice.pub.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says):
        read_public(path)
    with pytest.raises(UsageError, match=r"bob\.pub\.json cannot be read: No such file"):
        read_public(tmp_path / "bob.pub.json")


def test_a_public_file_is_not_overwritten(tmp_path):
    """Nor by an import."""
    path = create_key("alice", KeyType.ED25519, tmp_path, PASSPHRASE).public
    with pytest.raises(UsageError, match="cannot be written: File exists"):
        write_public(path, read_public(path))
