"""From Terraform's output to a checked fleet, in both simulated clouds: real settings, real wiring, real calls."""

from __future__ import annotations

import json

import pytest

from adapters.simulation.faults import Effect
from adapters.simulators import start_simulator

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s(ocket|sl):ResourceWarning")
DENIED = {
    "aws": ("CreateJob", "iot:CreateJob on arn:aws:iot:eu-west-1:123456789012:job/otabridge-*"),
    "azure": ("import", "role Device Update Content Administrator on Device Update account "),
}


@pytest.fixture(params=DENIED)
def cloud(request, tmp_path, monkeypatch):
    """A simulator, where the environment of its SDKs points."""
    started = start_simulator(request.param, tmp_path)
    for name, value in started.environment().items():
        monkeypatch.setenv(name, value)
    yield started
    started.stop()


@pytest.fixture
def added(cloud, otabridge, tmp_path):
    """The fleet, from what Terraform would have said of it."""
    fleet = {"cloud": cloud.cloud, **cloud.fleet()}
    config = {"schema_version": 1, "provider": cloud.cloud, "fleet": fleet, "resources": {"cache_of_ours": "x"}}
    (tmp_path / "fleet.json").write_text(json.dumps(config))
    return otabridge("fleet", "add", "plant", "--from-terraform", "fleet.json")


def test_a_fleet_that_was_added_is_proven(added, otabridge):
    """Every probe comes to an answer."""
    checked = otabridge("fleet", "check", "plant")

    assert (added.exit_code, checked.exit_code, checked.err) == (0, 0, "")
    assert {line.split()[0] for line in checked.out.splitlines()} == {"ok"}


def test_terraforms_output_is_compared_and_looked_at(added, otabridge):
    """By the cloud's own probes; a name that they do not know is listed, and fails nothing."""
    checked = otabridge("fleet", "check", "plant", "--from-terraform", "fleet.json", "-o", "json")

    findings = {each["probe"]: each for each in checked.json["probes"]}
    assert (added.exit_code, checked.exit_code, checked.err) == (0, 0, "")
    assert findings["settings"]["found"] == "ok"
    assert findings["resources"]["found"] == "not looked at"
    assert findings["resources"]["said"] == "cache_of_ours: this otabridge knows no probe of them"


def test_what_is_denied_is_named_and_ends_the_check_with_its_own_code(added, cloud, otabridge, monkeypatch):
    """In the cloud's own words, with the module's variable."""
    monkeypatch.setenv("COLUMNS", "1000")
    operation, needs = DENIED[cloud.cloud]
    cloud._simulator.faults.plan(operation, Effect.DENY, times=9)

    checked = otabridge("fleet", "check", "plant", "--duty", "controller")

    (line,) = (line for line in checked.out.splitlines() if line.startswith("missing"))
    assert (added.exit_code, checked.exit_code) == (0, 34)
    assert needs in line
    assert line.endswith("; Terraform variable controller_principals")
    assert "probes found something missing" in checked.err
