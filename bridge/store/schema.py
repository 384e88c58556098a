"""The schema of a store: which one it has, and the way to the newest, by Alembic.

A store that has the newest is only read, so that a copy that may not be written can be looked at. One that is newer
than this otabridge is refused as it is.
"""

from __future__ import annotations

import threading
from functools import partial

import sqlalchemy as sa

from bridge.errors import StoreError
from bridge.store.dialect import Dialect
from bridge.store.tables import VERSION
from bridge.store.transactions import Deed, Transactions

SCHEMAS = ("0001", "0002")
"""Every schema there was, oldest first: the names of the migrations that lead to them."""
ALEMBIC = sa.table("alembic_version", sa.column("version_num", sa.String))

_TURN = threading.Lock()
"""Alembic keeps the migration under way in global variables."""


def prepare(transactions: Transactions) -> None:
    """Create or upgrade the schema. Raises: StoreError, it is newer or cannot be read; nothing was written."""
    found = transactions.read(partial(_found, label=transactions.dialect.label))
    if found != SCHEMAS[-1]:
        with _TURN:
            transactions.write(partial(_upgrade, dialect=transactions.dialect))


def _found(connection: sa.Connection, label: str) -> str | None:
    """The schema of the store, None for an empty one. Raises: StoreError when it is newer."""
    found = _named(connection)
    if found is not None and found not in SCHEMAS:
        raise StoreError(
            f"{label} was written by a newer otabridge (schema {found}, this one reads {SCHEMAS[-1]}): "
            "update otabridge, the store was not touched"
        )
    return found


def _named(connection: sa.Connection) -> str | None:
    inspector = sa.inspect(connection)
    if inspector.has_table(ALEMBIC.name):
        return str(connection.execute(sa.select(ALEMBIC.c.version_num)).scalar_one())
    if inspector.has_table(VERSION.name):
        return f"{connection.execute(sa.select(VERSION.c.version)).scalar_one():04}"
    return None


def _upgrade(connection: sa.Connection, dialect: Dialect) -> Deed[None]:
    """Alembic is loaded by the one process that needs it."""
    from bridge.store.upgrade import upgrade

    dialect.lock_schema(connection)
    upgrade(connection, _found(connection, dialect.label), SCHEMAS[-1])
    return Deed(None, lambda other: _named(other) == SCHEMAS[-1])
