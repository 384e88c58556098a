"""The socket of local programs: they hear everything, may answer, and cannot hold the agent up."""

from __future__ import annotations

import grp
import json
import os
import re
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agent.local.unix_socket import BURST, MAX_CLIENTS, MAX_LINE, MAX_UNSENT, LocalSocket, SocketSettings
from agent.local.wording import MOST_MINUTES, answer_line
from agent.permit.answers import Said, UnusableAnswer

DEADLINE = 30.0
GUIDE = Path(__file__).parents[3] / "docs/how-to/ask-before-installing.md"


class Program:
    """A local program, connected."""

    def __init__(self, path: Path) -> None:
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.line.settimeout(DEADLINE)
        self.line.connect(str(path))
        self._lines = self.line.makefile("rb")

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self.line.close()

    def send(self, data: bytes) -> None:
        """Say `data`."""
        self.line.sendall(data)

    def hear(self) -> dict[str, object] | None:
        """The next line; None when the agent has hung up."""
        try:
            line = self._lines.readline()
        except ConnectionError:
            return None
        return json.loads(line) if line else None

    def hear_all(self) -> list[dict[str, object]]:
        """All lines until the agent hangs up."""
        return list(iter(self.hear, None))


@pytest.fixture
def path() -> Iterator[Path]:
    """Where the socket is: a short path, as the kernel allows 107 bytes."""
    with TemporaryDirectory(prefix="otabridge-") as folder:
        yield Path(folder) / "run" / "agent.sock"


@pytest.fixture
def said() -> list[tuple[Said, int]]:
    """What local programs said."""
    return []


@pytest.fixture
def local(path: Path, said: list[tuple[Said, int]]) -> Iterator[LocalSocket]:
    """A socket that serves."""

    def say(answer: Said, minutes: int) -> str:
        said.append((answer, minutes))
        if answer is Said.NO:
            raise UnusableAnswer("no update is under way")
        return f"{answer} taken"

    local = LocalSocket(SocketSettings(path), partial(answer_line, say=say))
    with local.listening():
        local.greet(b'{"event":"status"}')
        yield local


@pytest.fixture
def connect(path: Path, local: LocalSocket) -> Iterator[partial[Program]]:  # noqa: ARG001 - it has to listen
    """Connects programs, and hangs up at the end."""
    with ExitStack() as programs:

        def connected() -> Program:
            return programs.enter_context(closing(Program(path)))

        yield partial(connected)


def test_every_program_hears_everything(local, connect):
    """The state first, for those that come late as well; then whatever happens."""
    programs = [connect() for _ in range(3)]
    assert [each.hear() for each in programs] == [{"event": "status"}] * 3

    local.publish(b'{"event":"progress","percent":40}')
    local.greet(b'{"event":"status","state":"proving"}')

    assert [each.hear()["percent"] for each in programs] == [40] * 3
    assert {each.hear()["state"] for each in programs} == {"proving"}
    assert connect().hear() == {"event": "status", "state": "proving"}


@pytest.mark.parametrize(
    ("command", "answer", "taken"),
    [
        (b'{"command": "status"}', {"event": "status"}, []),
        (b'{"command": "consent", "answer": "yes"}', {"answer": "yes taken"}, [(Said.YES, 60)]),
        (b'{"command": "consent", "answer": "no"}', {"error": "no update is under way"}, [(Said.NO, 60)]),
        (b'{"command": "not-now", "minutes": 5}', {"answer": "later taken"}, [(Said.LATER, 5)]),
        (b'{"command": "not-now"}', {"answer": "later taken"}, [(Said.LATER, 60)]),
    ],
)
def test_a_command_is_answered(connect, said, command, answer, taken):
    """In a line, to whoever gave it."""
    program = connect()
    program.hear()
    program.send(command + b"\n")

    assert program.hear() == answer
    assert said == taken


@pytest.mark.parametrize(
    "command",
    [
        b"reboot",
        b"\xff\xfe",
        b"[" * 500,
        b"5",
        b'{"command": "reboot"}',
        b'{"command": "consent"}',
        b'{"command": "consent", "answer": "maybe"}',
        b'{"command": "consent", "answer": "yes", "force": true}',
        b'{"command": "not-now", "minutes": 0}',
        b'{"command": "not-now", "minutes": %d}' % (MOST_MINUTES + 1),
        b'{"command": "not-now", "minutes": 1e400}',
        b'{"command": "status", "command": "consent"}',
    ],
)
def test_a_mistake_is_answered_and_changes_nothing(connect, said, command):
    """The program may go on; nothing was said."""
    program = connect()
    program.hear()
    program.send(command + b"\n")

    assert str(program.hear()["error"]).startswith("not a command: ")
    program.send(b'\n\n{"command": "status"}\n')
    assert program.hear() == {"event": "status"}
    assert said == []


def test_a_command_may_come_in_pieces(connect):
    """As streams have it."""
    program = connect()
    program.hear()
    for piece in (b'{"comm', b'and": "sta', b'tus"}', b"\n"):
        program.send(piece)

    assert program.hear() == {"event": "status"}


