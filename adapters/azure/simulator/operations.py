"""Long-running operations: imports and deletions of updates, and what clients poll of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from adapters.azure.simulator.manifest import ManifestRefused, UpdateId
from adapters.azure.simulator.moments import moment
from adapters.azure.simulator.refusals import not_found, throttled

_KEPT_SECONDS = 7 * 24 * 3600
_MOST_AT_ONCE = 10
_RETRY_SECONDS = 10


class Status(StrEnum):
    """Where an operation is."""

    NOT_STARTED = "NotStarted"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass
class Operation:
    """One operation. `effect` is what remains to be done at `due`, once the preparation has ended."""

    operation_id: str
    created: float
    acted: float
    due: float
    status: Status = Status.NOT_STARTED
    update_id: UpdateId | None = None
    makes_update: bool = False
    content: str = ""
    error: ManifestRefused | None = None
    effect: Callable[[float], None] | None = None

    def finish(self, now: float) -> None:
        """Do what was prepared; what is refused now makes it fail."""
        effect, self.effect, self.acted = self.effect, None, now
        try:
            if effect is not None:
                effect(now)
            self.status = Status.SUCCEEDED
        except ManifestRefused as error:
            self.fail(error, now)

    def fail(self, error: ManifestRefused, now: float) -> None:
        """End it with what the service says of it."""
        self.status, self.error, self.acted = Status.FAILED, error, now

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return self.status in (Status.SUCCEEDED, Status.FAILED)


class Operations:
    """All operations of an instance, for seven days each. Its owner locks."""

    def __init__(self) -> None:
        self._operations: dict[str, Operation] = {}

    def __iter__(self) -> Iterator[Operation]:
        return iter(tuple(self._operations.values()))

    def begin(self, now: float, seconds: float) -> Operation:
        """A new operation that takes at least `seconds`. Raises: Refused 429, ten are going on."""
        self._forget(now)
        if sum(not each.ended for each in self) >= _MOST_AT_ONCE:
            raise throttled(f"{_MOST_AT_ONCE} operations are going on", _RETRY_SECONDS)
        operation = Operation(str(uuid.uuid4()), now, now, now + seconds)
        self._operations[operation.operation_id] = operation
        return operation

    def get(self, operation_id: str) -> Operation:
        """The operation. Raises: Refused 404."""
        found = self._operations.get(operation_id)
        if found is None:
            raise not_found("Operation", operation_id)
        return found

    def twin_of(self, operation: Operation) -> Operation | None:
        """Another one that is importing the same content, if there is one."""
        others = (each for each in self if each is not operation and not each.ended)
        return next((each for each in others if each.content and each.content == operation.content), None)

    def finish_due(self, now: float) -> None:
        """End those that are prepared and have taken their time."""
        for operation in self:
            if operation.effect is not None and operation.due <= now:
                operation.finish(now)

    def _forget(self, now: float) -> None:
        for operation in self:
            if operation.ended and operation.acted < now - _KEPT_SECONDS:
                del self._operations[operation.operation_id]


def shape(operation: Operation, location: Callable[[UpdateId], str]) -> dict[str, object]:
    """The operation as REST shows it; `location` gives the path of an update."""
    shown: dict[str, object] = {
        "operationId": operation.operation_id,
        "status": str(operation.status),
        "createdDateTime": moment(operation.created),
        "lastActionDateTime": moment(operation.acted),
        "etag": f'"{operation.operation_id}-{operation.status}"',
    }
    if operation.update_id is not None:
        shown["update"] = {"updateId": operation.update_id.members()}
        if operation.makes_update and operation.status is Status.SUCCEEDED:
            shown["resourceLocation"] = location(operation.update_id)
    if operation.error is not None:
        when = moment(operation.acted)
        error = {"code": operation.error.code, "message": operation.error.message, "occurredDateTime": when}
        shown["error"] = error
    return shown
