"""What the store needs of a database beside SQL that all of them speak."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from bridge.engine.storage import Hold

BUSY_SECONDS = 30
"""How long a transaction waits for another's lock; transactions here take milliseconds."""
WRITES = "otabridge_writes"
"""The execution option of connections that will write."""


class Dialect(Protocol):
    """One kind of database."""

    @property
    def label(self) -> str:
        """What people call the store; never with a password."""

    @property
    def engine(self) -> sa.Engine:
        """Its connections."""

    def now(self, connection: sa.Connection) -> datetime:
        """The time, in UTC, on the clock that all who use this store share."""

    def lock_schema(self, connection: sa.Connection) -> None:
        """Let nobody else change the schema until the transaction ends."""

    def hold(self, name: str, wait: float) -> AbstractContextManager[Hold]:
        """As `Store.hold`."""
