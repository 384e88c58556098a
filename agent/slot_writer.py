"""Puts the slot writer together and runs it: `otabridge-agent slot-writer`. Only here are its powers given to it."""

from __future__ import annotations

import fcntl
import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from agent.access import Access, identity_of, own_access
from agent.config import AgentConfig, ConfigError
from agent.disk import SystemDisk
from agent.kernel import Linux
from agent.notify import Notifier
from agent.pace import Timing
from agent.update.journal import Journal
from agent.writer.allowance import Allowance
from agent.writer.duties import Duties, Powers
from agent.writer.memory import Memory
from agent.writer.server import Server
from agent.writer.settings import WriterSettings

JOURNAL = "journal"
PASSED = 3
"""The number of the socket that systemd passes; sd_listen_fds(3)."""
WAITING = 16
OTHERS_WRITE = 0o022


def serve(config: AgentConfig) -> None:
    """Answer the agent: until nobody asks for a while where systemd listens as well, else for ever.

    Raises: ConfigError; JournalError; SlotError: the boot loader cannot tell which slot runs.
    """
    settings = config.writer
    if settings is None:
        raise ConfigError("there is no slot writer to run: the configuration has no table [writer]")
    timing = Timing()
    user, own, allowance = _user(settings), own_access(config, timing), Allowance(timing.clock)
    allowed = frozenset({0, os.geteuid(), user})
    with _sole(settings.directory), _listener(settings.socket, user) as (listener, passed):
        duties = Duties(_powers(own), _memory(config, settings.directory, own, allowance), allowance)
        with closing(Server(listener, duties, allowed)) as server:
            Notifier().ready()
            server.serve(for_ever=not passed)


def _powers(own: Access) -> Powers:
    return Powers(
        boots=own.boots,
        board=own.board,
        crashes=own.crashes,
        disk=SystemDisk(),
        kernel=Linux(),
        require_fit=own.require_fit,
    )


@contextmanager
def _sole(folder: Path) -> Iterator[None]:
    """One writer at a time, in a folder of its own."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(f"writer.directory {folder} cannot be used: {error.strerror}") from error
    try:
        _take(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, folder: Path) -> None:
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid() or found.st_mode & OTHERS_WRITE:
        raise ConfigError(f"writer.directory {folder} can be written by others: give it to the writer alone, mode 0700")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigError(f"another slot writer works with {folder}: stop it first") from error


def _memory(config: AgentConfig, folder: Path, own: Access, allowance: Allowance) -> Memory:
    journal = Journal(SystemDisk(), folder / JOURNAL)
    memory = Memory(identity_of(config), journal, lambda: datetime.now(UTC), allowance.spend)
    memory.load(own.boots.booted())
    return memory


def _user(settings: WriterSettings) -> int:
    """The number of the agent's user."""
    try:
        return pwd.getpwnam(settings.user).pw_uid
    except KeyError as error:
        raise ConfigError(
            f"writer.user is {settings.user!r}, and there is no such user; make it (systemd-sysusers), or name another"
        ) from error


@contextmanager
def _listener(path: Path, user: int) -> Iterator[tuple[socket.socket, bool]]:
    """The socket, and whether systemd listens on it, too."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        with socket.socket(fileno=PASSED) as listener:
            yield listener, True
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        _bind(listener, path, user)
        listener.listen(WAITING)
        yield listener, False


def _bind(listener: socket.socket, path: Path, user: int) -> None:
    """Nobody can use the socket before it belongs to whom it should."""
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        if os.geteuid() == 0:
            os.chown(path, user, -1)
    except OSError as error:
        raise ConfigError(f"writer.socket {path} cannot be made: {error.strerror or error}") from error
    finally:
        os.umask(before)
