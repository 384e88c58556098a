"""The store: rollouts, approvals, the ledger. What a pass decided and the entry that explains it are one transaction.

Every write names the revision that it was computed from, so that a decision made on old facts is refused (`Outdated`).
Acting on a rollout is a longer affair, with calls to clouds in it: `hold` lets one process at a time do that, without
keeping others from the store.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from bridge.engine.progress import State
from bridge.engine.record import Record, Summary
from bridge.engine.storage import Hold, Outdated
from bridge.errors import UsageError
from bridge.ledger import Entry, Link
from bridge.rollout.model import Name
from bridge.store import chain
from bridge.store.approvals import add_approval, documents
from bridge.store.dialect import BUSY_SECONDS, Dialect
from bridge.store.errors import LostHold, mapped
from bridge.store.plans import Plans
from bridge.store.postgres import Postgres
from bridge.store.rows import IN_SUMMARY, fixed, link_of, moving, record_of, summary_of
from bridge.store.schema import prepare
from bridge.store.sqlite import Sqlite
from bridge.store.tables import PLANS, ROLLOUTS
from bridge.store.transactions import Deed, Transactions

__all__ = ["Hold", "LostHold", "Outdated", "Store"]

T = TypeVar("T")


class Store:
    """The store at `where`, made or upgraded when needed. All methods raise StoreError; for all threads.

    `where` is the path of a SQLite file, or the URL of a PostgreSQL database, `postgresql+psycopg://USER@HOST/NAME`.
    """

    def __init__(self, where: Path | str) -> None:
        dialect = _dialect(where)
        weakref.finalize(self, dialect.engine.dispose)
        self._dialect = dialect
        self._transactions = Transactions(dialect)
        self._plans = Plans()
        prepare(self._transactions)

    def close(self) -> None:
        """Give back connections that are kept for later; happens by itself at the end. A call after it opens anew."""
        self._dialect.engine.dispose()

    def now(self) -> datetime:
        """The time, in UTC, on a clock that all controllers of this store share."""
        return self._read(self._dialect.now)

    def create(self, record: Record, entry: Entry) -> Record:
        """Record a new rollout. Raises: Outdated when its name is taken."""
        self._transactions.write(partial(_create, record=record, entry=entry))
        self._plans.keep(record.plan)
        return record

    def save(self, record: Record, entries: Sequence[Entry] = ()) -> Record:
        """Write what changed, with the entries that explain it. The plan is not written again.

        Of a rollout that has ended, only what becomes of its orders can be saved.

        Raises:
            Outdated: the stored rollout is not the one that `record` was made from, or has ended in another state.
        """
        return self._transactions.write(partial(_save, record=record, entries=entries))

    def load(self, name: str) -> Record:
        """The rollout `name`. Raises: UsageError when there is none."""
        record = self.find(name)
        if record is None:
            raise _missing(name)
        return record

    def find(self, name: str) -> Record | None:
        """The rollout `name`, or None."""
        return self._read(partial(self._record, name=name))

    def state(self, name: str) -> State:
        """Where the rollout `name` stands now; cheap. Raises: UsageError when there is none."""
        with mapped(self._dialect.label):
            return msgspec.convert(self._cell(name, ROLLOUTS.c.state), State)

    def revision(self, name: str) -> int:
        """How often the rollout `name` was saved; cheap. Raises: UsageError when there is none."""
        with mapped(self._dialect.label):
            return msgspec.convert(self._cell(name, ROLLOUTS.c.revision), int)

    def summaries(self) -> tuple[Summary, ...]:
        """All rollouts, the newest change first."""
        query = sa.select(*IN_SUMMARY).order_by(ROLLOUTS.c.updated.desc(), ROLLOUTS.c.name)
        return self._read(lambda connection: tuple(map(summary_of, connection.execute(query).mappings())))

    def unfinished(self) -> tuple[str, ...]:
        """Rollouts that have not ended, or of whose end a fleet was not told; the longest untouched first."""
        query = sa.select(ROLLOUTS.c.name).where(ROLLOUTS.c.open).order_by(ROLLOUTS.c.updated, ROLLOUTS.c.name)
        return self._read(lambda connection: tuple(connection.execute(query).scalars()))

    def approve(self, name: str, keyid: str, signed: datetime, document: bytes, entry: Entry) -> bool:
        """Keep an approval of the rollout `name`; False when the same document was kept before.

        `document` is what the key `keyid` signed at `signed`, by its own words; nothing is verified here.

        Raises:
            UsageError: there is no such rollout.
            StoreError: the document, or the number of documents, is beyond all reason.
        """
        work = partial(add_approval, name=name, keyid=keyid, signed=signed, document=document, entry=entry)
        return self._transactions.write(work)

    def approvals(self, name: str) -> tuple[bytes, ...]:
        """The documents that were given for the rollout `name`, in the order in which they came."""
        return self._read(partial(documents, name=name))

    def append(self, entry: Entry) -> None:
        """Write into the ledger what changes no rollout."""
        self._transactions.write(partial(_append, entry=entry))

    def ledger(self) -> tuple[Link, ...]:
        """The whole ledger in order, unverified. Raises: BrokenLedger when an entry cannot even be read."""
        return tuple(self.links())

    def links(self, after: int | None = None) -> Iterator[Link]:
        """As `ledger`, a page at a time, from behind the number `after`; what is appended meanwhile is at the end."""
        while rows := self._read(partial(chain.page, after=after)):
            for row in rows:
                with mapped(self._dialect.label):
                    link = link_of(row)
                yield link
            after = rows[-1]["number"]

    def ledger_head(self) -> tuple[int, str]:
        """How many entries were ever appended, and the digest of the last; 0 and GENESIS for none.

        Ask before `links`, which may be longer by then and must hold this entry.
        """
        return self._read(chain.head)

    def hold(self, name: str, wait: float = BUSY_SECONDS) -> AbstractContextManager[Hold]:
        """Be the only process that acts on the rollout `name`; wait at most `wait` seconds for another to finish.

        Ends with the process, or with its connection to the database: `Hold.require` tells.
        Raises: UsageError for what is no name, RolloutBusy.
        """
        try:
            msgspec.convert(name, Name)
        except msgspec.ValidationError:
            raise _missing(name) from None
        return self._dialect.hold(name, wait)

    def _record(self, connection: sa.Connection, name: str) -> Record | None:
        row = connection.execute(sa.select(ROLLOUTS).where(ROLLOUTS.c.name == name)).mappings().first()
        return None if row is None else record_of(row, self._plans.read(connection, name, row["digest"]))

    def _cell(self, name: str, column: sa.Column[object]) -> object:
        query = sa.select(column).where(ROLLOUTS.c.name == name)
        cells = self._read(lambda connection: connection.execute(query).scalars().all())
        if not cells:
            raise _missing(name)
        return cells[0]

    def _read(self, work: Callable[[sa.Connection], T]) -> T:
        return self._transactions.read(work)


def _dialect(where: Path | str) -> Dialect:
    if isinstance(where, str) and "://" in where:
        return Postgres(where)
    return Sqlite(Path(where))


def _missing(name: str) -> UsageError:
    return UsageError(f"no rollout is named {name}; `otabridge rollout list` shows those there are")


def _create(connection: sa.Connection, record: Record, entry: Entry) -> Deed[None]:
    if connection.execute(sa.select(ROLLOUTS.c.name).where(ROLLOUTS.c.name == record.name)).first():
        raise _taken(record)
    try:
        connection.execute(ROLLOUTS.insert().values(fixed(record) | moving(record)))
    except sa.exc.IntegrityError as error:
        raise _taken(record) from error
    connection.execute(PLANS.insert().values(rollout=record.name, plan=msgspec.json.encode(record.plan)))
    return _append(connection, entry)


def _taken(record: Record) -> Outdated:
    return Outdated(f"rollout {record.name} was recorded by another otabridge just now; run the command again")


def _save(connection: sa.Connection, record: Record, entries: Sequence[Entry]) -> Deed[Record]:
    saved = replace(record, revision=record.revision + 1)
    same = (ROLLOUTS.c.name == record.name) & (ROLLOUTS.c.revision == record.revision)
    final = [state.value for state in State if state.is_final]
    stays = ROLLOUTS.c.state.not_in(final) | (ROLLOUTS.c.state == record.state.value)
    if connection.execute(ROLLOUTS.update().where(same & stays).values(moving(saved))).rowcount != 1:
        raise Outdated(f"rollout {record.name} changed while it was decided about")
    link = chain.append_all(connection, entries)
    return Deed(saved, partial(_is_saved, record=saved) if link is None else partial(chain.contains, link=link))


def _append(connection: sa.Connection, entry: Entry) -> Deed[None]:
    link = chain.append(connection, entry)
    return Deed(None, partial(chain.contains, link=link))


def _is_saved(connection: sa.Connection, record: Record) -> bool:
    """Whether the row is what was written. Raises: Outdated when another took this revision, or a later one."""
    wanted = moving(record)
    columns = [ROLLOUTS.c[name] for name in wanted]
    query = sa.select(*columns).where(ROLLOUTS.c.name == record.name).with_for_update()
    row = connection.execute(query).mappings().one()
    if row["revision"] < record.revision:
        return False
    if dict(row) != wanted:
        raise Outdated(f"rollout {record.name} changed while it was decided about")
    return True
