"""A boot loader's own program: what it says, and how it is stopped."""

from __future__ import annotations

import pytest

from agent.bootloaders.tool import MAX_INPUT_BYTES, SystemTool
from agent.slots import BootEnvironmentError


def test_a_program_is_told_and_heard():
    """Input goes in, output and errors come out, in the language that we parse."""
    tool = SystemTool(environment={"MORE": "more"})

    assert tool(["sh", "-c", 'cat; echo "$LC_ALL $MORE" >&2'], "a=1\n") == "a=1\nC more\n"


def test_a_program_that_does_not_listen():
    """Its status tells, not the broken pipe."""
    with pytest.raises(BootEnvironmentError, match="`sh -c exit 3` failed with status 3: it says nothing"):
        SystemTool()(["sh", "-c", "exit 3"], "x" * MAX_INPUT_BYTES)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo 'Cannot read'; printf '\\033[31menvironment\\n'; exit 1",
            "with status 1: Cannot read .*environment",
        ),
        ("yes", "did not come to an end, or has too much to say: it was stopped"),
        ("kill -9 $$", "failed with status -9"),
    ],
)
def test_a_program_that_fails(script: str, message: str):
    """What it said last is in the message, without what would disturb a terminal."""
    with pytest.raises(BootEnvironmentError, match=message) as caught:
        SystemTool()(["sh", "-c", script], "")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("script", ["sleep 100", "exec >&- 2>&-; sleep 100"])
def test_a_program_that_does_not_end(script: str):
    """It is stopped when its time is up, and all that it started."""
    with pytest.raises(BootEnvironmentError, match="did not come to an end"):
        SystemTool(seconds=0.1)(["sh", "-c", script], "")


def test_a_program_that_is_not_there():
    """What to do about it."""
    with pytest.raises(BootEnvironmentError, match=r"fw_nothing cannot be run \(No such file .*\); install it"):
        SystemTool()(["fw_nothing"], "")


def test_more_than_a_pipe_takes():
    """A program that does not read must not hold us up."""
    with pytest.raises(ValueError, match="4097 bytes of input do not fit"):
        SystemTool()(["cat"], "x" * (MAX_INPUT_BYTES + 1))
