"""The store in a SQLite file: for controllers on one machine.

Every write begins with BEGIN IMMEDIATE, so that two processes never interleave. A hold is SQLite's own lock on a file
beside the store, which ends with the process that took it, however that ends.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from bridge.engine.storage import Hold
from bridge.errors import RolloutBusy, StoreError
from bridge.store.dialect import BUSY_SECONDS, WRITES
from bridge.store.errors import LostHold, mapped


class Sqlite:
    """The SQLite file at `path`; its folder is made when absent. Raises: StoreError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.label = str(path)
        with mapped(self.label):
            path.parent.mkdir(parents=True, exist_ok=True)
        self.engine = self._engine()

    def now(self, _: sa.Connection) -> datetime:
        """This machine's clock: whoever opens the file is on it."""
        return datetime.now(UTC)

    def lock_schema(self, _: sa.Connection) -> None:
        """BEGIN IMMEDIATE has locked everything."""

    @contextmanager
    def hold(self, name: str, wait: float) -> Iterator[Hold]:
        """As `Store.hold`."""
        lock = self._path.with_name(f"{self._path.name}-{name}.lock")
        with ExitStack() as stack:
            try:
                connection = sqlite3.connect(lock, timeout=wait, isolation_level=None, check_same_thread=False)
                stack.enter_context(closing(connection)).execute("BEGIN EXCLUSIVE")
            except sqlite3.Error as error:
                raise _lock_error(error, lock, name) from error
            yield FileHold(lock, name)

    def _engine(self) -> sa.Engine:
        """Each use opens the file anew: nothing to close, nothing shared between threads."""
        engine = sa.create_engine("sqlite://", creator=self._connect, poolclass=sa.NullPool)
        sa.event.listen(engine, "begin", _begin)
        return engine

    def _connect(self) -> sqlite3.Connection:
        """The driver must not begin transactions by itself: `_begin` does."""
        if self._is_sealed():
            return sqlite3.connect(f"{self._path.absolute().as_uri()}?immutable=1", uri=True, isolation_level=None)
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _is_sealed(self) -> bool:
        """A file with nothing beside it, in a folder where this process may put nothing: SQLite could not make the
        index of the log that even a reader needs, unless it is told that nobody writes.
        """
        log = self._path.with_name(f"{self._path.name}-wal")
        return self._path.exists() and not log.exists() and not os.access(self._path.parent, os.W_OK)


class FileHold:
    """A lock on a file, which lasts as long as the file is there. Raises: LostHold when it is not."""

    def __init__(self, lock: Path, name: str) -> None:
        self._lock = lock
        self._name = name
        self._taken = self._identity()
        self.require()

    def require(self) -> None:
        """As `Hold.require`: whoever deletes the file lets a second process lock another of its name."""
        if self._taken is None or self._identity() != self._taken:
            raise LostHold(f"{self._lock} was deleted while rollout {self._name} was held; run the command again")

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._lock.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


def _lock_error(error: sqlite3.Error, lock: Path, name: str) -> StoreError | RolloutBusy:
    if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
        return RolloutBusy(
            f"another otabridge is acting on rollout {name}; wait until it is done, or stop that process"
        )
    return StoreError(f"{lock}: {error}; nothing was done")


def _begin(connection: sa.Connection) -> None:
    """IMMEDIATE takes the write lock at once: a transaction that reads first could not get it later without failing."""
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
