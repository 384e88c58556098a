"""Lost connections: no decision is lost and none is made twice, at whatever moment the database goes away."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from threading import Event, Thread

import psycopg
import pytest

from bridge.engine.progress import State
from bridge.errors import StoreError
from bridge.ledger import Act, verify
from bridge.store.store import Outdated, Store
from bridge.store.transactions import Transactions
from tests.bridge.store.faulty_line import Fault, FaultyLine, faulty_line
from tests.bridge.store.records import NOW, new_entry, new_record, progress_of


@pytest.fixture
def line(shared_server):
    """A line to the server that can break."""
    with faulty_line(shared_server.socket) as made:
        yield made


@pytest.fixture
def distant(line, url) -> Store:
    """A store at the far end of `line`."""
    return Store(f"postgresql+psycopg://otabridge@127.0.0.1:{line.port}/{name_of(url)}")


@pytest.fixture
def near(url) -> Store:
    """The same store, by a line that holds."""
    return Store(url)


def name_of(url: str) -> str:
    """The name of the database."""
    return url.partition("?")[0].rpartition("/")[2]


WRITES = {
    "create": lambda store, _: store.create(new_record("doors"), new_entry(rollout="doors")),
    "save": lambda store, record: store.save(replace(record, progress=progress_of())),
    "save with entries": lambda store, record: store.save(replace(record, progress=progress_of()), [new_entry()] * 2),
    "approve": lambda store, _: store.approve("gates", "ab12", NOW, b"yes", new_entry(Act.HELD)),
    "append": lambda store, _: store.append(new_entry()),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_commit_whose_answer_is_lost_is_found_written(distant, near, line, write):
    """The caller never learns of it; the same as without the fault, written once."""
    record = distant.create(new_record(), new_entry())
    line.fault = Fault.UNANSWERED

    WRITES[write](distant, record)

    assert line.fault is None
    assert (near.ledger_head()[0], verify(near.links())) == near.ledger_head()
    assert near.ledger_head()[0] == {"create": 2, "save": 1, "save with entries": 3, "approve": 2, "append": 2}[write]
    assert near.revision("gates") == ("save" in write)


@pytest.mark.parametrize("write", WRITES)
def test_a_commit_that_the_server_never_heard_is_reported(distant, near, line, write):
    """Nothing is there, and the sentence says so; the same store works on."""
    record = distant.create(new_record(), new_entry())
    line.fault = Fault.UNHEARD

    with pytest.raises(StoreError, match=r"; nothing was written$"):
        WRITES[write](distant, record)

    assert near.ledger_head()[0] == 1
    assert near.revision("gates") == 0
    WRITES[write](distant, record)
    assert (near.ledger_head()[0], verify(near.links())) == near.ledger_head()


@pytest.mark.parametrize("write", WRITES)
def test_a_commit_that_the_server_hears_late_is_waited_for(distant, near, line, write, monkeypatch):
    """Its transaction still has its locks: to say that nothing was written would be wrong a moment later."""
    record = distant.create(new_record(), new_entry())
    look = Transactions._look

    def released(transactions, work):
        Thread(target=line.release.set).start()
        return look(transactions, work)

    monkeypatch.setattr(Transactions, "_look", released)
    line.fault = Fault.LATE

    WRITES[write](distant, record)

    assert near.ledger_head()[0] + near.revision("gates") > 1


def test_a_database_that_stays_away_for_a_moment_is_asked_again(distant, near, line):
    """As in a failover: the outcome is found out as soon as anybody answers."""
    record = distant.create(new_record(), new_entry())
    line.refusals = 3
    line.fault = Fault.UNANSWERED

    saved = distant.save(replace(record, progress=progress_of()), [new_entry(Act.PUBLISHED)])

    assert line.refusals == 0
    assert near.load("gates") == saved


def test_a_lost_save_that_another_overtook_is_outdated(distant, near, line, monkeypatch):
    """Whether it was written before the other cannot be told, and need not be: the facts are old in either case."""
    record = distant.create(new_record(), new_entry())
    look = Transactions._look

    def overtaken(transactions, work):
        monkeypatch.setattr(Transactions, "_look", look)
        near.save(replace(near.load("gates"), progress=progress_of(State.ABORTED)))
        return look(transactions, work)

    monkeypatch.setattr(Transactions, "_look", overtaken)
    line.fault = Fault.UNHEARD

    with pytest.raises(Outdated, match="rollout gates changed while it was decided about"):
        distant.save(replace(record, progress=progress_of()))

    assert near.state("gates") is State.ABORTED


def test_an_outcome_that_cannot_be_found_out_is_called_unknown(distant, line):
    """When the database stays away, nobody may say that nothing was written."""
    record = distant.create(new_record(), new_entry())
    distant._transactions._patience = 0
    look = distant._transactions._look

    def cut(work):
        line.close()
        return look(work)

    distant._transactions._look = cut
    line.fault = Fault.UNANSWERED

    with pytest.raises(StoreError, match="whether the last change was written is not known; run the command again"):
        distant.save(replace(record, progress=progress_of()))


def test_reads_survive_a_server_that_was_started_again(mortal_server):
    """Connections that were kept for later are replaced unnoticed."""
    store = Store(mortal_server.database())
    record = store.create(new_record(), new_entry())
    mortal_server.kill()
    mortal_server.start()

    assert store.load("gates") == record
    assert store.save(replace(record, progress=progress_of())).revision == 1


def test_a_read_that_is_interrupted_is_done_again(near, shared_server, url):
    """Once: the second connection is a new one."""
    attempts = list[int]()

    def interrupted(connection):
        attempts.append(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar())
        if len(attempts) == 1:
            shared_server.execute(name_of(url), f"SELECT pg_terminate_backend({attempts[0]}, 60000)")
        return connection.exec_driver_sql("SELECT 42").scalar()

    assert near._transactions.read(interrupted) == 42
    assert len(set(attempts)) == 2


def test_a_server_that_is_away_is_a_sentence(mortal_server):
    """For reads, for writes and for those who come anew; the same store works when it is back."""
    url = mortal_server.database()
    store = Store(url)
    record = store.create(new_record(), new_entry())
    mortal_server.stop()

    for ask in (
        lambda: store.load("gates"),
        lambda: store.save(record),
        lambda: store.hold("gates").__enter__(),
        lambda: Store(url),
    ):
        with pytest.raises(StoreError, match=r"^PostgreSQL database d1 on /tmp/.*connection.*; nothing was written$"):
            ask()

    mortal_server.start()
    assert store.load("gates") == record


def test_a_server_that_dies_in_the_middle_of_a_transaction_wrote_nothing(mortal_server):
    """A save waits for another's lock when the power goes; after recovery rollout and ledger are as before."""
    url = mortal_server.database()
    store = Store(url)
    record = store.create(new_record(), new_entry())
    refusals, begun = list[StoreError](), Event()

    def save() -> None:
        begun.set()
        try:
            store.save(replace(record, progress=progress_of()), [new_entry(Act.PUBLISHED)])
        except StoreError as error:
            refusals.append(error)

    saving = Thread(target=save)
    with closing(psycopg.connect(url.replace("+psycopg", ""))) as other:
        other.execute("SELECT * FROM ledger_head FOR UPDATE")
        saving.start()
        assert begun.wait(60)
        _await_waiter(mortal_server, url)
        mortal_server.kill()
    saving.join(60)
    mortal_server.start()

    assert ["nothing was written" in str(refusal) for refusal in refusals] == [True]
    assert store.load("gates") == record
    assert (1, verify(store.links())) == store.ledger_head()
    assert store.save(replace(record, progress=progress_of()), [new_entry(Act.PUBLISHED)]).revision == 1


def _await_waiter(server, url: str) -> None:
    """Until a transaction waits for a lock."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as watcher:
        while not watcher.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
            assert server._running.poll() is None


def test_too_many_calls_at_once_are_a_sentence(near, monkeypatch):
    """When all connections are in use, and stay so."""
    pool = near._dialect.engine.pool
    monkeypatch.setattr(pool, "_timeout", 0)
    monkeypatch.setattr(pool, "_max_overflow", 0)
    taken = [near._dialect.engine.connect() for _ in range(pool.size())]

    with pytest.raises(StoreError, match="no connection became free; nothing was written"):
        near.now()

    for each in taken:
        each.close()
    assert near.now()


def test_no_line_is_left_open(url):
    """A store that is forgotten gives back its connections; the tests fail by themselves where one is left."""
    store = Store(url)
    store.now()
    pool = store._dialect.engine.pool
    assert pool.checkedin() == 1

    store.close()

    assert store._dialect.engine.pool.checkedin() == 0
    assert store.now()


def test_a_line_is_fair_unless_told_otherwise(distant, line):
    """What the tests above rest on."""
    assert isinstance(line, FaultyLine)
    assert distant.create(new_record(), new_entry()) == distant.load("gates")
