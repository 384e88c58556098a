"""The store in a PostgreSQL database: for controllers on several machines.

A hold is the lock of a row, in a transaction that stays open on a connection of its own. It ends when that session
does; keepalives see to it that the session of a machine that vanished ends within half a minute on both sides.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine.interfaces import DBAPIConnection

from bridge.engine.storage import Hold
from bridge.errors import RolloutBusy, StoreError
from bridge.store.dialect import BUSY_SECONDS
from bridge.store.errors import LostHold, mapped
from bridge.store.tables import HOLDS

SCHEMES = ("postgresql", "postgresql+psycopg")
SCHEMA_LOCK = 0x07AB_21D6E
"""The advisory lock of whoever changes the schema; any number, so long as it stays."""
POLL_SECONDS = 0.1
IDLE_SECONDS = 60
"""A process that was stopped in the middle of a transaction may keep others from the ledger so long."""
KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
"""A silent peer is given up after 10 + 3 x 5 seconds."""
DRIVER = {
    **KEEPALIVE,
    "connect_timeout": 10,
    "tcp_user_timeout": 25_000,
    "prepare_threshold": None,  # poolers hand a transaction to any session, where nothing was prepared
    "application_name": "otabridge",
}


class Postgres:
    """The database that `url` names. Raises: StoreError, which never shows a password."""

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self.label = _label(parsed)
        with mapped(self.label):
            self.engine = _engine(parsed, sa.QueuePool)
            self._holding = _engine(parsed, sa.NullPool)

    def now(self, connection: sa.Connection) -> datetime:
        """The server's clock, so that controllers whose clocks differ agree."""
        moment: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return moment.astimezone(UTC)

    def lock_schema(self, connection: sa.Connection) -> None:
        """An advisory lock, since there may be no table yet."""
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(SCHEMA_LOCK)))

    @contextmanager
    def hold(self, name: str, wait: float) -> Iterator[Hold]:
        """As `Store.hold`."""
        with ExitStack() as stack:
            with mapped(self.label):
                connection = stack.enter_context(_session(self._holding))
                held = _lock(connection, name, wait)
            if not held:
                raise RolloutBusy(
                    f"another otabridge is acting on rollout {name}; wait until it is done, or stop that process"
                )
            yield RowHold(connection, name, self.label)


class RowHold:
    """The lock of a row, which lasts as long as the session that took it. For all threads."""

    def __init__(self, connection: sa.Connection, name: str, label: str) -> None:
        self._connection = connection
        self._name = name
        self._label = label
        self._turn = threading.Lock()

    def require(self) -> None:
        """As `Hold.require`: a session that answers has kept its locks."""
        try:
            with self._turn:
                self._connection.execute(sa.select(1))
        except sa.exc.SQLAlchemyError as error:
            raise LostHold(
                f"{self._label}: the connection that held rollout {self._name} is gone, so that another otabridge may "
                "act on it; run the command again"
            ) from error


def _parsed(url: str) -> sa.URL:
    """The reasons of SQLAlchemy are left out: they repeat parts of the URL, and so of the password."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in SCHEMES or "@" in (parsed.host or ""):
        raise StoreError(
            "the store's URL is none of PostgreSQL: it must be like postgresql+psycopg://USER@HOST/DATABASE, with "
            "@ : / ? in user and password written as %40 %3A %2F %3F; for a SQLite file give its path instead"
        ) from None
    return parsed.set(drivername="postgresql+psycopg")


def _label(url: sa.URL) -> str:
    host = url.host or url.normalized_query.get("host", ("the default host",))[0]
    port = f":{url.port}" if url.port else ""
    return f"PostgreSQL database {url.database or 'by default'} on {host}{port}"


def _engine(url: sa.URL, pool: type[sa.Pool]) -> sa.Engine:
    """A connection that broke while it was idle is replaced unnoticed."""
    arguments = {name: value for name, value in DRIVER.items() if name not in url.query}
    try:
        engine = sa.create_engine(
            url, connect_args=arguments, isolation_level="READ COMMITTED", poolclass=pool, pool_pre_ping=True
        )
    except ModuleNotFoundError as error:
        raise StoreError("a store in PostgreSQL needs the driver psycopg: pip install 'otabridge[postgres]'") from error
    sa.event.listen(engine, "connect", _set_up)
    return engine


def _set_up(connection: DBAPIConnection, _: object) -> None:
    """What the server shall do about us: give up a silent peer, and whoever waits or sleeps too long."""
    settings = {f"tcp_{name}": value for name, value in KEEPALIVE.items()} | {
        "lock_timeout": BUSY_SECONDS * 1000,
        "idle_in_transaction_session_timeout": IDLE_SECONDS * 1000,
    }
    cursor = connection.cursor()
    cursor.execute("; ".join(f"SET {name} = {value}" for name, value in settings.items()))
    cursor.close()
    connection.commit()


@contextmanager
def _session(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection whose locks are given back at the end, unless it broke before."""
    connection = engine.connect()
    try:
        yield connection
    finally:
        with suppress(sa.exc.DBAPIError):
            connection.rollback()
        connection.close()


def _lock(connection: sa.Connection, name: str, wait: float) -> bool:
    """Take the row of `name`, within `wait` seconds."""
    connection.execute(insert(HOLDS).values(rollout=name).on_conflict_do_nothing())
    connection.commit()
    row = sa.select(HOLDS.c.rollout).where(HOLDS.c.rollout == name).with_for_update(skip_locked=True)
    end = time.monotonic() + wait
    while connection.execute(row).first() is None:
        connection.rollback()
        left = end - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(POLL_SECONDS, left))
    connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))  # calls to clouds take their time
    return True
