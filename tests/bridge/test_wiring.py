"""Wiring: names become adapters, and their refusals sentences."""

from __future__ import annotations

import pytest

from bridge.config import Config, FleetConfig
from bridge.errors import UsageError
from bridge.ledger import Act
from bridge.wiring import actor, find_rollout, fleet_opener, open_rounds, open_store, patience, stated_facts


def config(folder, **settings) -> Config:
    """One fleet of `cloud`, with its settings."""
    cloud = settings.pop("cloud", "lunar")
    return Config(
        folder / "otabridge.toml", folder / "otabridge.db", folder, {"moon": FleetConfig("moon", cloud, settings)}
    )


@pytest.mark.parametrize(
    "ask", [lambda settings: fleet_opener(settings)("moon"), lambda settings: stated_facts(settings, "moon")]
)
def test_an_unknown_cloud_is_refused_by_name(tmp_path, ask):
    """The adapters are asked for nothing else."""
    with pytest.raises(UsageError, match="fleet moon: no cloud is named 'lunar'"):
        ask(config(tmp_path))


def test_a_fleet_is_opened_once(tmp_path, monkeypatch):
    """However often it is asked."""
    opened: list[str] = []
    monkeypatch.setattr("bridge.wiring.open_fleet", lambda _config, name: opened.append(name))
    fleets = fleet_opener(config(tmp_path))

    for _ in range(3):
        fleets("moon")

    assert opened == ["moon"]


def test_the_facts_of_a_fleet_follow_from_its_settings(tmp_path):
    """No cloud is asked."""
    settings = config(
        tmp_path, cloud="aws", region="eu-central-1", bucket="releases", role_arn="arn:aws:iam::123456789012:role/r"
    )

    assert stated_facts(settings, "moon").cloud == "aws"


def test_looking_for_a_rollout_makes_no_store(world, tmp_path):
    """`plan` records nothing."""
    settings = config(tmp_path)

    assert find_rollout(settings, "gates") is None
    assert not settings.store.exists()
    world.apply(passes=1)
    assert find_rollout(settings, "gates").name == "gates"
    assert find_rollout(settings, "doors") is None


def test_rounds_go_over_the_store_of_the_configuration(world, tmp_path, monkeypatch):
    """With its fleets, in the name of whoever runs the process."""
    world.apply(passes=2)
    settings = config(tmp_path)
    monkeypatch.setattr("bridge.wiring.open_fleet", lambda _config, name: world.fleets[name])

    (turn,) = open_rounds(settings, lambda: False).make()

    assert turn.problems == ()
    assert open_store(settings).ledger()[0].entry.what is Act.PLANNED


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
