"""The store: what is written together, who may write, and files that it refuses."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.errors import RolloutBusy, StoreError, UsageError
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
