"""The systemd unit that the wheel ships."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from importlib.resources import files

import pytest

UNIT = files("agent") / "systemd/otabridge-agent.service"


@pytest.fixture
def unit() -> dict[str, list[str]]:
    """Each setting of the unit with all its values, keyed `Section.Name`."""
    settings: dict[str, list[str]] = {}
    section = ""
    for line in UNIT.read_text().splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            settings.setdefault(f"{section}.{name}", []).append(value)
    return settings


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Service.Type", ["notify"]),
        ("Service.Restart", ["always"]),
        ("Unit.StartLimitIntervalSec", ["0"]),
        ("Service.NoNewPrivileges", ["yes"]),
        ("Service.ProtectSystem", ["strict"]),
        ("Service.StateDirectory", ["otabridge"]),
        ("Service.CapabilityBoundingSet", [""]),
        ("Service.RestrictAddressFamilies", ["AF_INET AF_INET6 AF_UNIX"]),
        ("Service.DevicePolicy", ["closed"]),
        ("Service.ExecStart", ["/usr/bin/otabridge-agent run"]),
    ],
)
def test_essentials(unit: dict[str, list[str]], name: str, values: Sequence[str]):
    """The agent is restarted for ever, watched, and may do no more than its work needs."""
    assert unit[name] == values


def test_bounds(unit: dict[str, list[str]]):
    """Memory, restarts and the watchdog have limits, and the slots' devices are not hidden."""
    assert {"Service.MemoryMax", "Service.RestartSec", "Service.WatchdogSec", "Service.SystemCallFilter"} <= unit.keys()
    assert "Service.PrivateDevices" not in unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_it(tmp_path):
    """systemd finds no setting that it does not know."""
    program = shutil.which("true")
    copy = tmp_path / "otabridge-agent.service"
    copy.write_text(UNIT.read_text().replace("/usr/bin/otabridge-agent", str(program)))
    line = ["systemd-analyze", "verify", "--man=no", str(copy)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)

    assert "otabridge" not in done.stderr
    assert done.returncode == 0
