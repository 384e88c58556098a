"""The store: what is written together, who may write, and what is found again. On SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import msgspec
import pytest
import sqlalchemy as sa

from bridge.engine.progress import Breach, State
from bridge.engine.record import Record
from bridge.errors import StoreError, UsageError
from bridge.ledger import Act, verify
from bridge.planning.planned import Plan
from bridge.store.approvals import MAX_APPROVALS, MAX_BYTES
from bridge.store.store import Outdated, Store
from tests.bridge.store.records import BACK, MATERIAL, NOW, new_entry, new_plan, new_record, progress_of


def test_a_rollout_is_found_again_as_it_was_written(store, where):
    """Plan, material, progress, times: by another process, equal in every field."""
    record = store.create(replace(new_record(), material=replace(MATERIAL, back=BACK)), new_entry())
    progress = msgspec.structs.replace(
        progress_of(), unknown_passes=2, unknown_since=NOW, looks={"heat": 3}, breach=Breach("budget", "3 of 2")
    )

    saved = store.save(replace(record, progress=progress, reason="stage 1: ünder way", updated=NOW))

    assert Store(where).load("gates") == saved
    assert saved.revision == store.revision("gates") == record.revision + 1
    assert store.state("gates") is State.RUNNING


def test_a_name_is_taken_once(store):
    """The second of two that apply at the same moment is told to look again."""
    store.create(new_record(), new_entry())

    with pytest.raises(Outdated, match="gates was recorded by another otabridge just now; run the command again"):
        store.create(new_record(), new_entry())

    assert len(store.ledger()) == 1


@pytest.mark.parametrize("name", ["gates", "../gates", "'; DROP TABLE rollouts; --", "x" * 5000, "\0"])
def test_an_unknown_name_is_refused(store, name):
    """With the command that lists the known ones, whatever the name is."""
    asked = [store.load, store.state, store.revision] + [store.hold] * (name != "gates")

    for ask in asked:
        with pytest.raises((UsageError, StoreError), match=r"no rollout is named .*; `otabridge rollout list`|NUL"):
            ask(name)

    assert store.find("gates") is None


def test_a_decision_on_old_facts_is_refused_with_its_entry(store):
    """The ledger never explains a state that was not written."""
    old = store.create(new_record(), new_entry())
    store.save(replace(old, progress=progress_of()), [new_entry(Act.PUBLISHED)])

    with pytest.raises(Outdated):
        store.save(replace(old, progress=progress_of(State.COMPLETED)), [new_entry(Act.COMPLETED)])

    assert store.load("gates").state is State.RUNNING
    assert [link.entry.what for link in store.ledger()] == [Act.PLANNED, Act.PUBLISHED]


@pytest.mark.parametrize("final", [state for state in State if state.is_final])
def test_nothing_leads_out_of_a_final_state(store, final):
    """Not even from the newest facts; only what became of its orders can still be noted."""
    ended = store.save(replace(store.create(new_record(), new_entry()), progress=progress_of(final)))

    for later in set(State) - {final}:
        with pytest.raises(Outdated):
            store.save(replace(ended, progress=progress_of(later)))
    closed = store.save(replace(ended, progress=progress_of(final, closed=True)))

    assert store.load("gates") == closed
    assert store.state("gates") is final


def test_the_list_is_sorted_by_the_newest_change(store):
    """Without reading the plans."""
    for hours, name in enumerate(["oldest", "middle", "newest"]):
        record = replace(new_record(name), updated=NOW + timedelta(hours=hours), progress=progress_of())
        store.create(record, new_entry(rollout=name))

    summaries = store.summaries()

    assert [each.name for each in summaries] == ["newest", "middle", "oldest"]
    assert (summaries[0].stage, summaries[0].stages, summaries[0].version) == (1, 2, "2.0.0")
    assert (summaries[0].updated, summaries[0].waiting) == (NOW + timedelta(hours=2), "pending")


def test_what_is_left_to_do_is_listed_the_longest_untouched_first(store):
    """Ended rollouts are among it until every fleet was told so."""
    cases = {
        "told": progress_of(State.ABORTED, closed=True),
        "untold": progress_of(State.ABORTED),
        "running": progress_of(closed=True),
        "never-begun": msgspec.structs.replace(progress_of(State.ABORTED), orders=()),
    }
    for hours, (name, progress) in enumerate(cases.items()):
        record = replace(new_record(name), updated=NOW - timedelta(hours=hours), progress=progress)
        store.create(record, new_entry(rollout=name))

    assert store.unfinished() == ("running", "untold")

    store.save(replace(store.load("untold"), progress=progress_of(State.ABORTED, closed=True)))
    assert store.unfinished() == ("running",)


def test_an_approval_is_kept_once_and_told_once(store):
    """In the order in which they came, whatever they say about when they were signed."""
    store.create(new_record(), new_entry())
    store.create(new_record("doors"), new_entry())

    first = store.approve("gates", "ab12", NOW, b"first", new_entry(Act.HELD))
    second = store.approve("gates", "cd34", NOW - timedelta(days=1), b"second", new_entry(Act.HELD))
    again = store.approve("gates", "ab12", NOW, b"first", new_entry(Act.HELD))

    assert (first, second, again) == (True, True, False)
    assert store.approvals("gates") == (b"first", b"second")
    assert store.approvals("doors") == ()
    assert [link.entry.what for link in store.ledger()] == [Act.PLANNED] * 2 + [Act.HELD] * 2


def test_an_approval_beyond_reason_is_refused(store, monkeypatch):
    """It comes from outside: too large, too many, or of no rollout."""
    store.create(new_record(), new_entry())
    monkeypatch.setattr("bridge.store.approvals.MAX_APPROVALS", 1)

    with pytest.raises(StoreError, match=f"an approval of {MAX_BYTES + 1} bytes is refused: {MAX_BYTES} bytes are"):
        store.approve("gates", "ab12", NOW, b"x" * (MAX_BYTES + 1), new_entry(Act.HELD))
    with pytest.raises(UsageError, match="no rollout is named doors"):
        store.approve("doors", "ab12", NOW, b"x", new_entry(Act.HELD))
    store.approve("gates", "ab12", NOW, b"x", new_entry(Act.HELD))
    with pytest.raises(StoreError, match="rollout gates has 1 approvals already"):
        store.approve("gates", "ab12", NOW, b"y", new_entry(Act.HELD))

    assert store.approvals("gates") == (b"x",)
    assert len(store.ledger()) == 2
    assert MAX_APPROVALS > 16 * 20


def test_one_approval_handed_in_twice_at_once_is_kept_once(store):
    """Neither of the two fails."""
    store.create(new_record(), new_entry())
    news = list[bool]()

    def hand_in() -> None:
        news.append(store.approve("gates", "ab12", NOW, b"yes", new_entry(Act.HELD)))

    _at_once([hand_in] * 4)

    assert sorted(news) == [False, False, False, True]
    assert len(store.ledger()) == 2


def test_a_device_may_say_anything(store):
    """NUL, which PostgreSQL does not take as text, stops no rollout."""
    record = store.create(new_record(), new_entry())

    store.save(replace(record, reason="factory-1 says \0 and 😀"))

    assert store.load("gates").reason == "factory-1 says \ufffd and 😀"


def test_the_clock_is_shared_and_in_utc(store):
    """Whoever asks gets an aware time, which does not go backwards."""
    first, second = store.now(), store.now()

    assert first <= second
    assert first.tzinfo is UTC
    assert abs(first - datetime.now(UTC)) < timedelta(minutes=5)


def test_a_large_plan_is_written_once_and_read_once(store, where):
    """Passes come every few seconds, and a plan may name a million devices."""
    plan = new_plan(devices=[f"factory-{number:05}" for number in range(20_000)])
    record = store.create(replace(new_record(), plan=plan), new_entry())
    other = Store(where)
    other.load("gates")
    statements = list[str]()
    for engine in (each._transactions.dialect.engine for each in (store, other)):
        sa.event.listen(engine, "before_cursor_execute", lambda *call: statements.append(repr(call[2:4])))

    for _ in range(3):
        record = store.save(replace(record, progress=progress_of()))
        assert other.load("gates") == record

    assert statements
    assert max(map(len, statements)) < 5000
    assert not [each for each in statements if "plans" in each]


def test_a_large_plan_is_not_written_into_the_log_again(path):
    """SQLite writes whole rows: a progress that grows must not carry the plan along."""
    plan = new_plan(devices=[f"factory-{number:05}" for number in range(50_000)])
    store = Store(path)
    log = path.with_name(f"{path.name}-wal")
    record = store.create(replace(new_record(), plan=plan), new_entry())

    with store._dialect.engine.connect() as another:  # keeps the log from being tidied away
        another.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        for words in range(3):
            record = store.save(replace(record, progress=progress_of(), reason="and on " * words))
        written = log.stat().st_size

    assert 0 < written < 100_000
    assert len(msgspec.json.encode(plan)) > 700_000


def test_plans_that_were_not_used_for_long_are_forgotten(store):
    """The memory of a controller is bounded; the plan is simply read again."""
    records = [store.create(new_record(f"r{number}"), new_entry()) for number in range(20)]

    found: list[Record] = [store.load(record.name) for record in records]

    assert found == records
    assert len(store._plans._plans) == 8
    assert all(isinstance(plan, Plan) for plan in store._plans._plans.values())


def test_the_ledger_is_one_chain_over_all_rollouts(store, where):
    """Also when two controllers write in turns."""
    other = Store(where)
    store.create(new_record("a"), new_entry(rollout="a"))
    other.create(new_record("b"), new_entry(rollout="b"))
    store.save(store.load("b"), [new_entry(Act.HELD, "b"), new_entry(Act.ABORTED, "b")])
    other.append(new_entry(Act.HELD, "none"))

    links = other.ledger()

    assert [link.number for link in links] == [1, 2, 3, 4, 5]
    assert verify(links) == links[-1].digest
    assert store.ledger_head() == (5, links[-1].digest)


def test_the_chain_does_not_fork_when_many_append_at_once(where):
    """Eight writers with connections of their own; every entry has its place."""
    stores = [Store(where) for _ in range(8)]

    _at_once([lambda store=store: [store.append(new_entry()) for _ in range(10)] for store in stores])

    links = stores[0].ledger()
    assert len(links) == 80
    assert (80, verify(links)) == stores[0].ledger_head()


def test_of_many_who_save_the_same_revision_one_wins(where):
    """The others are told, and their entries are not in the ledger."""
    store = Store(where)
    record = store.create(new_record(), new_entry())
    refused = list[Outdated]()

    def save() -> None:
        try:
            Store(where).save(replace(record, progress=progress_of()), [new_entry(Act.PUBLISHED)])
        except Outdated as error:
            refused.append(error)

    _at_once([save] * 6)

    assert len(refused) == 5
    assert len(store.ledger()) == 2
    assert store.revision("gates") == 1


def test_of_many_who_create_the_same_rollout_one_wins(where):
    """The others are told in a sentence."""
    Store(where)
    refused = list[Outdated]()

    def create() -> None:
        try:
            Store(where).create(new_record(), new_entry())
        except Outdated as error:
            refused.append(error)

    _at_once([create] * 6)

    assert len(refused) == 5
    assert len(Store(where).ledger()) == 1


def _at_once(deeds) -> None:
    """Run `deeds` in threads that begin together; what one raises fails the test."""
    barrier, failures = Barrier(len(deeds)), list[Exception]()

    def run(deed) -> None:
        barrier.wait(60)
        try:
            deed()
        except Exception as error:  # noqa: BLE001 - shown below, in the thread that pytest watches
            failures.append(error)

    threads = [Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures
