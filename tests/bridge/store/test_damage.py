"""Stores that were damaged, or that cannot be written: one sentence each, and nothing is half-written."""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bridge.errors import StoreError
from bridge.ledger import Act
from bridge.store.store import Store
from bridge.store.tables import PLANS, ROLLOUTS
from tests.bridge.store.records import NOW, edit, in_a_process, new_entry, new_plan, new_record, progress_of

DAMAGE = [
    ({"digest": "ab"}, "rollout gates has the plan of gates, or another digest"),
    ({"state": "dancing"}, r"Invalid enum value 'dancing' - at `\$.state`"),
    ({"state": "running"}, "rollout gates is running and planned"),
    ({"created": "yesterday"}, r"Invalid RFC3339 encoded datetime - at `\$.created`"),
    ({"updated": "2026-03-01T12:00:00"}, r"timezone component - at `\$.updated`"),
    ({"progress": b"[]"}, "Expected `object`"),
    ({"progress": b'{"state":"planned","orders":[1]}'}, "Expected `object`, got `int`"),
    ({"progress": b"\xff"}, "JSON is malformed"),
    ({"roots": b'["%"]'}, "Invalid base64"),
    ({"back_release": b"x"}, "half of a release to go back to"),
    ({"progress": b'{"x":' + b"[" * 100_000}, "recursion"),
]


@pytest.mark.parametrize(("values", "message"), DAMAGE)
def test_a_damaged_row_is_a_sentence(where, store, values, message):
    """With the store's name and what to do; no traceback, and others are not kept from their rollouts."""
    store.create(new_record(), new_entry())
    store.create(new_record("doors"), new_entry())
    edit(store, ROLLOUTS.update().where(ROLLOUTS.c.name == "gates").values(values))

    fresh = Store(where)
    with pytest.raises(StoreError, match=f"holds what otabridge did not write .*{message}.*: restore a backup") as told:
        fresh.load("gates")

    assert str(told.value).startswith(store._dialect.label)
    assert fresh.load("doors").name == "doors"


PLAN_DAMAGE = [
    (PLANS.update().values(plan=b"rubbish"), "JSON is malformed"),
    (PLANS.update().values(plan=b"{}"), "missing required field"),
    (PLANS.update().values(plan=b"[" * 100_000), "Expected `object`"),
    (PLANS.delete(), "No row was found"),
]


@pytest.mark.parametrize(("statement", "message"), PLAN_DAMAGE)
def test_a_damaged_plan_is_a_sentence(where, store, statement, message):
    """Whoever has read it before may go on with what was read; nobody else begins with it."""
    record = store.create(new_record(), new_entry())
    edit(store, statement)

    with pytest.raises(StoreError, match=f"holds what otabridge did not write .*{message}.*: restore a backup"):
        Store(where).load("gates")

    assert store.load("gates") == record
    assert Store(where).state("gates") is record.state


def test_a_damaged_state_is_a_sentence_too(store):
    """Also where only the state is asked."""
    store.create(new_record(), new_entry())
    edit(store, ROLLOUTS.update().values(state="dancing"))

    with pytest.raises(StoreError, match="Invalid enum value 'dancing'"):
        store.state("gates")
    with pytest.raises(StoreError, match="Invalid enum value 'dancing'"):
        store.summaries()


TYPES = [("release", 5), ("release", "text"), ("revision", "many"), ("folder", b"x"), ("reason", b"\xff")]


@pytest.mark.parametrize(("column", "value"), TYPES)
def test_a_value_of_another_type_is_a_sentence(path, column, value):
    """SQLite keeps whatever it is given in whatever column."""
    store = Store(path)
    store.create(new_record(), new_entry())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE rollouts SET {column} = ?", (value,))
        connection.commit()

    with pytest.raises(StoreError, match="holds what otabridge did not write"):
        store.load("gates")


def test_an_approval_of_another_type_is_a_sentence(path):
    """The same for documents."""
    store = Store(path)
    store.create(new_record(), new_entry())
    store.approve("gates", "ab12", NOW, b"yes", new_entry(Act.HELD))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE approvals SET document = 'yes'")
        connection.commit()

    with pytest.raises(StoreError, match="holds what otabridge did not write"):
        store.approvals("gates")


def test_a_rollout_that_cannot_be_locked_is_a_sentence(path):
    """Something else lies where the lock should be."""
    store = Store(path)
    path.with_name("otabridge.db-gates.lock").mkdir()

    with (
        pytest.raises(StoreError, match=r"gates\.lock: unable to open database file; nothing was done"),
        store.hold("gates"),
    ):
        pytest.fail("held")


def test_a_rollout_that_another_was_put_in_place_of_is_refused(where, store):
    """The plan of one rollout must not be carried out under the name of another."""
    store.create(new_record(), new_entry())
    other = new_plan("doors")
    edit(store, PLANS.update().values(plan=msgspec.json.encode(other)), ROLLOUTS.update().values(digest=other.digest))

    with pytest.raises(StoreError, match="rollout gates has the plan of doors"):
        Store(where).load("gates")


def filled(path: Path) -> Store:
    """A store with one rollout that runs."""
    store = Store(path)
    store.save(replace(store.create(new_record(), new_entry()), progress=progress_of()), [new_entry(Act.PUBLISHED)])
    return store


def test_a_damaged_page_is_a_sentence(path):
    """As after a bad disk."""
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)

    with pytest.raises(StoreError, match="malformed; nothing was written"):
        Store(path).load("gates")


def test_a_full_disk_is_a_sentence(path):
    """Nothing half-written: the rollout is as it was before."""
    store = filled(path)
    before = store.load("gates")
    program = (
        "store = Store(where); record = store.load('gates')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))\n"
        "store.save(replace(record, reason='x' * 100_000))"
    )

    ended = in_a_process(program, path)

    assert f"StoreError: {path}: disk I/O error; nothing was written" in ended.stderr
    assert Store(path).load("gates") == before


AS_A_COLLEAGUE = (
    "os.setgroups([]); os.setgid(65534); os.setuid(65534)\nstore = Store(where); record = store.load('gates')\n"
)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
@pytest.mark.parametrize("under_way", [False, True])
def test_a_store_that_may_not_be_written_can_be_read(under_way):
    """A colleague may look at it, also while a controller has it open, and is told why nothing can be changed."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "otabridge.db"
        store = filled(path)
        path.parent.chmod(0o755)
        path.chmod(0o644)
        program = AS_A_COLLEAGUE + "print(record.state, len(store.ledger()), store.unfinished())\nstore.save(record)"

        with store._dialect.engine.connect() if under_way else closing(store):
            ended = in_a_process(program, path)

    assert ended.stdout == "running 2 ('gates',)\n"
    assert re.search(rf"StoreError: {path}: .*readonly.*; nothing was written", ended.stderr)


def test_a_file_of_another_kind_is_refused(path):
    """One sentence, and the file stays as it is."""
    path.parent.mkdir()
    path.write_text("my shopping list, which is longer than a SQLite header " * 9)

    with pytest.raises(StoreError, match="file is not a database; nothing was written"):
        Store(path)

    assert path.read_text().startswith("my shopping list")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    """A file where the folder should be."""
    (tmp_path / "state").write_text("")

    with pytest.raises(StoreError, match="state"):
        Store(tmp_path / "state" / "otabridge.db")


def test_every_commit_reaches_the_disk(path):
    """WAL with full synchronisation: a power cut loses nothing that was acted upon."""
    with Store(path)._dialect.engine.connect() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]

    assert pragmas == ["wal", 2]
