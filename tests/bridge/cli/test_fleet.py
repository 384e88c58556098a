"""`otabridge fleet`: fleets of the configuration, devices of a cloud."""

from __future__ import annotations

from tests.bridge.fakes import Refuse


def test_fleets_and_their_devices_are_listed(desk):
    """Fleets from the configuration, devices with their models from the cloud."""
    desk.depot.models = {"depot-010": "gate-v2"}

    listed = desk.otabridge("fleet", "list", "-o", "json").json
    devices = desk.otabridge("fleet", "devices", "depot", "--group", "depot-01")
    document = desk.otabridge("fleet", "devices", "depot", "--group", "depot-01", "-o", "json").json

    assert listed == {"fleets": [{"name": "depot", "cloud": "aws"}, {"name": "factory", "cloud": "aws"}], "schema": 1}
    assert devices.out.splitlines() == ["depot-010  gate-v2", *(f"depot-01{digit}" for digit in range(1, 10))]
    assert document["schema"] == 2
    assert document["devices"][0] == {"id": "depot-010", "model": "gate-v2"}


def test_devices_are_chosen_by_a_query_of_the_cloud(desk):
    """In its own language; nobody found is said, and is no error."""
    desk.depot.conditions = {"country:DE": frozenset(["depot-003"]), "country:FR": frozenset()}

    found = desk.otabridge("fleet", "devices", "depot", "--query", "country:DE")
    nobody = desk.otabridge("fleet", "devices", "depot", "--query", "country:FR", "--group", "depot-0")

    assert found.out == "depot-003\n"
    assert (nobody.code, nobody.out) == (
        0,
        "fleet depot has no device with --group 'depot-0' and --query 'country:FR'\n",
    )


def test_misuse_is_told_in_a_sentence(desk):
    """No configuration here, no such file there, a cloud that is away: never a traceback."""
    desk.depot.hook = Refuse(("devices",))
    away = desk.otabridge("fleet", "devices", "depot")
    unknown = desk.otabridge("fleet", "devices", "dept")
    no_file = desk.rollout("apply", "rollouts.yaml")
    (desk.folder / "otabridge.toml").unlink()
    no_config = desk.otabridge("fleet", "list")

    assert (away.code, unknown.code, no_file.code, no_config.code) == (1, 2, 2, 2)
    assert away.err == "otabridge: fleet depot: throttled\n"
    assert "fleets.dept is missing" in unknown.err
    assert "rollout file rollouts.yaml cannot be read: No such file" in no_file.err
    assert "otabridge.toml: there is no configuration; name it with --config or OTABRIDGE_CONFIG" in no_config.err
