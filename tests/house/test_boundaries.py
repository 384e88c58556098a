"""What a device really loads, seen in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEVICE_SIDE = (
    "agent.cli",
    "agent.service",
    "agent.wiring",
    "adapters.devices",
    "adapters.aws.device",
    "adapters.azure.device",
)
FOREIGN = (
    "azure.identity",
    "azure.iot.deviceupdate",
    "azure.iot.hub",
    "azure.storage",
    "boto3",
    "botocore",
    "typer",
    "rich",
    "sqlalchemy",
    "moto",
    "yaml",
)
PROGRAM = """
import importlib, importlib.abc, json, sys


class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if any(f"{{name}}.".startswith(f"{{each}}.") for each in {foreign!r}):
            raise ModuleNotFoundError("not on a device", name=name)


sys.meta_path.insert(0, Absent())
for name in {modules!r}:
    importlib.import_module(name)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """Names of all modules that importing the device side brings in, where the control plane's are not installed.

    They are kept out rather than looked for: securesystemslib imports boto3 where it finds it, for its KMS signer.
    """
    program = PROGRAM.format(modules=DEVICE_SIDE, foreign=FOREIGN)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_a_device_needs_no_control_plane_library(loaded):
    """All of the device side imports on a machine that has none of the control plane's libraries."""
    assert set(DEVICE_SIDE) <= loaded


def test_a_device_loads_nothing_of_the_bridge_but_the_contract(loaded):
    """`bridge` itself is an empty file; below it only `bridge.release` is loaded."""
    ours = {name for name in loaded if name.startswith("bridge.")}

    assert ours
    assert {name for name in ours if name != "bridge.release" and not name.startswith("bridge.release.")} == set()


def test_a_device_loads_one_half_of_its_cloud(loaded):
    """The control-plane half and the simulator stay out."""
    ours = {name for name in loaded if name.startswith("adapters.")}

    assert not any("cloud" in name or "simul" in name for name in ours)
