"""The store: what is written together, who may write, and files that it refuses."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.errors import BrokenLedger, RolloutBusy, StoreError, UsageError
from bridge.ledger import Act, Entry, Fact, verify
from bridge.plan import make_plan
from bridge.record import Material, Record
from bridge.rollout import Place, State
from bridge.store import Outdated, Store
from bridge.tally import Tally
from tests.bridge.fakes import FakeFleet
from tests.bridge.worlds import NOW, ROOTS, ids, new_request

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path) -> Path:
    """Where the store lies; the folder is made by the store."""
    return tmp_path / "state" / "otabridge.db"


def new_record(name: str = "gates") -> Record:
    """A planned rollout of 20 devices."""
    fleets = {fleet: FakeFleet(fleet, ids(fleet, 10)) for fleet in ("factory", "depot")}
    plan = make_plan(new_request(name=name), fleets)
    return Record(plan, Material(b"release.json", ROOTS, Path("/releases/2")), NOW, NOW, reason="recorded")


def new_entry(what: Act = Act.PLANNED, rollout: str = "gates") -> Entry:
    """An entry with evidence."""
    return Entry(NOW, rollout, "ada@desk", what, "because", (Fact("devices", 20), Fact("plan", "ab")))


def test_a_rollout_is_found_again_as_it_was_written(path):
    """Plan, material, tallies, times: by another process, equal in every field."""
    store = Store(path)
    record = store.create(new_record(), new_entry())
    tallies = {Place(0, "factory"): Tally(installed=1, open=False), Place(0, "depot"): Tally(running=1)}

    saved = store.save(replace(record, state=State.RUNNING, holding="pending", unknown_passes=2, tallies=tallies))

    assert Store(path).load("gates") == saved
    assert saved.revision == record.revision + 1
    assert store.state("gates") is State.RUNNING


def test_a_name_is_taken_once(path):
    """The second of two that apply at the same moment is told to look again."""
    store = Store(path)
    store.create(new_record(), new_entry())

    with pytest.raises(Outdated, match="gates was recorded by another otabridge just now; run the command again"):
        store.create(new_record(), new_entry())

    assert len(store.ledger()) == 1


def test_an_unknown_name_is_refused(path):
    """With the command that lists the known ones."""
    with pytest.raises(UsageError, match="no rollout is named gates; `otabridge rollout list` shows"):
        Store(path).load("gates")


def test_a_decision_on_old_facts_is_refused_with_its_entry(path):
    """The ledger never explains a state that was not written."""
    store = Store(path)
    old = store.create(new_record(), new_entry())
    store.save(replace(old, state=State.RUNNING), [new_entry(Act.PUBLISHED)])

    with pytest.raises(Outdated):
        store.save(replace(old, state=State.COMPLETED), [new_entry(Act.COMPLETED)])

    assert store.load("gates").state is State.RUNNING
    assert [link.entry.what for link in store.ledger()] == [Act.PLANNED, Act.PUBLISHED]


@pytest.mark.parametrize("final", [State.STOPPED, State.ABORTED, State.COMPLETED])
@pytest.mark.parametrize("later", list(State))
def test_nothing_leads_out_of_a_final_state(path, final, later):
    """Not even from the newest facts."""
    store = Store(path)
    ended = store.save(replace(store.create(new_record(), new_entry()), state=final))

    with pytest.raises(Outdated):
        store.save(replace(ended, state=later))

    assert store.state("gates") is final


def test_the_list_is_sorted_by_the_newest_change(path):
    """Without reading the plans."""
    store = Store(path)
    for hours, name in enumerate(["oldest", "middle", "newest"]):
        store.create(replace(new_record(name), updated=NOW + timedelta(hours=hours)), new_entry(rollout=name))

    summaries = store.summaries()

    assert [each.name for each in summaries] == ["newest", "middle", "oldest"]
    assert (summaries[0].stage, summaries[0].stages, summaries[0].version) == (1, 3, "2.0.0")
    assert summaries[0].updated == NOW + timedelta(hours=2)


def test_the_ledger_is_one_chain_over_all_rollouts(path):
    """Also when two processes write in turns."""
    first, second = Store(path), Store(path)
    first.create(new_record("a"), new_entry(rollout="a"))
    second.create(new_record("b"), new_entry(rollout="b"))
    first.save(first.load("b"), [new_entry(Act.HELD, "b"), new_entry(Act.ABORTED, "b")])

    links = second.ledger()

    assert [link.number for link in links] == [1, 2, 3, 4]
    assert verify(links) == links[-1].digest


def test_an_edit_of_the_file_is_found(path):
    """The row that was changed behind the store's back no longer holds."""
    store = Store(path)
    store.create(new_record(), new_entry())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE ledger SET entry = CAST(replace(entry, 'because', 'approved') AS BLOB)")
        connection.commit()

    with pytest.raises(Exception, match="ledger entry 1 was edited"):
        verify(store.ledger())


def test_an_entry_that_cannot_be_read_is_a_broken_ledger_and_stops_nobody(path):
    """Somebody wrote rubbish into it: it is named, and the rollout can still be saved and aborted."""
    store = Store(path)
    store.create(new_record(), new_entry())
    _edit(path, "UPDATE ledger SET entry = 'rubbish'")

    store.save(store.load("gates"), [new_entry(Act.ABORTED)])

    with pytest.raises(BrokenLedger, match="ledger entry 1 was edited after it was written: JSON is malformed"):
        store.ledger()


def _three_entries(path: Path) -> Store:
    store = Store(path)
    store.create(new_record(), new_entry())
    store.save(store.load("gates"), [new_entry(Act.HELD), new_entry(Act.ABORTED)])
    return store


