"""The command line on a PostgreSQL store, whose URL stands in the environment."""

from __future__ import annotations

import pytest

from tests.postgres import NoPostgres, postgres


@pytest.fixture
def database():
    """The URL of an empty database of a real server."""
    try:
        with postgres() as url:
            yield url
    except NoPostgres as error:
        pytest.skip(str(error))


def test_a_rollout_lives_in_the_database_from_plan_to_proof(desk, database, monkeypatch):
    """Applied here, brought to its end by a controller, watched and verified; no file is made beside the settings."""
    monkeypatch.setenv("OTABRIDGE_STORE_URL", database)

    before = desk.rollout("plan", "rollout.yaml", "--detailed-exitcode")
    begun = desk.apply("--no-wait")
    rounds = [desk.otabridge("controller", "once").code for _ in range(12)]
    after = desk.rollout("plan", "rollout.yaml", "--detailed-exitcode")
    watched = desk.rollout("watch", "gates")
    verified = desk.otabridge("ledger", "verify", "-o", "json")

    assert (before.code, begun.code, set(rounds), after.code, watched.code) == (2, 0, {0}, 0, 0)
    assert "completed, stage 3 of 3" in watched.out
    assert verified.json["head"] == desk.rollout("history", "gates", "-o", "json").json["head"]
    assert not list(desk.folder.glob("otabridge.db*"))
