"""Transactions: reads that survive one lost connection, and writes whose outcome is always known.

When the connection breaks while COMMIT is under way, nobody but the database knows whether it was heard. The deed's
own proof is then asked for over a new connection, until it is there or patience ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import sqlalchemy as sa

from bridge.errors import StoreError
from bridge.store.dialect import BUSY_SECONDS, WRITES, Dialect
from bridge.store.errors import mapped, told

T = TypeVar("T")
PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Deed(Generic[T]):
    """What a transaction wrote: its result, and the proof that it was committed.

    `landed` asks another connection; it waits for whoever may still be committing it.
    """

    result: T
    landed: Callable[[sa.Connection], bool]


class Transactions:
    """Reads and writes of one database. `patience` bounds the search for an unknown outcome, in seconds."""

    def __init__(self, dialect: Dialect, patience: float = BUSY_SECONDS) -> None:
        self.dialect = dialect
        self._patience = patience
        self._writer = dialect.engine.execution_options(**{WRITES: True})

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` finds; once more where the connection broke. Raises: StoreError."""
        with mapped(self.dialect.label):
            try:
                return self._look(work)
            except sa.exc.DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                return self._look(work)

    def write(self, work: Callable[[sa.Connection], Deed[T]]) -> T:
        """What `work` did, in one transaction. Raises: StoreError, nothing was written unless it says otherwise."""
        with mapped(self.dialect.label):
            with self._writer.connect() as connection:
                deed = work(connection)
                lost = _committed(connection)
            if lost and not self._landed(deed, lost):
                raise lost
            return deed.result

    def _look(self, work: Callable[[sa.Connection], T]) -> T:
        with self.dialect.engine.connect() as connection:
            return work(connection)

    def _landed(self, deed: Deed[T], lost: sa.exc.DBAPIError) -> bool:
        end = time.monotonic() + self._patience
        while True:
            try:
                return self._look(deed.landed)
            except sa.exc.DBAPIError as error:
                if time.monotonic() >= end:
                    raise self._unknown(lost) from error
            time.sleep(PAUSE_SECONDS)

    def _unknown(self, lost: sa.exc.DBAPIError) -> StoreError:
        return StoreError(
            f"{self.dialect.label}: {told(lost)}, and cannot be asked since: whether the last change was written is "
            "not known; run the command again once the database answers"
        )


def _committed(connection: sa.Connection) -> sa.exc.DBAPIError | None:
    """None once it is certain; otherwise what came in the way."""
    try:
        connection.commit()
    except sa.exc.DBAPIError as error:
        return error
    return None
