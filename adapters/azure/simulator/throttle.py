"""How often an operation may be called: so many times in any minute of the clock."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping

_MINUTE = 60.0
PER_MINUTE: Mapping[str, int] = {
    "deployment_put": 7,
    "deployment_delete": 7,
    "deployment_process": 7,
}
"""Device Update limits: CreateOrUpdateDeployment, DeleteDeployment, ProcessSubgroupDeployment."""
QUOTAS: Mapping[str, int] = {**PER_MINUTE, "groups": 30, "operations": 50, "updates": 510, "query": 20}
"""Those and more of a Standard instance, and the twin queries of an S1 hub of one unit; for whoever sets them."""


class Throttle:
    """Counts calls by operation; `per_minute` names those that have a limit. Safe to use from any thread."""

    def __init__(self, now: Callable[[], float], per_minute: Mapping[str, int] = PER_MINUTE) -> None:
        self._now = now
        self.per_minute = dict(per_minute)
        self.refused = 0
        """Calls that came too early, so far."""
        self._calls: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def delay(self, operation: str) -> float | None:
        """Count one call more and return None; or do not, and return the seconds until it may come."""
        limit = self.per_minute.get(operation)
        if limit is None:
            return None
        with self._lock:
            now, calls = self._now(), self._calls.setdefault(operation, deque())
            while calls and calls[0] <= now - _MINUTE:
                calls.popleft()
            if len(calls) < limit:
                calls.append(now)
                return None
            self.refused += 1
            return calls[0] + _MINUTE - now
