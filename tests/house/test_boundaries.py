"""What a device really loads, seen in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEVICE_SIDE = ("agent.cli", "agent.service", "agent.wiring", "adapters.devices", "adapters.aws.device")
FOREIGN = ("boto3", "botocore", "typer", "rich", "sqlalchemy", "moto", "yaml")


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """Names of all modules that importing the device side brings in."""
    program = f"import sys, json; [__import__(m) for m in {DEVICE_SIDE!r}]; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("name", FOREIGN)
def test_a_device_loads_no_control_plane_library(loaded, name):
    """None of the libraries of the control plane reaches a device."""
    assert name not in loaded


def test_a_device_loads_nothing_of_the_bridge_but_the_contract(loaded):
    """`bridge` itself is an empty file; below it only `bridge.release` is loaded."""
    ours = {name for name in loaded if name.startswith("bridge.")}

    assert ours
    assert {name for name in ours if name != "bridge.release" and not name.startswith("bridge.release.")} == set()


def test_a_device_loads_one_half_of_its_cloud(loaded):
    """The control-plane half and the simulator stay out."""
    ours = {name for name in loaded if name.startswith("adapters.")}

    assert not any("cloud" in name or "simul" in name for name in ours)
