"""`otabridge keys`: what people and scripts see."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

PASSPHRASE_VARIABLE = "OTABRIDGE_PASSPHRASE"


def test_a_key_is_made_and_shown(otabridge):
    """Two files, and the id that people compare over another channel."""
    made = otabridge("keys", "create", "alice", "--out", "keys")
    shown = otabridge("keys", "show", "keys/alice.pub.json", "-o", "json")

    assert (made.exit_code, made.err) == (0, "")
    assert "keys/alice.pem  (keep it; never share it)" in made.out
    assert tuple(shown.json[name] for name in ("name", "scheme", "private")) == ("alice", "ed25519", "alice.pem")
    assert b"ENCRYPTED" in Path("keys/alice.pem").read_bytes()


def test_an_unencrypted_key_needs_an_explicit_word(otabridge, monkeypatch):
    """Without a terminal, a variable or a file there is no key at all."""
    monkeypatch.delenv(PASSPHRASE_VARIABLE)
    refused = otabridge("keys", "create", "alice")
    made = otabridge("keys", "create", "robot", "--no-passphrase")

    assert refused.exit_code == 2
    assert refused.err == (
        "otabridge: passphrase for the new key alice: nobody to ask, stdin is no terminal; "
        "set OTABRIDGE_PASSPHRASE or give --passphrase-file\n"
    )
    assert "NOT encrypted" in made.out
    assert {"robot.pem", "robot.pub.json"} == {path.name for path in Path().iterdir()}


def test_a_passphrase_may_come_from_a_file(otabridge, monkeypatch):
    """For machines whose secrets are files; the line end is not part of it."""
    monkeypatch.delenv(PASSPHRASE_VARIABLE)
    Path("secret").write_text("a passphrase in a file\n")
    otabridge("keys", "create", "alice", "--passphrase-file", "secret")
    otabridge("root", "init", "--root-key", "alice.pub.json", "--release-key", "alice.pub.json")
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "a passphrase in a file")

    assert otabridge("root", "sign", "alice.pem").exit_code == 0


def test_a_person_is_asked_twice(otabridge, monkeypatch):
    """On a terminal; the answer never appears."""
    monkeypatch.delenv(PASSPHRASE_VARIABLE)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    asked = []

    def prompt(text, **options):
        asked.append((text, options["hide_input"], options["confirmation_prompt"]))
        return "correct horse battery"

    monkeypatch.setattr("typer.prompt", prompt)

    assert otabridge("keys", "create", "alice").exit_code == 0
    assert asked == [("passphrase for the new key alice", True, True)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("create", "../alice"), "key name '../alice': use 1 to 64 letters"),
        (("create", "taken"), "taken.pem exists; keys are never overwritten"),
        (("show", "nobody.pub.json"), "public key file nobody.pub.json cannot be read: No such file or directory"),
        (("import", "ftp:x", "--name", "ci"), "key URI 'ftp:x': begin with one of awskms:"),
        (("import", "hsm:", "--name", "a/b"), "key name 'a/b'"),
    ],
    ids=["no file name", "taken", "nobody", "no scheme", "no name"],
)
def test_misuse_is_a_sentence(otabridge, arguments, says):
    """Exit code 2, nothing on stdout, no traceback."""
    Path("taken.pem").touch()
    ran = otabridge("keys", *arguments)

    assert (ran.exit_code, ran.out) == (2, "")
    assert ran.err.startswith(f"otabridge: {says}")


def test_a_kms_key_becomes_a_public_key_file(otabridge, monkeypatch):
    """The file remembers where the private key is; nothing secret is in it."""
    moto, boto3 = pytest.importorskip("moto"), pytest.importorskip("boto3")
    for name, value in {"DEFAULT_REGION": "eu-central-1", "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with moto.mock_aws():
        made = boto3.client("kms").create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")
        uri = f"awskms:{made['KeyMetadata']['KeyId']}"
        ran = otabridge("keys", "import", uri, "--name", "ci", "-o", "json")
    shown = otabridge("keys", "show", "ci.pub.json", "-o", "json")

    assert ran.json == {"public": "ci.pub.json", "uri": uri}
    assert (shown.json["name"], shown.json["private"]) == ("ci", uri)
