"""Approvals as they were handed in: signed documents of people, each kept once for each rollout."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import partial

import msgspec
import sqlalchemy as sa

from bridge.errors import StoreError, UsageError
from bridge.ledger import Entry
from bridge.store import chain
from bridge.store.rows import text
from bridge.store.tables import APPROVALS, ROLLOUTS
from bridge.store.transactions import Deed

MAX_BYTES = 64 * 1024
MAX_APPROVALS = 1000
"""For one rollout; sixteen people who sign twenty stages twice come to 640."""


def add_approval(
    connection: sa.Connection, name: str, *, keyid: str, signed: datetime, document: bytes, entry: Entry
) -> Deed[bool]:
    """As `Store.approve`."""
    _lock(connection, name)
    digest = hashlib.sha256(document).hexdigest()
    there = set(connection.execute(sa.select(APPROVALS.c.digest).where(APPROVALS.c.rollout == name)).scalars())
    if digest in there:
        return Deed(False, lambda _: True)  # noqa: FBT003 - the result: nothing is new
    _require_bounded(name, document, len(there))
    values = {"rollout": name, "digest": digest, "keyid": keyid, "signed": text(signed), "document": document}
    connection.execute(APPROVALS.insert().values(values))
    link = chain.append(connection, entry)
    return Deed(True, partial(chain.contains, link=link))  # noqa: FBT003 - the result: it is new


def documents(connection: sa.Connection, name: str) -> tuple[bytes, ...]:
    """As `Store.approvals`."""
    query = sa.select(APPROVALS.c.document).where(APPROVALS.c.rollout == name).order_by(APPROVALS.c.number)
    found = tuple(connection.execute(query).scalars())
    return msgspec.convert(found, tuple[bytes, ...], builtin_types=[bytes])


def _lock(connection: sa.Connection, name: str) -> None:
    """Of two who hand in the same at once, the second must see the first."""
    query = sa.select(ROLLOUTS.c.name).where(ROLLOUTS.c.name == name).with_for_update()
    if connection.execute(query).first() is None:
        raise UsageError(f"no rollout is named {name}; `otabridge rollout list` shows those there are")


def _require_bounded(name: str, document: bytes, count: int) -> None:
    if len(document) > MAX_BYTES:
        raise StoreError(f"an approval of {len(document)} bytes is refused: {MAX_BYTES} bytes are allowed")
    if count >= MAX_APPROVALS:
        raise StoreError(f"rollout {name} has {count} approvals already: no more are taken")
