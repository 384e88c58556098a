"""The schema: made, upgraded from what the first release wrote, refused when it is newer, raced for by many."""

from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from bridge.engine.progress import Breach, OrderKind, State
from bridge.errors import StoreError
from bridge.ledger import Act, verify
from bridge.planning.planned import Place
from bridge.rollout.model import FleetPart
from bridge.store import upgrade
from bridge.store.schema import ALEMBIC
from bridge.store.store import Store
from bridge.store.tables import METADATA, VERSION
from bridge.tally import Tally
from tests.bridge.store.records import edit, in_a_process, new_entry, start_process

RELEASED = Path(__file__).parents[2] / "data" / "store-schema-1.db"
"""Written by the first release, whose controller drove two fleets in memory; seven rollouts."""
HEAD = (27, "515af0a6607ba819daa0dc23a581d27ac7cdca4036b27cbe4dd3316b2bcfbe6b")
OPENING = "sys.stdin.readline(); print(len(Store(where).summaries()))"


@pytest.fixture
def released(path):
    """A copy of the file."""
    path.parent.mkdir()
    shutil.copy(RELEASED, path)
    return path


@pytest.fixture
def empty(request, path, shared_server):
    """A place without any table, of each kind."""
    return path if request.param == "sqlite" else shared_server.database()


def test_every_rollout_of_the_first_release_is_carried_over(released):
    """With what people saw of it: the list is the same."""
    summaries = {each.name: each for each in Store(released).summaries()}

    states = {name: (each.state.value, each.stage, each.stages) for name, each in summaries.items()}
    assert states == {
        "done": ("completed", 3, 3),
        "broken": ("stopped", 1, 3),
        "going": ("running", 2, 2),
        "young": ("running", 1, 3),
        "waiting": ("planned", 1, 3),
        "given-up": ("aborted", 1, 3),
        "blind": ("running", 1, 3),
    }
    assert summaries["given-up"].reason == "changed our mind"
    assert summaries["done"].version == "2.0.0"


def test_a_rollout_that_was_running_stays_running(released):
    """Its plan asks for the same, its orders have the names that the clouds know, and what they had told is kept."""
    record = Store(released).load("going")

    plan, progress = record.plan, record.progress
    assert plan.digest == "c5489af07878c84f77e3aba1e6945c0dde47f9fa4a90b77d8cd8c39c8e226910"
    assert plan.key(Place(1, "factory")) == "going-c5489af0-s2"
    assert plan.rollout.parts == (FleetPart("factory", "f"), FleetPart("depot", "f"))
    assert (plan.rollout.budget.failures, plan.rollout.budget.percent, plan.rollout.timeout_minutes) == (1, 5.0, 90)
    assert [(stage.percent, stage.enough) for stage in plan.rollout.stages] == [(50.0, 90.0), (100.0, 100.0)]
    assert plan.cohort(Place(0, "factory")).devices == ("factory-001", "factory-005", "factory-004")
    assert (plan.fleet("factory").size, plan.fleet("depot").size) == (6, 0)
    assert (progress.state, progress.stage) == (State.RUNNING, 1)
    assert progress.begun == datetime(2026, 3, 1, 12, 0, 34, tzinfo=UTC)
    assert [(orders.place, len(orders.orders)) for orders in progress.orders] == [
        (Place(0, "factory"), 1),
        (Place(1, "factory"), 1),
    ]
    (order,) = progress.at(Place(1, "factory"))
    assert (order.kind, order.size, order.admitted, order.closing) == (OrderKind.STAGE, 3, 3, False)
    assert order.tally == Tally(running=3)


def test_an_order_that_may_not_have_been_made_is_made(released):
    """The first release died between its decision and the call: an order without a tally is started again."""
    progress = Store(released).load("young").progress

    assert [(place, order.tally) for place, _, order in progress.each()] == [
        (Place(0, "factory"), None),
        (Place(0, "depot"), None),
    ]


def test_a_rollout_of_whole_fleets_names_them_as_its_file_does(released):
    """So that applying the same file again is no change."""
    assert Store(released).load("young").plan.rollout.fleets == ("factory", "depot")


def test_a_fleet_beyond_reach_stays_so(released):
    """Since the last pass at least."""
    record = Store(released).load("blind")

    assert (record.progress.unknown_passes, record.progress.unknown_since) == (2, record.updated)


def test_ended_rollouts_are_closed_once_more(released):
    """Whether every fleet had heard of the end was not kept. One that offered nothing to anybody is done with."""
    store = Store(released)

    assert set(store.unfinished()) == {"done", "broken", "going", "young", "waiting", "blind"}
    ended = store.load("broken").progress
    assert ended.breach == Breach("budget", store.load("broken").reason)
    assert [(order.closing, order.closed) for _, _, order in ended.each()] == [(True, False)] * 2
    assert ended.at(Place(0, "factory"))[0].tally == Tally(failed=1, open=False)


