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
    config = {"schema_version": 1, "provider": cloud.cloud, "fleet": {"cloud": cloud.cloud, **cloud.fleet()}}
    (tmp_path / "fleet.json").write_text(json.dumps(config))
    return otabridge("fleet", "add", "plant", "--from-terraform", "fleet.json")


def test_a_fleet_that_was_added_is_proven(added, otabridge):
    """Every probe comes to an answer."""
    checked = otabridge("fleet", "check", "plant")

    assert (added.exit_code, checked.exit_code, checked.err) == (0, 0, "")
    assert {line.split()[0] for line in checked.out.splitlines()} == {"ok"}


def test_what_is_denied_is_named_and_ends_the_check_with_its_own_code(added, cloud, otabridge):
    """In the cloud's own words, with the module's variable."""
    operation, needs = DENIED[cloud.cloud]
    cloud._simulator.faults.plan(operation, Effect.DENY, times=9)

    checked = otabridge("fleet", "check", "plant", "--duty", "controller")

    (line,) = (line for line in checked.out.splitlines() if line.startswith("missing"))
    assert (added.exit_code, checked.exit_code) == (0, 34)
    assert needs in line
    assert line.endswith("; Terraform variable controller_principals")
    assert "probes found something missing" in checked.err
