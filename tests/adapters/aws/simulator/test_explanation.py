"""What the simulator tells people and other programs is enough to use it, and stays short."""

from __future__ import annotations

import json

import pytest

from adapters.aws.simulator.explanation import Scope, explain


@pytest.fixture
def things(simulator):
    """Five things."""
    return tuple(simulator.add_thing(f"thing-{number}") for number in range(1, 6))


def test_the_settings_file_names_all_that_a_program_needs(simulator, things, tmp_path):
    """Endpoints, certificates of every thing, bucket, group and role."""
    explain(simulator, Scope("artifacts", "everything", things), tmp_path)
    settings = json.loads((tmp_path / "otabridge-sim.json").read_text())

    assert sorted(settings["things"]) == [each.thing for each in things]
    for files in settings["things"].values():
        assert all((tmp_path / name).is_file() for name in files.values())
    assert (settings["endpoint_url"], settings["mqtt"]["port"]) == (simulator.endpoint_url, simulator.mqtt_port)
    assert (settings["bucket"], settings["group"]["name"]) == ("artifacts", "everything")
    assert settings["environment"] == simulator.environment()


def test_the_words_name_the_first_things_and_count_the_others(simulator, things, tmp_path):
    """A thousand things do not scroll the address away."""
    lines = explain(simulator, Scope("artifacts", "everything", things), tmp_path)

    assert [line for line in lines if "thing-3" in line]
    assert not [line for line in lines if "thing-4" in line]
    assert "  and 2 more" in lines
    assert f"  AWS_ENDPOINT_URL={simulator.endpoint_url}" in lines


def test_a_folder_that_is_not_there_is_an_os_error(simulator, tmp_path):
    """The caller tells people."""
    with pytest.raises(OSError, match="absent"):
        explain(simulator, Scope("artifacts", "everything", ()), tmp_path / "absent")
