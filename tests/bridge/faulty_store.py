"""The real store, and the ways in which a process can break around it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from bridge.store.store import Store
from tests.bridge.fakes import Hook, nothing


class FaultyStore(Store):
    """The real store on a real file, with a clock that a test turns and a hook around each call of the controller."""

    def __init__(self, path: Path, clock: Callable[[], datetime], hook: Hook = nothing) -> None:
        self._hook = hook
        self._clock = clock
        super().__init__(path)

    def now(self):
        """By the test's clock."""
        return self._clock()

    def create(self, record, entry):
        """As `Store.create`."""
        return self._hooked("create", lambda: super(FaultyStore, self).create(record, entry))

    def save(self, record, entries=()):
        """As `Store.save`."""
        return self._hooked("save", lambda: super(FaultyStore, self).save(record, entries))

    def load(self, name):
        """As `Store.load`."""
        return self._hooked("load", lambda: super(FaultyStore, self).load(name))

    def revision(self, name):
        """As `Store.revision`."""
        return self._hooked("revision", lambda: super(FaultyStore, self).revision(name))

    def approvals(self, name):
        """As `Store.approvals`."""
        return self._hooked("approvals", lambda: super(FaultyStore, self).approvals(name))

    def _hooked(self, name, call):
        self._hook(f"{name} begins")
        result = call()
        self._hook(f"{name} ends")
        return result
