"""What `otabridge-agent check` says of a watchdog that is systemd's."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.pace import Timing
from agent.proof.systemd_watchdog import runtime_watchdog
from agent.proof.watchdog_device import WatchdogError


@pytest.fixture
def systemctl(tmp_path: Path):
    """A program in systemctl's place that prints and exits as it is told."""

    def made(text: str, status: int = 0) -> tuple[str, ...]:
        path = tmp_path / "systemctl"
        path.write_text(f'#!/bin/sh\ntest "$*" = "show --property=RuntimeWatchdogUSec --value" || exit 9\n{text}\n')
        with path.open("a") as file:
            file.write(f"exit {status}\n")
        path.chmod(0o755)
        return (str(path),)

    return made


def test_systemd_that_feeds_it(systemctl):
    """Its time is told, as systemctl prints it."""
    assert runtime_watchdog(Timing(), systemctl("echo 1min")) == "systemd feeds it, within 1min"


@pytest.mark.parametrize("printed", ["echo 0", "echo infinity", ":"])
def test_systemd_that_does_not(systemctl, printed):
    """The owner believes that a machine that hangs is restarted, and it is not."""
    with pytest.raises(WatchdogError) as refusal:
        runtime_watchdog(Timing(), systemctl(printed))
    assert str(refusal.value) == (
        'watchdog.owner is "systemd", and systemd does not feed one: set RuntimeWatchdogSec in '
        "/etc/systemd/system.conf, or give the watchdog to the agent"
    )


def test_a_machine_without_systemd():
    """Then it cannot be its owner."""
    with pytest.raises(WatchdogError, match="and systemd cannot be asked: No such file or directory"):
        runtime_watchdog(Timing(), ("/no/systemctl",))


def test_a_systemctl_that_fails(systemctl):
    """Its words are told."""
    with pytest.raises(WatchdogError, match="does not say what it does: no bus"):
        runtime_watchdog(Timing(), systemctl("echo no bus", 1))
