"""What proves a trial boot, put together from a configuration: how long the hardware watchdog bears with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import load
from agent.proof.guard import GRACE_SECONDS
from agent.proof.parts import hardware_guard

LEAST = """
[device]
model = "gateway-3"
hardware = "r2"

[slots]
boot_loader = "file"
directory = "slots"

[trust]
root = "root.json"

[channel]
cloud = "aws"

[health]
deadline_seconds = 300

[watchdog]
device = "/dev/watchdog0"
"""
HANDLERS = """
[handlers.app]
kind = "script"
command = ["/usr/bin/install-app"]
timeout_seconds = 200

[handlers.debs]
kind = "package"
timeout_seconds = 100
"""


@pytest.mark.parametrize(("more", "seconds"), [("", 300), (HANDLERS, 600)])
def test_a_trial_has_time_for_the_proof_and_for_the_steps_in_it(tmp_path: Path, more: str, seconds: float):
    """A handler may take its time in the trial boot: a healthy release is not taken for one that hangs."""
    file = tmp_path / "agent.toml"
    file.write_text(LEAST + more)
    guard = hardware_guard(load(file))
    assert guard is not None

    assert guard._patience == seconds + GRACE_SECONDS
