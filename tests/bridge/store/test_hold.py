"""Holds: one process at a time acts on a rollout, and knows when it no longer may."""

from __future__ import annotations

import signal
from dataclasses import replace
from threading import Event, Thread

import pytest

from bridge.errors import RolloutBusy
from bridge.store.store import LostHold, Store
from tests.bridge.store.records import in_a_process, new_entry, new_record, progress_of, start_process

HOLDING = """
with Store(where).hold("gates"):
    print("held", flush=True)
    sys.stdin.read()
"""
RACING = """
store = Store(where)
for _ in range(15):
    with store.hold("gates") as hold:
        record = store.load("gates")
        hold.require()
        store.save(replace(record, reason=f"{int(record.reason) + 1}"))
"""


def test_one_process_acts_on_a_rollout_at_a_time(store, where):
    """The second waits, then is told; other rollouts and the store itself are not kept waiting."""
    other = Store(where)
    with store.hold("gates") as hold:
        with (
            pytest.raises(RolloutBusy, match="another otabridge is acting on rollout gates"),
            other.hold("gates", wait=0),
        ):
            pytest.fail("held twice")
        with other.hold("doors", wait=0):
            other.create(new_record(), new_entry())
        store.save(replace(store.load("gates"), progress=progress_of()))
        hold.require()

    with other.hold("gates", wait=0) as hold:
        hold.require()


def test_who_waits_gets_the_rollout_when_it_is_free(store, where):
    """Without being asked again."""
    begins, held = Event(), Event()

    def wait() -> None:
        begins.set()
        with Store(where).hold("gates", wait=60):
            held.set()

    waiting = Thread(target=wait)
    with store.hold("gates"):
        waiting.start()
        assert begins.wait(60)
        assert not held.is_set()
    waiting.join(60)

    assert held.is_set()


def test_an_error_of_the_holder_is_its_own(store):
    """It passes as it is, and the rollout is free again."""
    for error in (ValueError("of the body"), OSError("of the body"), LostHold("of the body")):
        with pytest.raises(type(error), match=r"^of the body$"), store.hold("gates"):
            raise error

    with store.hold("gates", wait=0) as hold:
        hold.require()


def test_a_hold_ends_with_its_process(store, where):
    """A killed controller leaves nothing to clean up."""
    holder = start_process(HOLDING, where)
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RolloutBusy), store.hold("gates", wait=0):
            pytest.fail("held twice")
        holder.send_signal(signal.SIGKILL)
        holder.wait(60)

    with store.hold("gates", wait=60) as hold:
        hold.require()


def test_processes_that_race_take_turns(store, where):
    """Nobody reads what another is about to change: no save is refused, and no turn is lost."""
    store.create(replace(new_record(), reason="0"), new_entry())
    racers = [start_process(RACING, where) for _ in range(3)]
    for racer in racers:
        with racer:
            racer.stdin.close()
            assert racer.wait(120) == 0

    assert store.load("gates").reason == "45"
    assert store.revision("gates") == 45


def test_a_process_that_may_not_is_told_which_rollout(where, store):
    """In the words of the command line."""
    with store.hold("gates"):
        ended = in_a_process("with Store(where).hold('gates', wait=0): print('held')", where)

    assert "another otabridge is acting on rollout gates; wait until it is done, or stop that process" in ended.stderr


def test_a_lock_file_that_is_deleted_is_a_lost_hold(path):
    """Whoever cleans up lets a second process in: the first must not go on."""
    store = Store(path)
    with store.hold("gates") as hold:
        path.with_name("otabridge.db-gates.lock").unlink()
        with pytest.raises(LostHold, match="was deleted while rollout gates was held; run the command again"):
            hold.require()
        with Store(path).hold("gates", wait=0) as second:
            second.require()
            with pytest.raises(LostHold):
                hold.require()


def test_a_server_that_died_takes_its_holds_along(mortal_server):
    """The holder is told before its next act, also after the server is back; then anybody may hold the rollout."""
    url = mortal_server.database()
    store = Store(url)
    with store.hold("gates") as hold:
        hold.require()
        mortal_server.kill()
        with pytest.raises(LostHold, match="the connection that held rollout gates is gone"):
            hold.require()
        mortal_server.start()
        with pytest.raises(LostHold):
            hold.require()

    with store.hold("gates", wait=0) as hold:
        hold.require()


def test_a_hold_may_take_as_long_as_clouds_do(url):
    """The server ends sessions that sleep in a transaction; not those that hold a rollout."""
    store = Store(url)
    with store.hold("gates") as hold:
        setting = hold._connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar()
        assert setting == "0"
    with store._dialect.engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar() == "1min"


def test_a_session_that_the_server_ended_is_a_lost_hold(shared_server, url):
    """As an administrator does, or a failover."""
    with Store(url).hold("gates") as hold:
        shared_server.execute(
            url.partition("?")[0].rpartition("/")[2],
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        with pytest.raises(LostHold):
            hold.require()