def test_the_ledger_is_carried_over_as_it_is(released):
    """Every digest is the one that somebody may have noted; the next entry follows."""
    store = Store(released)

    assert (len(store.ledger()), verify(store.links())) == store.ledger_head() == HEAD
    store.append(new_entry(Act.ABORTED))
    assert (28, verify(store.links())) == store.ledger_head()


def test_carried_rollouts_go_on_in_the_new_store(released):
    """They can be saved, and are then found by others."""
    store = Store(released)
    record = store.load("going")

    saved = store.save(replace(record, reason="goes on"), [new_entry(Act.HELD, "going")])

    assert Store(released).load("going") == saved
    assert saved.revision == record.revision + 1


def test_a_file_that_cannot_be_carried_over_stays_as_it_is(released):
    """All of it: the first release can go on, or a backup be restored."""
    with closing(sqlite3.connect(released)) as connection:
        connection.execute("UPDATE rollouts SET plan = CAST('{}' AS BLOB) WHERE name = 'waiting'")
        connection.commit()
    before = _dump(released)

    with pytest.raises(StoreError, match=r"holds what otabridge did not write .*missing required field `rollout`"):
        Store(released)

    assert _dump(released) == before


def test_an_upgrade_that_is_killed_half_way_is_done_again(released):
    """After the old tables were renamed and some rollouts carried over."""
    program = (
        "from bridge.store.migrations import first_release as old\n"
        "carried, count = old.carried, iter(range(4))\n"
        "old.carried = lambda *row: carried(*row) if next(count, None) is not None else os._exit(9)\n"
        "Store(where)"
    )
    before = _dump(released)

    killed = in_a_process(program, released)

    assert killed.returncode == 9
    assert _dump(released) == before
    assert len(Store(released).summaries()) == 7


def test_the_first_release_refuses_what_was_upgraded(released):
    """It asks the table `schema_version`: a downgrade must not spoil the state."""
    Store(released)

    with closing(sqlite3.connect(released)) as connection:
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(2,)]


@pytest.mark.parametrize("version", ["0003", "a branch of somebody"])
def test_a_newer_store_is_refused_untouched(where, store, version):
    """A downgrade of this otabridge neither."""
    edit(store, ALEMBIC.update().values(version_num=version))

    with pytest.raises(StoreError, match=rf"written by a newer otabridge \(schema {version}, this one reads 0002\)"):
        Store(where)

    edit(store, ALEMBIC.update().values(version_num="0002"))
    assert Store(where).summaries() == ()


def test_a_file_of_a_later_first_release_is_refused(released):
    """One without Alembic's table, and with a number that was never given."""
    with closing(sqlite3.connect(released)) as connection:
        connection.execute("UPDATE schema_version SET version = 7")
        connection.commit()

    with pytest.raises(StoreError, match=r"written by a newer otabridge \(schema 0007, this one reads 0002\)"):
        Store(released)


@pytest.mark.parametrize("statement", [ALEMBIC.delete(), sa.text("DROP TABLE alembic_version")])
def test_a_store_that_lost_the_number_of_its_schema_is_a_sentence(where, store, statement):
    """Nothing is guessed, and nothing made twice."""
    edit(store, statement, VERSION.delete())

    with pytest.raises(StoreError, match="holds what otabridge did not write"):
        Store(where)


@pytest.mark.parametrize("empty", ["sqlite", "postgres"], indirect=True)
def test_the_migrations_make_the_tables_that_the_store_uses(empty):
    """Alembic finds no difference between what they made and what `bridge.store.tables` says."""
    store = Store(empty)
    with store._dialect.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []


@pytest.mark.parametrize("empty", ["sqlite", "postgres"], indirect=True)
def test_many_may_open_an_empty_store_at_once(empty):
    """One makes the schema, the others wait for it; nobody fails."""
    assert _open_at_once(empty, 3) == ["0"] * 3


def test_many_may_open_an_old_store_at_once(released):
    """One carries the rollouts over."""
    assert _open_at_once(released, 3) == ["7"] * 3


def test_threads_may_open_stores_at_once(released, tmp_path):
    """Alembic keeps what it does in global variables."""
    paths = [tmp_path / f"{number}.db" for number in range(6)] + [released] * 2
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda path: len(Store(path).summaries()), paths))

    assert counts == [0] * 6 + [7] * 2


def test_a_folder_with_a_percent_sign_is_no_riddle(tmp_path, monkeypatch):
    """Alembic's own configuration would take it for a reference."""
    shutil.copytree(upgrade.MIGRATIONS, tmp_path / "100%s" / "migrations")
    monkeypatch.setattr(upgrade, "MIGRATIONS", tmp_path / "100%s" / "migrations")

    assert Store(tmp_path / "otabridge.db").summaries() == ()


def _open_at_once(where, count: int) -> list[str]:
    """What `count` processes print that open the store at the same moment."""
    processes = [start_process(OPENING, where) for _ in range(count)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate(timeout=120)[0].strip() for process in processes]


def _dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())
