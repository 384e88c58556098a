"""`otabridge fleet add`: from what Terraform printed to a fleet of the configuration."""

from __future__ import annotations

import io
import tomllib

import pytest

from tests.bridge.tool_configs import AWS, AZURE, bare, changed, wrapped


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Puts what Terraform printed into a file, or on stdin; returns the option's value."""

    def give(data, *, stdin=False):
        if stdin:
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
            return "-"
        (tmp_path / "fleet.json").write_bytes(data)
        return "fleet.json"

    return give


@pytest.mark.parametrize("stdin", [False, True], ids=["file", "stdin"])
@pytest.mark.parametrize("config", [AWS, AZURE], ids=["aws", "azure"])
def test_a_fleet_is_added_and_listed(otabridge, tmp_path, given, config, stdin):
    """The configuration is made when there is none; what was set is shown."""
    added = otabridge("fleet", "add", "plant", "--from-terraform", given(wrapped(config), stdin=stdin))
    listed = otabridge("fleet", "list")

    assert added.exit_code == 0
    assert added.out.splitlines()[0] == "otabridge.toml: fleet plant added"
    assert f'  + cloud = "{config["provider"]}"' in added.out
    assert added.out.splitlines()[-1] == "next: otabridge fleet check plant"
    assert listed.out == f"plant  {config['provider']}\n"
    assert tomllib.loads((tmp_path / "otabridge.toml").read_text())["fleets"]["plant"] == config["fleet"]


def test_added_again_it_is_unchanged_and_changed_only_when_asked(otabridge, given):
    """As a pipeline that runs it each time would want it."""
    otabridge("fleet", "add", "plant", "--from-terraform", given(bare(AWS)))
    again = otabridge("fleet", "add", "plant", "--from-terraform", given(bare(AWS)), "-o", "json")
    moved = given(bare(changed(AWS, url_minutes=30)))
    refused = otabridge("fleet", "add", "plant", "--from-terraform", moved)
    replaced = otabridge("fleet", "add", "plant", "--from-terraform", moved, "--replace", "-o", "json")

    same = {"fleet": "plant", "file": "otabridge.toml", "changes": [], "schema": 1, "result": "unchanged"}
    assert again.json == same
    assert (refused.exit_code, refused.out) == (2, "")
    assert (
        "fleets.plant is there with other settings; --replace takes these:\n  ~ url_minutes = 60 -> 30" in refused.err
    )
    change = {"field": "url_minutes", "before": 60, "after": 30}
    assert replaced.json == {**same, "result": "changed", "changes": [change]}


def test_settings_that_the_adapter_refuses_are_refused_before_anything_is_written(otabridge, tmp_path, given):
    """With the adapter's own words, as when the fleet is used."""
    refused = otabridge("fleet", "add", "plant", "--from-terraform", given(bare(changed(AWS, url_minutes=90))))

    assert refused.exit_code == 2
    assert refused.err == "otabridge: fleet plant: url_minutes is 90: expected `int` <= 60\n"
    assert not (tmp_path / "otabridge.toml").exists()


def test_a_state_without_outputs_is_told_what_to_do(otabridge, given):
    """Terraform prints {} and says that all is well."""
    refused = otabridge("fleet", "add", "plant", "--from-terraform", given(b"{}", stdin=True))

    assert refused.exit_code == 2
    assert refused.err.startswith("otabridge: stdin: Terraform knows no outputs.")
    assert "run `terraform apply`" in refused.err


def test_no_such_file_is_told_in_a_sentence(otabridge):
    """And not with a traceback."""
    refused = otabridge("fleet", "add", "plant", "--from-terraform", "nowhere.json")

    assert refused.exit_code == 2
    assert "Terraform's output nowhere.json cannot be read: No such file or directory" in refused.err
