"""The import contracts hold, and each fails when an arrow that it forbids is planted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command; lint_imports_command()"

ARROWS = [
    ("bridge/engine/decide.py", "import bridge.cli.app", "The control plane points inward"),
    ("bridge/engine/controller.py", "import adapters.clouds", "The control plane points inward"),
    ("bridge/fleet.py", "import bridge.store", "The control plane points inward"),
    ("bridge/planning/plan.py", "import bridge.engine.decide", "The control plane points inward"),
    ("bridge/engine/evidence.py", "import bridge.engine.decide", "The engine: a controller drives"),
    ("bridge/engine/decide.py", "import pathlib", "beside a port are pure"),
    ("bridge/gates/failure_rate.py", "import random", "beside a port are pure"),
    ("agent/update/engine.py", "import agent.service", "The agent points inward"),
    ("agent/update/machine.py", "import agent.update.journal", "The agent points inward"),
    ("adapters/aws/cloud.py", "import bridge.engine.controller", "Adapters know the ports"),
    ("adapters/aws/cloud.py", "import adapters.aws.device", "The halves of one cloud"),
    ("adapters/aws/wire.py", "import adapters.azure", "One cloud knows nothing of the other"),
    ("adapters/azure/__init__.py", "import adapters.aws.wire", "One cloud knows nothing of the other"),
    ("adapters/aws/simulator/__init__.py", "import adapters.aws.wire", "A simulator speaks the protocol"),
    ("adapters/azure/fleet/twins.py", "import adapters.azure.channel.line", "The halves of one cloud"),
    ("adapters/azure/wire.py", "import adapters.azure.formats.component", "The halves of one cloud"),
    ("adapters/azure/simulator/__init__.py", "import adapters.azure.wire", "A simulator speaks the protocol"),
    ("adapters/azure/device.py", "import boto3", "The device imports what is on this list"),
    ("adapters/azure/channel/files.py", "import requests", "The device imports what is on this list"),
    ("bridge/engine/controller.py", "import azure.iot.hub", "Nothing above adapters names a cloud"),
    ("agent/cloud/channels.py", "import adapters.azure.device", "Nothing above adapters names a cloud"),
    ("adapters/azure/formats/signature.py", "import time", "are pure"),
    ("adapters/azure/fleet/orders.py", "import pathlib", "beside a port are pure"),
    ("adapters/aws/device.py", "import boto3", "The device imports what is on this list"),
    ("agent/update/engine.py", "import bridge.fleet", "The device imports what is on this list"),
    ("agent/proof/health.py", "import typer", "The device imports what is on this list"),
    ("bridge/engine/controller.py", "import boto3", "Nothing above adapters names a cloud"),
    ("agent/update/engine.py", "import adapters.aws.device", "Nothing above adapters names a cloud"),
    ("bridge/cli/translate.py", "import adapters.clouds", "Only wiring names an adapter"),
    ("agent/service.py", "import adapters.devices", "Only wiring names an adapter"),
    ("agent/update/machine.py", "import time", "are pure"),
    ("agent/writer/duties.py", "import urllib3", "The slot writer knows no network"),
    ("agent/writer/memory.py", "import bridge.release.delta.apply", "The slot writer knows no network"),
    ("bridge/release/trust.py", "import os", "are pure"),
    ("adapters/aws/wire.py", "import socket", "are pure"),
]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts over the checkout in `folder`."""
    line = [sys.executable, "-c", LINT, "--no-cache"]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the code that a test may spoil."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("bridge", "adapters", "agent"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests/house", copy / "tests/house")
    shutil.copy(ROOT / ".importlinter", copy)
    return copy


def test_all_contracts_are_kept(checkout):
    """The house as it stands passes."""
    done = lint(checkout)

    assert "0 broken" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(("module", "arrow", "contract"), ARROWS, ids=lambda value: str(value)[:40])
def test_a_planted_arrow_breaks_its_contract(checkout, module, arrow, contract):
    """One forbidden import, and the contract that forbids it says so by name."""
    path = checkout / module
    before = path.read_text()
    path.write_text(before + f"\n{arrow}  # planted\n")
    try:
        done = lint(checkout)
    finally:
        path.write_text(before)

    assert done.returncode == 1, done.stdout + done.stderr
    assert any(contract in line and "BROKEN" in line for line in done.stdout.splitlines()), done.stdout
