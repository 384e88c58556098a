"""The systemd units that the wheel ships."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import pytest

UNITS = files("agent") / "systemd"
AGENT, WRITER = "otabridge-agent.service", "otabridge-slot-writer.service"
SOCKET = "otabridge-slot-writer.socket"
BOUNDS = {AGENT: 1.5, WRITER: 3.0}
"""Exposure that `systemd-analyze security` may find at most, of 10."""
needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def unit(name: str) -> Mapping[str, list[str]]:
    """Each setting of a unit with all its values, keyed `Section.Name`."""
    settings: dict[str, list[str]] = {}
    section = ""
    for line in (UNITS / name).read_text().splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            settings.setdefault(f"{section}.{key}", []).append(value)
    return settings


@pytest.fixture
def installed(tmp_path) -> Path:
    """A folder with the units, whose programs exist."""
    program = str(shutil.which("true"))
    for name in (AGENT, WRITER, SOCKET):
        text = (UNITS / name).read_text().replace("/usr/bin/otabridge-agent", program)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "key", "values"),
    [
        (AGENT, "Service.Type", ["notify"]),
        (AGENT, "Service.Restart", ["always"]),
        (AGENT, "Unit.StartLimitIntervalSec", ["0"]),
        (AGENT, "Service.User", ["otabridge"]),
        (AGENT, "Service.NoNewPrivileges", ["yes"]),
        (AGENT, "Service.ProtectSystem", ["strict"]),
        (AGENT, "Service.StateDirectory", ["otabridge"]),
        (AGENT, "Service.CapabilityBoundingSet", [""]),
        (AGENT, "Service.PrivateDevices", ["yes"]),
        (AGENT, "Service.RestrictAddressFamilies", ["AF_INET AF_INET6 AF_UNIX"]),
        (AGENT, "Service.ExecStart", ["/usr/bin/otabridge-agent run"]),
        (AGENT, "Unit.Wants", ["network-online.target", SOCKET]),
        (WRITER, "Service.ExecStart", ["/usr/bin/otabridge-agent slot-writer"]),
        (WRITER, "Service.CapabilityBoundingSet", [""]),
        (WRITER, "Service.PrivateNetwork", ["yes"]),
        (WRITER, "Service.RestrictAddressFamilies", ["AF_UNIX"]),
        (WRITER, "Service.DevicePolicy", ["closed"]),
        (WRITER, "Service.StateDirectoryMode", ["0700"]),
        (WRITER, "Unit.StartLimitIntervalSec", ["0"]),
        (SOCKET, "Socket.ListenSequentialPacket", ["/run/otabridge-writer.sock"]),
        (SOCKET, "Socket.SocketUser", ["otabridge"]),
        (SOCKET, "Socket.SocketMode", ["0600"]),
    ],
)
def test_essentials(name: str, key: str, values: Sequence[str]):
    """The agent has the network and no device, the writer the devices and no network; neither may do more."""
    assert unit(name)[key] == values


def test_bounds():
    """Memory, restarts and the watchdog have limits, and the slots' devices are not hidden from the writer."""
    limited = {"Service.MemoryMax", "Service.TasksMax", "Service.SystemCallFilter"}
    assert limited | {"Service.RestartSec", "Service.WatchdogSec"} <= unit(AGENT).keys()
    assert limited <= unit(WRITER).keys()
    assert "Service.PrivateDevices" not in unit(WRITER)
    assert "Service.DeviceAllow" not in unit(AGENT)


@needs_analyze
@pytest.mark.parametrize("name", [AGENT, WRITER, SOCKET])
def test_systemd_understands_it(installed, name):
    """systemd finds no setting that it does not know."""
    line = ["systemd-analyze", "verify", "--man=no", str(installed / name)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)

    assert "otabridge" not in done.stderr
    assert done.returncode == 0


@needs_analyze
@pytest.mark.parametrize(("name", "bound"), BOUNDS.items())
def test_exposure_is_bounded(installed, name, bound):
    """systemd itself counts what each unit leaves open, and it is little."""
    line = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(installed / name)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)

    match = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert match is not None, done.stdout + done.stderr
    assert float(match[1]) <= bound
