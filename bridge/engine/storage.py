"""PORT: where the controller keeps rollouts. Declared by its consumer; `bridge.store` implements it, and a rehearsal's
memory does.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from bridge.engine.progress import State
from bridge.engine.record import Record
from bridge.errors import StoreError
from bridge.ledger import Entry

BUSY_SECONDS = 30
"""How long a pass waits for another process to finish its own; transactions take milliseconds."""


class Outdated(StoreError):
    """The rollout changed since it was read, or has ended; read it again and decide anew."""


class Hold(Protocol):
    """The right to act on one rollout, while the block runs."""

    def require(self) -> None:
        """Whether it is still this process that may act. Raises: StoreError when the lock is gone."""


class Storage(Protocol):
    """Rollouts, approvals, the ledger. All methods: StoreError."""

    def now(self) -> datetime:
        """The time, in UTC, on a clock that all controllers share."""

    def create(self, record: Record, entry: Entry) -> Record:
        """Record a new rollout. Raises: Outdated when its name is taken."""

    def save(self, record: Record, entries: Sequence[Entry] = ()) -> Record:
        """Write what changed, with the entries that explain it. Raises: Outdated."""

    def load(self, name: str) -> Record:
        """The rollout `name`. Raises: UsageError when there is none."""

    def find(self, name: str) -> Record | None:
        """The rollout `name`, or None."""

    def state(self, name: str) -> State:
        """Where the rollout `name` stands now; cheap."""

    def revision(self, name: str) -> int:
        """How often the rollout `name` was saved; cheap."""

    def approvals(self, name: str) -> tuple[bytes, ...]:
        """The signed documents that were given for the rollout, oldest first."""

    def hold(self, name: str, wait: float = BUSY_SECONDS) -> AbstractContextManager[Hold]:
        """Be the only process that acts on the rollout. Raises: RolloutBusy."""
