"""The command `otabridge-agent slot-writer`: what it needs, and who may reach it."""

from __future__ import annotations

import os
import pwd
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent import cli
from agent.slots import BootEnvironmentError, Slot
from tests.agent.writer.split import AGENT, Hands, SplitDevice


def refused(split: SplitDevice, capsys) -> str:
    """What the command says when it does not start."""
    assert cli.main(["--config", str(split.config), "slot-writer"]) == 2
    return capsys.readouterr().err


@contextmanager
def impostor(path: Path, answer: bytes) -> Iterator[list[int]]:
    """Somebody at the writer's socket who says `answer` to everything, and hangs up; counts."""
    asked: list[int] = []

    def run() -> None:
        while True:
            line, _ = listener.accept()
            with line:
                if not line.recv(100):
                    return
                asked.append(1)
                if answer:
                    line.send(answer)

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=run)
        thread.start()
        yield asked
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as last:
            last.connect(str(path))
        thread.join()


def test_it_needs_its_table(split, capsys):
    """Without [writer] nobody would ask it for anything."""
    split.config.write_text(split.config.read_text().partition("[writer]")[0] + '[channel]\ncloud = "aws"\n')

    assert "the configuration has no table [writer]" in refused(split, capsys)


def test_it_needs_the_agents_user(split, capsys):
    """A name that nobody has would let nobody in."""
    split.config.write_text(split.config.read_text().replace(f'user = "{AGENT}"', 'user = "no such one"'))

    assert "writer.user is 'no such one', and there is no such user" in refused(split, capsys)


def test_it_needs_a_place_for_its_socket(split, capsys):
    """The message names the field."""
    split.config.write_text(split.config.read_text().replace("slots.sock", "nowhere/slots.sock"))

    assert f"writer.socket {split.folder}/nowhere/slots.sock cannot be made" in refused(split, capsys)


def test_it_needs_a_folder_of_its_own(split, capsys):
    """What it believes must not be anybody else's to write."""
    (split.folder / "writer").mkdir()
    (split.folder / "writer").chmod(0o777)

    assert "can be written by others: give it to the writer alone" in refused(split, capsys)


def test_it_is_the_only_one(split, capsys):
    """Two would not know what the other has verified."""
    with split.writer():
        assert f"another slot writer works with {split.folder}/writer: stop it first" in refused(split, capsys)
        assert Hands(split.path).boots.booted() is Slot.A


def test_who_may_reach_it(split):
    """Its socket is the agent's user's alone, its folder its own; another start takes the socket over."""
    with split.writer():
        found = split.path.stat()
        assert stat.S_IMODE(found.st_mode) == 0o600
        assert found.st_uid == pwd.getpwnam(AGENT).pw_uid
        assert (split.folder / "writer").stat().st_uid == os.geteuid()
    with split.writer():
        assert Hands(split.path).boots.booted() is Slot.A


def test_a_writer_that_hangs(split, monkeypatch):
    """Is not waited for without end; the message says where to look."""
    monkeypatch.setattr("agent.writer.client.ANSWER_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(split.path))
        listener.listen()
        with pytest.raises(BootEnvironmentError, match=r"has said nothing for 0\.2 s: is its medium failing"):
            Hands(split.path).boots.booted()


@pytest.mark.parametrize(
    ("answer", "times", "words"),
    [
        (b"\x02{}", 1, "the slot writer speaks otherwise than this agent: protocol version 02"),
        (b'\x01{"is":"done"}', 1, "the slot writer named no slot"),
        (b"", 8, "it died while it was asked to booted"),
    ],
)
def test_a_writer_of_another_kind(split, answer, times, words):
    """Is told from a refusal; one that dies of a request is not asked for ever."""
    with impostor(split.path, answer) as asked, pytest.raises(BootEnvironmentError, match=words):
        Hands(split.path).boots.booted()

    assert len(asked) == times
