"""The command in a process of its own, as a shell and as systemd start it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.bench import Device

PROGRAM = (sys.executable, "-m", "agent.cli")


def test_command_itself(device: Device, folder: Path):
    """The installed program does the same: it installs, prints its result, and its errors have no traceback."""
    done = subprocess.run(
        [*PROGRAM, *device.arguments("--output", "json", "install", str(folder))],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, json.loads(done.stdout)) == (75, {"step": "rebooting"})
    done = subprocess.run(
        [*PROGRAM, "--config", "none.toml", "status"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert re.fullmatch(r"otabridge-agent: .*none\.toml cannot be read .*\n", done.stderr)


@pytest.fixture
def service(device: Device) -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    """The service as systemd starts it, and systemd's end of the notification socket."""
    address = str(device.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(60)
        line = [*PROGRAM, *device.arguments("run")]
        environment = {**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000"}
        with subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True) as process:
            yield process, manager
            process.kill()


def test_service_stops_on_sigterm(device: Device, service: tuple[subprocess.Popen[str], socket.socket]):
    """The service says that it is ready, works on while no cloud answers, and stops cleanly when told to."""
    process, manager = service
    for name in ("device.pem", "device.key"):
        (device.folder / name).write_text("no certificate")
    said = [manager.recv(4096).decode()]
    while said[-1] != "STATUS=waiting for an offer":
        said.append(manager.recv(4096).decode())
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    while said[-1] != "STOPPING=1":
        said.append(manager.recv(4096).decode())

    assert said[0] == "READY=1"
    assert "WATCHDOG=1" in said
    assert process.returncode == 0
    assert "Traceback" not in errors
