"""Wiring: names become adapters, and their refusals sentences."""

from __future__ import annotations

import pytest

from bridge.config import Config, FleetConfig
from bridge.errors import UsageError
from bridge.wiring import actor, fleet_opener, patience


def test_an_unknown_cloud_is_refused_by_name(tmp_path):
    """The adapters are asked for nothing else."""
    config = Config(tmp_path / "otabridge.toml", tmp_path, tmp_path, {"moon": FleetConfig("moon", "lunar", {})})

    with pytest.raises(UsageError, match="fleet moon: no cloud is named 'lunar'"):
        fleet_opener(config)("moon")


def test_patience_ends_at_its_timeout():
    """Without one it goes on; with none left it says no at once."""
    assert patience(0.0, None)()
    assert not patience(60.0, 0.0)()


def test_the_ledger_names_user_and_host(monkeypatch):
    """Also where a container's user id has no name."""
    monkeypatch.setattr("bridge.wiring.socket.gethostname", lambda: "desk")
    monkeypatch.setattr("bridge.wiring.getpass.getuser", lambda: "ada")
    known = actor()

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("bridge.wiring.getpass.getuser", nameless)

    assert (known, actor()) == ("ada@desk", "unnamed@desk")
