"""Where rollouts live: a SQLite file. What a pass decided and the ledger entry that explains it are one transaction.

Every write begins with BEGIN IMMEDIATE, so that two processes never interleave, and names the revision that it was
computed from, so that a decision made on old facts is refused (`Outdated`). Acting on a rollout is a longer affair,
with calls to clouds in it: `hold` lets one process at a time do that, without keeping others from the store. Both rest
on SQLite's own locks, which end with the process that took them; they serve controllers on one machine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import sqlalchemy as sa

from bridge.errors import RolloutBusy, StoreError, UsageError
from bridge.ledger import GENESIS, Entry, Link, follow
from bridge.record import Record, Summary
from bridge.rollout import State
from bridge.rows import LEDGER, METADATA, ROLLOUTS, TALLIES, VERSION, fixed, link_of, moving, record_of, summary_of

SCHEMA = 1
BUSY_SECONDS = 30
"""How long a write waits for another process; transactions here take milliseconds."""


class Outdated(StoreError):
    """The rollout changed since it was read; read it again and decide anew."""


class Store:
    """The rollouts and the ledger in the SQLite file at `path`, made when absent. All methods raise StoreError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._mapped():
            path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = _open(path)
        self._prepare()

    def create(self, record: Record, entry: Entry) -> Record:
        """Record a new rollout. Raises: Outdated when its name is taken."""
        with self._writing() as connection:
            taken = connection.execute(sa.select(ROLLOUTS.c.name).where(ROLLOUTS.c.name == record.name)).first()
            if taken:
                raise Outdated(
                    f"rollout {record.name} was recorded by another otabridge just now; run the command again"
                )
            connection.execute(ROLLOUTS.insert().values(fixed(record) | moving(record)))
            _append(connection, entry)
        return record

    def save(self, record: Record, entries: Sequence[Entry] = ()) -> Record:
        """Write what changed, with the entries that explain it.

        Raises:
            Outdated: the stored rollout is not the one that `record` was made from, or has ended.
        """
        saved = replace(record, revision=record.revision + 1)
        same = (ROLLOUTS.c.name == record.name) & (ROLLOUTS.c.revision == record.revision)
        going = ROLLOUTS.c.state.in_([state.value for state in State if not state.is_final])
        with self._writing() as connection:
            if connection.execute(ROLLOUTS.update().where(same & going).values(moving(saved))).rowcount != 1:
                raise Outdated(f"rollout {record.name} changed while it was decided about")
            _put_tallies(connection, saved)
            for entry in entries:
                _append(connection, entry)
        return saved

    def load(self, name: str) -> Record:
        """The rollout `name`. Raises: UsageError when there is none."""
        record = self.find(name)
        if record is None:
            raise UsageError(f"no rollout is named {name}; `otabridge rollout list` shows those there are")
        return record

    def find(self, name: str) -> Record | None:
        """The rollout `name`, or None."""
        with self._reading() as connection:
            row = connection.execute(sa.select(ROLLOUTS).where(ROLLOUTS.c.name == name)).mappings().first()
            tallies = connection.execute(sa.select(TALLIES).where(TALLIES.c.rollout == name)).mappings().all()
            return None if row is None else record_of(row, tallies)

    def state(self, name: str) -> State:
        """Where the rollout `name` stands now; cheap."""
        with self._reading() as connection:
            return State(connection.execute(sa.select(ROLLOUTS.c.state).where(ROLLOUTS.c.name == name)).scalar_one())

    def summaries(self) -> tuple[Summary, ...]:
        """All rollouts, the newest change first."""
        columns = ROLLOUTS.c
        wanted = (columns.name, columns.state, columns.version, columns.stage, columns.stages, columns.updated)
        query = sa.select(*wanted, columns.reason).order_by(columns.updated.desc(), columns.name)
        with self._reading() as connection:
            return tuple(summary_of(row) for row in connection.execute(query).mappings())

    def ledger(self) -> tuple[Link, ...]:
        """The whole ledger in order, unverified. Raises: BrokenLedger when an entry cannot even be read."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(LEDGER).order_by(LEDGER.c.number)).mappings()
            return tuple(link_of(row) for row in rows)

    @contextmanager
    def hold(self, name: str, wait: float = BUSY_SECONDS) -> Iterator[None]:
        """Be the only process that acts on the rollout `name`; wait at most `wait` seconds for another to finish.

        The lock is SQLite's, on a file beside the store, and ends with the process however that ends.
        Raises: RolloutBusy.
        """
        lock = self._path.with_name(f"{self._path.name}-{name}.lock")
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(closing(sqlite3.connect(lock, timeout=wait, isolation_level=None)))
                connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                raise _lock_error(error, lock, name) from error
            yield

    def _prepare(self) -> None:
        """Write only where nothing is yet, so that a copy that may not be written can be read."""
        found = self._schema()
        if found is None:
            self._make()
        elif found > SCHEMA:
            raise StoreError(
                f"{self._path} was written by a newer otabridge (schema {found}, this one reads {SCHEMA}): "
                "update otabridge, the file was not touched"
            )

    def _schema(self) -> int | None:
        with self._reading() as connection:
            if not sa.inspect(connection).has_table(VERSION.name):
                return None
            return connection.execute(sa.select(VERSION.c.version)).scalar()

    def _make(self) -> None:
        with self._writing() as connection:
            METADATA.create_all(connection)
            if connection.execute(sa.select(VERSION.c.version)).scalar() is None:
                connection.execute(VERSION.insert().values(version=SCHEMA))

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        engine = self._engine.execution_options(otabridge_writes=True)
        with self._mapped(), engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._mapped(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise StoreError(f"{self._path}: {error.orig}; nothing was written") from error
        except OSError as error:
            raise StoreError(f"{self._path}: {error}") from error
        except (sa.exc.SQLAlchemyError, msgspec.MsgspecError, ValueError, TypeError) as error:
            raise StoreError(
                f"{self._path}: holds what otabridge did not write ({error}): restore a backup of it"
            ) from error


def _lock_error(error: sqlite3.OperationalError, lock: Path, name: str) -> StoreError | RolloutBusy:
    if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
        return RolloutBusy(
            f"another otabridge is acting on rollout {name}; wait until it is done, or stop that process"
        )
    return StoreError(f"{lock}: {error}; nothing was done")


def _open(path: Path) -> sa.Engine:
    """Each use opens the file anew: nothing to close, nothing shared between threads."""
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), poolclass=sa.NullPool)
    sa.event.listen(engine, "connect", _configure)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself: `_begin` does
    for pragma in (f"busy_timeout={BUSY_SECONDS * 1000}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    """IMMEDIATE takes the write lock at once: a transaction that reads first could not get it later without failing."""
    writes = connection.get_execution_options().get("otabridge_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _append(connection: sa.Connection, entry: Entry) -> None:
    """The entry before is not read: a rollout can be aborted even where the ledger was damaged."""
    newest = sa.select(LEDGER.c.number, LEDGER.c.digest).order_by(LEDGER.c.number.desc()).limit(1)
    number, digest = connection.execute(newest).first() or (0, GENESIS)
    link = follow(number, digest, entry)
    values = {"number": link.number, "rollout": entry.rollout, "previous": link.previous, "digest": link.digest}
    connection.execute(LEDGER.insert().values(**values, entry=msgspec.json.encode(entry)))


def _put_tallies(connection: sa.Connection, record: Record) -> None:
    connection.execute(TALLIES.delete().where(TALLIES.c.rollout == record.name))
    rows = [
        {"rollout": record.name, "stage": place.stage, "fleet": place.fleet, "tally": msgspec.json.encode(tally)}
        for place, tally in record.tallies.items()
    ]
    if rows:
        connection.execute(TALLIES.insert(), rows)