TAMPERED = {
    "an entry in the middle is deleted": (["DELETE FROM ledger WHERE number = 2"], "entry 2 is missing"),
    "and the later ones move up": (
        ["DELETE FROM ledger WHERE number = 2", "UPDATE ledger SET number = 2 WHERE number = 3"],
        "entry 2 is missing or was moved",
    ),
    "two entries change places": (
        [f"UPDATE ledger SET number = {new} WHERE number = {old}" for old, new in ((2, 9), (3, 2), (9, 3))],
        "entry 2 is missing or was moved",
    ),
    "two texts change places": (
        [
            "UPDATE ledger SET entry = (SELECT l.entry FROM ledger l WHERE l.number = 3) WHERE number = 2",
        ],
        "entry 2 was edited",
    ),
    "a digest is changed": (["UPDATE ledger SET digest = 'ab' WHERE number = 1"], "entry 1 was edited"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_tampering_in_the_file_is_found(path, case):
    """By SQL behind the store's back; the first entry that does not hold is named."""
    statements, message = TAMPERED[case]
    store = _three_entries(path)
    _edit(path, *statements)

    with pytest.raises(BrokenLedger, match=message):
        verify(store.ledger())


def _edit(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


DAMAGE = [
    ("UPDATE rollouts SET plan = 'rubbish'", "JSON is malformed"),
    ("UPDATE rollouts SET plan = '{}'", "missing required field"),
    ("UPDATE rollouts SET state = 'dancing'", "'dancing' is not a valid State"),
    ("UPDATE rollouts SET created = 'yesterday'", "Invalid isoformat string"),
    ("UPDATE tallies SET tally = '[]'", "Expected `object`"),
]


@pytest.mark.parametrize(("statement", "message"), DAMAGE)
def test_a_damaged_row_is_a_sentence(path, statement, message):
    """With the file's name and what to do; no traceback."""
    store = Store(path)
    record = store.create(new_record(), new_entry())
    store.save(replace(record, tallies={Place(0, "factory"): Tally()}))
    _edit(path, statement)

    with pytest.raises(StoreError, match=f"{path}: holds what otabridge did not write .*{message}.*: restore a backup"):
        store.load("gates")


def test_a_damaged_state_is_a_sentence_too(path):
    """Also where only the state is asked, and where the rollout is gone altogether."""
    store = Store(path)
    store.create(new_record(), new_entry())
    _edit(path, "UPDATE rollouts SET state = 'dancing'")

    with pytest.raises(StoreError, match="'dancing' is not a valid State"):
        store.state("gates")
    with pytest.raises(StoreError, match="'dancing' is not a valid State"):
        store.summaries()
    with pytest.raises(StoreError, match="No row was found"):
        store.state("doors")


def test_a_damaged_page_is_a_sentence(path):
    """As after a bad disk."""
    _three_entries(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)

    with pytest.raises(StoreError, match="malformed; nothing was written"):
        Store(path).load("gates")


def _in_a_process(program: str, path: Path) -> subprocess.CompletedProcess[str]:
    header = "import os, resource, sys; from pathlib import Path; from bridge.store import Store\n"
    command = [sys.executable, "-c", header + program, str(path)]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def test_a_full_disk_is_a_sentence(path):
    """Nothing half-written: the rollout is as it was before."""
    store = _three_entries(path)
    before = store.load("gates")
    program = (
        "from dataclasses import replace\n"
        "store = Store(Path(sys.argv[1])); record = store.load('gates')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))\n"
        "store.save(replace(record, reason='x' * 100_000))"
    )

    ended = _in_a_process(program, path)

    assert f"StoreError: {path}: disk I/O error; nothing was written" in ended.stderr
    assert Store(path).load("gates") == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_a_store_that_may_not_be_written_is_a_sentence():
    """As for a colleague who may only look."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "otabridge.db"
        _three_entries(path)
        path.parent.chmod(0o755)
        path.chmod(0o444)
        program = "os.setuid(65534); store = Store(Path(sys.argv[1])); record = store.load('gates'); store.save(record)"

        ended = _in_a_process(program, path)

    assert f"StoreError: {path}: " in ended.stderr
    assert "; nothing was written" in ended.stderr


def test_a_newer_file_is_refused_untouched(path):
    """A downgrade of otabridge must not spoil the state."""
    Store(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE schema_version SET version = 2")
        connection.commit()

    with pytest.raises(StoreError, match=r"written by a newer otabridge \(schema 2, this one reads 1\)"):
        Store(path)


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


def test_one_process_acts_on_a_rollout_at_a_time(path):
    """The second waits, then is told; other rollouts and the store itself are not kept waiting."""
    store, other = Store(path), Store(path)
    with store.hold("gates"):
        with (
            pytest.raises(RolloutBusy, match="another otabridge is acting on rollout gates"),
            other.hold("gates", wait=0),
        ):
            pytest.fail("held twice")
        with other.hold("doors", wait=0):
            other.create(new_record(), new_entry())

    with other.hold("gates", wait=0):
        assert other.state("gates") is State.PLANNED


def test_a_hold_ends_with_its_process(path):
    """A killed controller leaves nothing to clean up."""
    program = (
        "import os, sys; from pathlib import Path; from bridge.store import Store\n"
        "with Store(Path(sys.argv[1])).hold('gates'): os._exit(9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, check=False)

    with Store(path).hold("gates", wait=0):
        assert killed.returncode == 9


def test_every_commit_reaches_the_disk(path):
    """WAL with full synchronisation: a power cut loses nothing that was acted upon."""
    store = Store(path)
    with store._reading() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]

    assert pragmas == ["wal", 2]
