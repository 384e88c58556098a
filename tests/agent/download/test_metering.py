"""Whether the link costs money is told by the owner's command, and taken for granted where it does not tell."""

from __future__ import annotations

import logging

import pytest

from agent.download import metering
from agent.download.metering import CommandMeter
from agent.pace import Timing


def ask(*command: str) -> bool:
    """What `command` tells."""
    return CommandMeter(command, Timing())()


@pytest.mark.parametrize(("status", "metered"), [("0", True), ("1", False)])
def test_the_exit_status_tells(status, metered, caplog):
    """0 is metered, 1 is not; neither is worth a word."""
    assert ask("sh", "-c", f"exit {status}") is metered
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["sh", "-c", "echo no such device; exit 10"], "sh ended with status 10, neither 0 nor 1: no such device"),
        (["/nowhere/at-all"], "/nowhere/at-all cannot be started: No such file or directory"),
        (["sh", "-c", "kill -9 $$"], "sh ended with status -9"),
        (["sleep", "600"], "sleep did not end within 0.1 seconds"),
    ],
    ids=["another status", "no program", "killed", "too slow"],
)
def test_what_does_not_tell_counts_as_metered(command, words, caplog, monkeypatch):
    """To wait for another link costs nothing; the log says what is wrong."""
    monkeypatch.setattr(metering, "TIMEOUT_SECONDS", 0.1 if command[0] == "sleep" else 60.0)

    with caplog.at_level(logging.WARNING):
        assert ask(*command) is True

    assert f"the link is taken for metered: download.metered_command {words}" in caplog.text
