"""`otabridge ledger verify|export`: what proves that nothing was rewritten, with the store and without it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest


@pytest.fixture
def done(desk):
    """A desk with a rollout that has ended, and approvers' keys."""
    desk.approvers("ann", "ben")
    desk.apply()
    return desk


def ledger(desk, *words: str):
    """`otabridge ledger ...`."""
    return desk.otabridge("ledger", *words)


def change(desk, statement: str) -> None:
    """Somebody with access to the file."""
    with closing(sqlite3.connect(desk.folder / "otabridge.db")) as connection:
        connection.execute(statement)
        connection.commit()


def test_the_ledger_of_the_store_proves_itself(done):
    """As often as one likes; the head is the one that history prints."""
    text, document = ledger(done, "verify"), ledger(done, "verify", "-o", "json").json
    head = done.rollout("history", "gates", "-o", "json").json["head"]

    assert text.code == 0
    assert text.out == f"ledger   the store: {document['entries']} entries hold\nhead     {head}\n"
    assert document == {
        "ledger": "the store",
        "entries": document["entries"],
        "head": head,
        "signer": None,
        "since": None,
        "schema": 1,
    }


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE ledger SET entry = CAST(replace(entry, 'applied', 'approved') AS BLOB)", "ledger entry 1 was edited"),
        ("DELETE FROM ledger WHERE number = 2", "ledger entry 2 is missing or was moved"),
        ("DELETE FROM ledger WHERE number > 3", "has the noted head"),
    ],
)
def test_a_rewritten_store_ends_with_24(done, statement, message):
    """An edit, a gap, an end that was cut off."""
    change(done, statement)

    verified, exported = ledger(done, "verify"), ledger(done, "export", "ledger.jsonl")

    assert (verified.code, exported.code) == (24, 24)
    assert message in verified.err
    assert message in exported.err
    assert not list(done.folder.glob("ledger.jsonl*"))


def test_an_export_is_verified_without_the_store(done):
    """Nor is there any configuration on that machine."""
    exported = ledger(done, "export", "ledger.jsonl", "--key", "ann.pem")
    (done.folder / "otabridge.toml").unlink()

    plain = ledger(done, "verify", "ledger.jsonl")
    signed = ledger(done, "verify", "ledger.jsonl", "--key", "ann.pub.json", "-o", "json")
    other = ledger(done, "verify", "ledger.jsonl", "--key", "ben.pub.json")

    assert (exported.code, plain.code, signed.code, other.code) == (0, 0, 0, 24)
    assert "signed   by ann\n" in exported.out
    assert signed.json["signer"] == "ann"
    assert "the closing line is signed by another key" in other.err


def test_a_noted_head_must_be_in_it(done):
    """Also a later ledger holds it."""
    head = ledger(done, "verify", "-o", "json").json["head"]
    done.rollout("import", "nothing", "--fleet", "depot", "--job", "x")
    done.write((done.folder / "rollout.yaml").read_text().replace("name: gates", "name: doors"))
    done.apply("--no-wait")

    assert ledger(done, "verify", "--head", head).code == 0
    wrong = ledger(done, "verify", "--head", "0" * 63 + "1")
    assert wrong.code == 24
    assert "has the noted head" in wrong.err
    assert "otabridge: the store: none of its" in wrong.err
    part = ledger(done, "verify", "--head", head[:12])
    assert part.code == 2
    assert f"--head {head[:12]}: write all 64 digits" in part.err


def test_an_export_again_must_go_on_from_the_one_before(done):
    """It says how many entries are new, and never replaces what it does not contain."""
    first = ledger(done, "export", "ledger.jsonl", "-o", "json").json
    same = ledger(done, "export", "ledger.jsonl", "-o", "json").json
    done.write((done.folder / "rollout.yaml").read_text().replace("name: gates", "name: doors"))
    done.apply("--no-wait")
    more = ledger(done, "export", "ledger.jsonl")
    kept = (done.folder / "ledger.jsonl").read_bytes()
    for path in done.folder.glob("otabridge.db*"):
        path.unlink()
    done.apply("--no-wait")
    other = ledger(done, "export", "ledger.jsonl")

    assert (first["since"], same["since"], first["head"]) == (None, 0, same["head"])
    assert "entries since the earlier export\n" in more.out
    assert other.code == 24
    assert "of the earlier export ledger.jsonl is another one here" in other.err
    assert (done.folder / "ledger.jsonl").read_bytes() == kept


def test_the_store_is_held_against_an_earlier_export(done):
    """What was exported must still be its beginning."""
    ledger(done, "export", "ledger.jsonl")

    held = ledger(done, "verify", "--earlier", "ledger.jsonl", "-o", "json")

    assert (held.code, held.json["since"]) == (0, 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["verify", "nowhere.jsonl"], "ledger export nowhere.jsonl cannot be read: No such file"),
        (["verify", "rollout.yaml"], "this is no export of a ledger"),
        (["verify", "--key", "ann.pub.json"], "--key: the ledger of a store is not signed, its exports may be"),
        (["export", "nowhere/ledger.jsonl"], "ledger.jsonl.partial cannot be written: No such file"),
        (["export", "rollout.yaml"], "this is no export of a ledger"),
        (["export", "ledger.jsonl", "--key", "nobody.pem"], "nobody.pub.json cannot be read"),
    ],
)
def test_misuse_is_told_in_a_sentence(done, words, message):
    """2; a file that is no export is not replaced by one."""
    before = (done.folder / "rollout.yaml").read_text()

    refused = ledger(done, *words)

    assert refused.code == 2
    assert message in refused.err
    assert (done.folder / "rollout.yaml").read_text() == before
