"""The ledger in the database: appended to in one chain, whoever appends, and read in pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from bridge.ledger import GENESIS, Entry, Link, follow
from bridge.store.rows import row_of
from bridge.store.tables import HEAD, LEDGER

PAGE = 500
"""Entries that are read at once."""


def append(connection: sa.Connection, entry: Entry) -> Link:
    """Write `entry` at the end of the chain; the link that it became.

    No entry before it is decoded: a rollout can be aborted even where the ledger was damaged.
    """
    link = follow(*_end(connection), entry)
    connection.execute(LEDGER.insert().values(row_of(link)))
    _move_head(connection, link)
    return link


def append_all(connection: sa.Connection, entries: Iterable[Entry]) -> Link | None:
    """The same for each of `entries`; the last link, None for no entries."""
    link = None
    for entry in entries:
        link = append(connection, entry)
    return link


def head(connection: sa.Connection) -> tuple[int, str]:
    """How many entries were ever appended, and the digest of the last: 0 and GENESIS where nothing says so."""
    row = connection.execute(sa.select(HEAD.c.entries, HEAD.c.head)).first()
    return (0, GENESIS) if row is None else (row.entries, row.head)


def contains(connection: sa.Connection, link: Link) -> bool:
    """Whether `link` was written, once no other transaction may still be writing it."""
    _lock(connection)
    found = connection.execute(sa.select(LEDGER.c.digest).where(LEDGER.c.number == link.number)).scalar()
    return found == link.digest


def page(connection: sa.Connection, after: int | None) -> Sequence[sa.RowMapping]:
    """The next entries after the number `after`, in order; from the first for None."""
    query = sa.select(LEDGER).order_by(LEDGER.c.number).limit(PAGE)
    query = query if after is None else query.where(LEDGER.c.number > after)
    return connection.execute(query).mappings().all()


def _end(connection: sa.Connection) -> tuple[int, str]:
    """The later of what the head says and what there is: nothing is written over where somebody changed either."""
    _lock(connection)
    newest = sa.select(LEDGER.c.number, LEDGER.c.digest).order_by(LEDGER.c.number.desc()).limit(1)
    row = connection.execute(newest).first()
    there = (0, GENESIS) if row is None else (row.number, row.digest)
    return max(head(connection), there, key=lambda end: end[0])


def _lock(connection: sa.Connection) -> None:
    """Who appends waits for whoever else does; SQLite, which knows no locks of rows, has locked the whole file."""
    connection.execute(sa.select(HEAD.c.id).with_for_update()).all()


def _move_head(connection: sa.Connection, link: Link) -> None:
    values = {"entries": link.number, "head": link.digest}
    if connection.execute(HEAD.update().values(values)).rowcount == 0:
        connection.execute(HEAD.insert().values(id=1, **values))
