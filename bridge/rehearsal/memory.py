"""The controller's storage for one rehearsal: one rollout, in memory, on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from bridge.engine.progress import State
from bridge.engine.record import Record
from bridge.engine.storage import BUSY_SECONDS, Hold
from bridge.errors import UsageError
from bridge.ledger import Entry


class _Alone:
    """Nobody else is there."""

    def require(self) -> None:
        """Always."""


class Memory:
    """`bridge.engine.storage.Storage` for one rollout. `entries` is its ledger, unchained."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._record: Record | None = None
        self.entries: list[Entry] = []

    def now(self) -> datetime:
        """The virtual time."""
        return self._clock()

    def create(self, record: Record, entry: Entry) -> Record:
        """Keep the rollout."""
        self._record = record
        self.entries.append(entry)
        return record

    def save(self, record: Record, entries: Sequence[Entry] = ()) -> Record:
        """Keep what changed."""
        self._record = replace(record, revision=record.revision + 1)
        self.entries.extend(entries)
        return self._record

    def load(self, name: str) -> Record:
        """The rollout. Raises: UsageError when it is not this one."""
        if self._record is None or self._record.name != name:
            raise UsageError(f"no rollout is named {name} in this rehearsal")
        return self._record

    def find(self, name: str) -> Record | None:
        """The rollout, if it is this one."""
        return self._record if self._record is not None and self._record.name == name else None

    def state(self, name: str) -> State:
        """Where it stands."""
        return self.load(name).state

    def revision(self, name: str) -> int:
        """How often it was saved."""
        return self.load(name).revision

    def approvals(self, name: str) -> tuple[bytes, ...]:
        """None are asked for: a rehearsal takes approvals for given."""
        self.load(name)
        return ()

    @contextmanager
    def hold(self, name: str, wait: float = BUSY_SECONDS) -> Iterator[Hold]:  # noqa: ARG002 - nobody to wait for
        """Nobody else is there."""
        self.load(name)
        yield _Alone()
