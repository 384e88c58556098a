"""Controllers may die anywhere: a sample of what `make kill-sweep` does whole, and bugs that it must catch."""

from __future__ import annotations

from itertools import count

import pytest

from bridge.engine.acting import Actor
from bridge.planning.planned import Plan
from bridge.store.store import Store
from tests.kills.crowd import Crowd
from tests.kills.databases import Databases
from tests.kills.scenarios import SCENARIOS
from tests.kills.sweep import cut_off, killed
from tests.postgres import NoPostgres, server

SAMPLE = 199
"""One call in so many."""
SCENARIO = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@pytest.fixture(scope="module")
def databases():
    """A real PostgreSQL server."""
    try:
        with server() as running:
            model = running.database()
            Store(model).close()
            yield Databases(str(running.socket.parent), model.partition("?")[0].rpartition("/")[2])
    except NoPostgres as error:
        pytest.skip(str(error))


@SCENARIO
def test_nothing_is_lost_or_doubled_on_sqlite(tmp_path, scenario):
    """Killed at a call, and followed by a process with a wrong clock, the rollout ends as if nobody had died."""
    calls = killed(scenario, tmp_path / "whole.db", 0).calls
    found = [killed(scenario, tmp_path / f"{at}.db", at) for at in range(SAMPLE, calls + 1, SAMPLE)]

    assert found
    assert [finding for finding in found if finding.violations] == []


@SCENARIO
def test_nothing_is_lost_or_doubled_on_postgresql(databases, scenario):
    """The same on a real PostgreSQL."""
    with databases.new() as url:
        calls = killed(scenario, url, 0).calls
    for at in range(SAMPLE, calls + 1, SAMPLE):
        with databases.new() as url:
            assert killed(scenario, url, at).violations == []


@pytest.mark.parametrize("at", [3, 40, 111])
def test_a_lost_database_delays_and_loses_nothing(databases, at):
    """Every connection is cut in the middle of a pass; the controller lives on and goes on where it was."""
    with databases.new() as url:
        finding = cut_off(SCENARIOS[0], url, at, lambda: databases.cut(url))

    assert finding.call
    assert finding.violations == []


def test_three_controllers_share_a_database(databases):
    """They divide the rollouts by row locks, die at random, and every rollout ends as if there had been one."""
    with databases.new() as url:
        crowd = Crowd(url, seed=11)
        crowd.admit()
        crowd.play()

        assert list(crowd.violations()) == []
    assert crowd.deaths
    assert all(crowd.stepped[name] for name in crowd.worlds)


def other_keys(monkeypatch):
    """An order has another name each time it is asked."""
    numbers = count()
    monkeypatch.setattr(Plan, "key", lambda plan, place, order=0: f"{plan.digest}-{place}-{order}-{next(numbers)}")


def never_stops(monkeypatch):
    """Offers are not withdrawn."""
    monkeypatch.setattr(Actor, "_stop", lambda *_: None)


def skips_a_stage(monkeypatch):
    """The stage after the next begins."""
    from bridge.engine import decide

    begin = decide.begin
    last = 2
    monkeypatch.setattr(decide, "begin", lambda plan, progress, _, now: begin(plan, progress, last, now))


def forgets_the_ledger(monkeypatch):
    """What was decided is saved without its entry."""
    save = Store.save
    monkeypatch.setattr(Store, "save", lambda store, record, _=(): save(store, record))


@pytest.mark.parametrize(
    "bug", [other_keys, never_stops, skips_a_stage, forgets_the_ledger], ids=lambda bug: bug.__name__
)
def test_the_sweep_catches_what_it_is_for(tmp_path, monkeypatch, bug):
    """With a planted bug, a run in which nobody even dies is full of violations."""
    bug(monkeypatch)
    monkeypatch.setattr("tests.kills.sweep.MOST_PASSES", 40)

    found = [killed(scenario, tmp_path / f"{number}.db", 0) for number, scenario in enumerate(SCENARIOS)]
    assert any(finding.violations for finding in found)
