"""A real PostgreSQL server from this machine's programs, for tests and for programs that look for trouble.

    with postgres() as url:          # the URL of an empty database
        Store(url)

A `Server` can also be killed and started again over the same data, and makes as many databases as one likes. It listens
on a Unix socket in a folder of its own, and belongs to an unprivileged user where root runs the tests, since PostgreSQL
refuses root. Nothing is synchronised with the disk: the server survives its own death, not the machine's.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

USER = "otabridge"
UNPRIVILEGED = "nobody"
INSTALLED = "/usr/lib/postgresql"
PATIENCE_SECONDS = 60
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "autovacuum": "off",
    "dynamic_shared_memory_type": "mmap",
    "log_min_messages": "fatal",
}


class NoPostgres(Exception):
    """This machine has no PostgreSQL server."""


def programs() -> Path:
    """The folder with `initdb` and `postgres`, the newest version first. Raises: NoPostgres."""
    installed = sorted(Path(INSTALLED).glob("*/bin/initdb"), key=lambda found: int(found.parts[-3]), reverse=True)
    on_path = shutil.which("initdb")
    for found in (*installed, *([Path(on_path)] if on_path else [])):
        if found.resolve().with_name("postgres").exists():
            return found.resolve().parent
    raise NoPostgres(f"no initdb and postgres in {INSTALLED}/*/bin or in PATH: install PostgreSQL")


class Server:
    """A server over the data in `folder`, which it makes; running after `start`."""

    def __init__(self, folder: Path) -> None:
        self._programs = programs()
        self._folder = folder
        self._numbers = itertools.count(1)
        self._running: subprocess.Popen[bytes] | None = None
        self._user = _own(folder)
        command = [self._programs / "initdb", "--pgdata", folder / "data", "--username", USER, "--no-sync"]
        self._run(*command, "--auth=trust", "--encoding=UTF8", "--locale=C")

    @property
    def socket(self) -> Path:
        """The Unix socket, for proxies."""
        return self._folder / ".s.PGSQL.5432"

    def url(self, database: str) -> str:
        """Where a store finds `database`."""
        return f"postgresql+psycopg://{USER}@/{database}?host={self._folder}"

    def start(self) -> None:
        """Start it, after a kill with recovery; returns once it answers."""
        settings = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]
        command: list[str | Path] = [
            self._programs / "postgres",
            "-D",
            self._folder / "data",
            "-k",
            self._folder,
            *settings,
        ]
        with (self._folder / "log").open("ab") as log:
            self._running = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, user=self._user)
        self._await_answer()

    def kill(self) -> None:
        """Kill every process of it, as a power cut does: nobody has time to say goodbye or to finish a COMMIT."""
        assert self._running
        self._running.send_signal(signal.SIGSTOP)  # it must not see its children die
        below = _children(self._running.pid)
        for pid in below:
            os.kill(pid, signal.SIGKILL)
        self._running.kill()
        self._running.wait()
        _await_end(below)
        self._running = None

    def stop(self) -> None:
        """End it, if it runs; nobody is waited for."""
        if self._running:
            self._running.send_signal(signal.SIGINT)
            self._running.wait(PATIENCE_SECONDS)
            self._running = None

    def database(self, like: str = "template0") -> str:
        """The URL of a new database, empty or a copy of the one at the URL `like`, to which nobody is connected."""
        name = f"d{next(self._numbers)}"
        model = like.partition("?")[0].rpartition("/")[2]
        self.execute("postgres", f"CREATE DATABASE {name} TEMPLATE {model}")
        return self.url(name)

    def execute(self, database: str, statement: str) -> None:
        """Run one statement behind the store's back."""
        with psycopg.connect(host=str(self._folder), user=USER, dbname=database, autocommit=True) as connection:
            connection.execute(statement)

    def _await_answer(self) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.execute("postgres", "SELECT 1")
            except psycopg.OperationalError:
                assert self._running
                if self._running.poll() is not None or time.monotonic() > end:
                    raise NoPostgres((self._folder / "log").read_text()) from None
                time.sleep(0.02)
            else:
                return

    def _run(self, *command: object) -> None:
        words = [str(word) for word in command]
        ended = subprocess.run(words, check=False, capture_output=True, text=True, cwd="/", user=self._user)
        if ended.returncode:
            raise NoPostgres(f"{words[0]}: {ended.stdout}{ended.stderr}")


def _own(folder: Path) -> int | None:
    """Who shall run the server, None for whoever runs this; `folder` is theirs."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam(UNPRIVILEGED).pw_uid
    os.chown(folder, user, -1)
    return user


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _await_end(pids: list[int]) -> None:
    """Whoever collects the dead may take its time; that they are dead is enough for the next server."""
    end = time.monotonic() + PATIENCE_SECONDS
    while any(map(_lives, pids)) and time.monotonic() < end:
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def server() -> Iterator[Server]:
    """A running server in a folder that vanishes with it. Raises: NoPostgres."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        started = Server(Path(folder))
        started.start()
        try:
            yield started
        finally:
            started.stop()


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database on a server of its own. Raises: NoPostgres."""
    with server() as started:
        yield started.database()