@pytest.mark.parametrize("flood", [b"x" * (MAX_LINE + 1), b"{}\n" * int(BURST + 5)])
def test_whoever_says_too_much_is_hung_up_on(connect, flood):
    """A line without end, or commands without end; the others stay."""
    hostile, other = connect(), connect()
    other.hear()
    hostile.send(flood)

    assert len(hostile.hear_all()) <= BURST + 1
    other.send(b'{"command": "status"}\n')
    assert other.hear() == {"event": "status"}


def test_ten_programs_that_never_read_hold_nobody_up(local, connect):
    """What they do not read is bounded; they are hung up on, and a program that reads misses nothing."""
    slow = [connect() for _ in range(10)]
    reader = connect()
    reader.hear()
    filler = "x" * 8000
    heard = []
    for number in range(200):
        local.publish(json.dumps({"event": "progress", "percent": number, "detail": filler}).encode())
        heard.append(reader.hear()["percent"])

    assert heard == list(range(200))
    for each in slow:
        lines = each.hear_all()
        assert 0 < len(lines) < 200


def test_the_last_words_are_heard(path):
    """What is published right before the agent ends, as it restarts the machine, still reaches everybody."""
    local = LocalSocket(SocketSettings(path), lambda _: None)
    with ExitStack() as programs:
        with local.listening():
            local.greet(b'{"event":"status"}')
            program = programs.enter_context(closing(Program(path)))
            assert program.hear() == {"event": "status"}
            local.publish(b'{"event":"ended"}')
        assert program.hear_all() == [{"event": "ended"}]


def test_a_program_that_dies_is_forgotten(local, connect):
    """Whether it hangs up, or just stops to read and goes."""
    for _ in range(3 * MAX_CLIENTS):
        dying = connect()
        dying.hear()
        dying.close()
    local.publish(b'{"event":"progress"}')
    survivor = connect()

    assert survivor.hear() is not None


def test_no_more_than_so_many_programs(connect):
    """One more is hung up on; when another leaves there is room again."""
    programs = [connect() for _ in range(MAX_CLIENTS)]
    for each in programs:
        each.hear()

    assert connect().hear() is None
    programs.pop().close()
    while connect().hear() is None:
        pass  # until the agent has noticed


def test_who_may_use_it(path, local):  # noqa: ARG001 - it has to listen
    """Its owner and one group; and never under its name with other rights, not even for a moment."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_group_may_be_named(path):
    """It owns the socket."""
    name = grp.getgrgid(os.getgid()).gr_name
    with LocalSocket(SocketSettings(path, name), lambda _: None).listening():
        assert path.stat().st_gid == os.getgid()


def test_the_socket_of_an_agent_that_died_is_replaced(path, said):  # noqa: ARG001 - fixtures in the order of use
    """Nobody has to remove it."""
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    local = LocalSocket(SocketSettings(path), lambda _: None)
    with local.listening():
        local.greet(b"{}")
        with closing(Program(path)) as program:
            assert program.hear() == {}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"group": "no-such-group"}, "there is no group 'no-such-group'; see socket.group"),
        ({"path": Path("/proc/none/agent.sock")}, "/proc/none"),
        ({"path": Path("/tmp") / ("x" * 200)}, "AF_UNIX path too long"),
    ],
)
def test_without_the_socket_the_agent_works_on(path, settings, words, caplog):
    """The log says why there is none; updates do not depend on it."""
    local = LocalSocket(SocketSettings(**{"path": path, **settings}), lambda _: None)
    with local.listening():
        local.publish(b"{}")

    assert "no local program can be told anything" in caplog.text
    assert words in caplog.text


def test_what_is_published_meanwhile_is_bounded(path):
    """Before anybody listens, and however much it is."""
    local = LocalSocket(SocketSettings(path), lambda _: None)
    for number in range(10_000):
        local.publish(b'{"event":"progress","number":%d}' % number)

    with local.listening(), closing(Program(path)) as program:
        local.greet(b'{"event":"status"}')
        heard = list(iter(program.hear, {"event": "status"}))
    assert len(heard) <= MAX_UNSENT


@pytest.mark.parametrize(("typed", "taken"), [("yes", [(Said.YES, 60)]), ("not today", [(Said.LATER, 60)])])
def test_the_program_in_the_guide_works(path, said, typed, taken):
    """It shows progress, asks, and says what it is told."""
    code = re.search(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)[1]
    shown, answered = [], threading.Event()

    def say(answer: Said, minutes: int) -> str:
        said.append((answer, minutes))
        answered.set()
        return "taken"

    local = LocalSocket(SocketSettings(path), partial(answer_line, say=say))
    place = {"input": lambda question: shown.append(question) or typed, "print": shown.append}
    guide = compile(code.replace(str(SocketSettings().path), str(path)), "guide", "exec")
    with local.listening():
        program = threading.Thread(target=exec, args=(guide, place))
        program.start()
        local.greet(b'{"event":"status","status":{"waiting":{"by":"consent","version":"2.0.0"}}}')
        local.publish(b'{"event":"progress","phase":"waiting","percent":0,"detail":"consent"}')
        assert answered.wait(DEADLINE)
    program.join(DEADLINE)

    assert said == taken
    assert shown[0] == "Install 2.0.0 now? "
