"""The machine: which boot this is, and restarting it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.board import CommandBoard
from agent.pace import Timing
from bridge.release.errors import SlotError


def test_kernel_names_the_boot():
    """The kernel's own name of this boot: the same at every question, until the next boot."""
    board = CommandBoard((), Timing())

    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", board.boot_id())
    assert board.boot_id() == board.boot_id()


def test_no_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Where the kernel does not name its boots, the reason is told."""
    monkeypatch.setattr("agent.board.BOOT_ID", tmp_path / "none")

    with pytest.raises(SlotError, match=r"the kernel does not name this boot: .*No such file"):
        CommandBoard((), Timing()).boot_id()


@pytest.mark.parametrize("bitten", [True, False])
def test_whoever_knows_is_asked_for_the_cause_of_the_boot(bitten):
    """The board of a simulated device has watchdogs of its own."""
    assert CommandBoard((), Timing(), caused_by_watchdog=lambda: bitten).caused_by_watchdog() is bitten


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_boot_without_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes):
    """An empty name would make every boot the same one, so it is none."""
    (tmp_path / "boot_id").write_bytes(content)
    monkeypatch.setattr("agent.board.BOOT_ID", tmp_path / "boot_id")

    with pytest.raises(SlotError, match="the kernel does not name this boot"):
        CommandBoard((), Timing()).boot_id()


def test_reboot_runs_the_command(tmp_path: Path):
    """The configured command is run as it stands, without a shell."""
    CommandBoard(("touch", f"{tmp_path}/a b"), Timing()).reboot()

    assert (tmp_path / "a b").exists()


def test_supervised_board_does_nothing():
    """Without a command nobody is asked; the exit code of the agent says it."""
    CommandBoard((), Timing()).reboot()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("/no/such/reboot",), "reboot.command '/no/such/reboot' cannot be started: [Errno 2]"),
        (("sh", "-c", "echo denied; exit 4"), "failed with status 4: denied"),
        (("sh", "-c", "echo waiting; exec sleep 600"), "did not end within 0.3 s: waiting"),
    ],
)
def test_reboot_fails(command: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch):
    """A restart that does not begin is an error of the board, with what the command said."""
    monkeypatch.setattr("agent.board.COMMAND_SECONDS", 0.3 if "600" in command[-1] else 60.0)

    with pytest.raises(SlotError) as refusal:
        CommandBoard(command, Timing()).reboot()
    assert message in str(refusal.value)
