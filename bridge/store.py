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
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa

from bridge.errors import RolloutBusy, StoreError, UsageError
from bridge.ledger import Entry, Link, chain
from bridge.record import Material, Record, Summary
from bridge.rollout import Place, Plan, State
from bridge.tally import Tally

SCHEMA = 1
BUSY_SECONDS = 30
"""How long a write waits for another process; transactions here take milliseconds."""

_metadata = sa.MetaData()
_version = sa.Table("schema_version", _metadata, sa.Column("version", sa.Integer, nullable=False))
_rollouts = sa.Table(
    "rollouts",
    _metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("stage", sa.Integer, nullable=False),
    sa.Column("stages", sa.Integer, nullable=False),
    sa.Column("version", sa.String(128), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("holding", sa.String(16), nullable=False),
    sa.Column("unknown_passes", sa.Integer, nullable=False),
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("updated", sa.String(40), nullable=False),
    sa.Column("plan", sa.LargeBinary, nullable=False),
    sa.Column("release", sa.LargeBinary, nullable=False),
    sa.Column("roots", sa.LargeBinary, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
)
_tallies = sa.Table(
    "tallies",
    _metadata,
    sa.Column("rollout", sa.ForeignKey("rollouts.name"), primary_key=True),
    sa.Column("stage", sa.Integer, primary_key=True),
    sa.Column("fleet", sa.String(40), primary_key=True),
    sa.Column("tally", sa.LargeBinary, nullable=False),
)
_ledger = sa.Table(
    "ledger",
    _metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("rollout", sa.String(40), nullable=False, index=True),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("entry", sa.LargeBinary, nullable=False),
)


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
            taken = connection.execute(sa.select(_rollouts.c.name).where(_rollouts.c.name == record.name)).first()
            if taken:
                raise Outdated(
                    f"rollout {record.name} was recorded by another otabridge just now; run the command again"
                )
            connection.execute(_rollouts.insert().values(_fixed(record) | _moving(record)))
            _append(connection, entry)
        return record

    def save(self, record: Record, entries: Sequence[Entry] = ()) -> Record:
        """Write what changed, with the entries that explain it.

        Raises:
            Outdated: the stored rollout is not the one that `record` was made from, or has ended.
        """
        saved = replace(record, revision=record.revision + 1)
        same = (_rollouts.c.name == record.name) & (_rollouts.c.revision == record.revision)
        going = _rollouts.c.state.in_([state.value for state in State if not state.is_final])
        with self._writing() as connection:
            if connection.execute(_rollouts.update().where(same & going).values(_moving(saved))).rowcount != 1:
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
            row = connection.execute(sa.select(_rollouts).where(_rollouts.c.name == name)).mappings().first()
            tallies = connection.execute(sa.select(_tallies).where(_tallies.c.rollout == name)).mappings().all()
        return None if row is None else _record(row, tallies)

    def state(self, name: str) -> State:
        """Where the rollout `name` stands now; cheap."""
        with self._reading() as connection:
            value = connection.execute(sa.select(_rollouts.c.state).where(_rollouts.c.name == name)).scalar_one()
        return State(value)

    def summaries(self) -> tuple[Summary, ...]:
        """All rollouts, the newest change first."""
        columns = _rollouts.c
        wanted = (columns.name, columns.state, columns.version, columns.stage, columns.stages, columns.updated)
        query = sa.select(*wanted, columns.reason).order_by(columns.updated.desc(), columns.name)
        with self._reading() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(_summary(row) for row in rows)

    def ledger(self) -> tuple[Link, ...]:
        """The whole ledger in order, unverified."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(_ledger).order_by(_ledger.c.number)).mappings().all()
        return tuple(_link(row) for row in rows)

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
        with self._writing() as connection:
            _metadata.create_all(connection)
            found = connection.execute(sa.select(_version.c.version)).scalar()
            if found is None:
                connection.execute(_version.insert().values(version=SCHEMA))
            elif found > SCHEMA:
                raise StoreError(
                    f"{self._path} was written by a newer otabridge (schema {found}, this one reads {SCHEMA}): "
                    "update otabridge, the file was not touched"
                )

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
        except (OSError, msgspec.MsgspecError) as error:
            raise StoreError(f"{self._path}: {error}") from error


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
    newest = connection.execute(sa.select(_ledger).order_by(_ledger.c.number.desc()).limit(1)).mappings().first()
    link = chain(None if newest is None else _link(newest), entry)
    values = {"number": link.number, "rollout": entry.rollout, "previous": link.previous, "digest": link.digest}
    connection.execute(_ledger.insert().values(**values, entry=msgspec.json.encode(entry)))


def _put_tallies(connection: sa.Connection, record: Record) -> None:
    connection.execute(_tallies.delete().where(_tallies.c.rollout == record.name))
    rows = [
        {"rollout": record.name, "stage": place.stage, "fleet": place.fleet, "tally": msgspec.json.encode(tally)}
        for place, tally in record.tallies.items()
    ]
    if rows:
        connection.execute(_tallies.insert(), rows)


def _fixed(record: Record) -> dict[str, object]:
    return {
        "name": record.name,
        "stages": len(record.plan.stages),
        "version": record.plan.release_version,
        "created": _text(record.created),
        "plan": msgspec.json.encode(record.plan),
        "release": record.material.release,
        "roots": msgspec.json.encode(record.material.roots),
        "folder": str(record.material.folder),
    }


def _moving(record: Record) -> dict[str, object]:
    return {
        "revision": record.revision,
        "state": record.state.value,
        "stage": record.stage,
        "reason": record.reason,
        "holding": record.holding,
        "unknown_passes": record.unknown_passes,
        "updated": _text(record.updated),
    }


def _record(row: sa.RowMapping, tallies: Sequence[sa.RowMapping]) -> Record:
    roots = msgspec.json.decode(row["roots"], type=tuple[bytes, ...])
    return Record(
        plan=msgspec.json.decode(row["plan"], type=Plan),
        material=Material(row["release"], roots, Path(row["folder"])),
        created=datetime.fromisoformat(row["created"]),
        updated=datetime.fromisoformat(row["updated"]),
        state=State(row["state"]),
        stage=row["stage"],
        reason=row["reason"],
        holding=row["holding"],
        unknown_passes=row["unknown_passes"],
        tallies={Place(t["stage"], t["fleet"]): msgspec.json.decode(t["tally"], type=Tally) for t in tallies},
        revision=row["revision"],
    )


def _summary(row: sa.RowMapping) -> Summary:
    return Summary(
        name=row["name"],
        state=State(row["state"]),
        version=row["version"],
        stage=row["stage"] + 1,
        stages=row["stages"],
        updated=datetime.fromisoformat(row["updated"]),
        reason=row["reason"],
    )


def _link(row: sa.RowMapping) -> Link:
    return Link(row["number"], row["previous"], row["digest"], msgspec.json.decode(row["entry"], type=Entry))


def _text(moment: datetime) -> str:
    """UTC with microseconds always, so that texts sort as times do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
