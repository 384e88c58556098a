"""How often an operation may be called: so many times in any minute of the clock. Its owner locks."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from adapters.azure.simulator.refusals import throttled

_MINUTE = 60.0
PER_MINUTE: Mapping[str, int] = {
    "deployment_put": 7,
    "deployment_delete": 7,
    "deployment_process": 7,
}
"""Device Update limits: CreateOrUpdateDeployment, DeleteDeployment, ProcessSubgroupDeployment."""


class Throttle:
    """Counts calls by operation; `per_minute` names those that have a limit."""

    def __init__(self, per_minute: Mapping[str, int] = PER_MINUTE) -> None:
        self.per_minute = dict(per_minute)
        self._calls: dict[str, deque[float]] = {}

    def count(self, operation: str, now: float) -> None:
        """One call more. Raises: Refused 429 with the seconds until the next may come."""
        limit = self.per_minute.get(operation)
        if limit is None:
            return
        calls = self._calls.setdefault(operation, deque())
        while calls and calls[0] <= now - _MINUTE:
            calls.popleft()
        if len(calls) >= limit:
            raise throttled(f"more than {limit} calls of {operation} in a minute", calls[0] + _MINUTE - now)
        calls.append(now)
