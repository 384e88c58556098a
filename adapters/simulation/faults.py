"""Faults that a test plans and a simulator commits: lost replies, throttling, cut downloads."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase


class Effect(StrEnum):
    """What goes wrong. A simulator ignores effects that its operation cannot have."""

    LOSE_REQUEST = "lose_request"  # nothing happens and nobody answers
    LOSE_REPLY = "lose_reply"  # it happens, but the answer never arrives
    THROTTLE = "throttle"  # refused: too many requests
    SERVER_ERROR = "server_error"  # refused: the cloud's own fault; `status` for HTTP
    DENY = "deny"  # refused: whoever asks may not
    DUPLICATE = "duplicate"  # delivered twice
    DISCONNECT = "disconnect"  # it happens, then the connection drops instead of an answer
    CUT_BODY = "cut_body"  # the download stops after `body_bytes`
    EXPIRED = "expired"  # the download URL is refused as expired
    CORRUPT_BODY = "corrupt_body"  # one bit of the download flips at offset `body_bytes`


@dataclass(frozen=True)
class Fault:
    """One planned fault.

    `operation` and `subject` are shell patterns (`*` matches all). The subject is the thing,
    device, job or object that the operation is about. `skip` matches pass unharmed, then
    `times` are hit.
    """

    operation: str
    effect: Effect
    subject: str = "*"
    skip: int = 0
    times: int = 1
    body_bytes: int = 0
    status: int = 500


@dataclass(frozen=True)
class Hit:
    """A fault that was committed."""

    operation: str
    subject: str
    effect: Effect


@dataclass
class _Armed:
    fault: Fault
    seen: int = 0

    def meets(self, operation: str, subject: str) -> bool:
        return fnmatchcase(operation, self.fault.operation) and fnmatchcase(subject, self.fault.subject)

    def strikes(self) -> bool:
        self.seen += 1
        return self.fault.skip < self.seen <= self.fault.skip + self.fault.times


@dataclass
class Faults:
    """The plan of faults of one simulator. Safe to use from any thread."""

    _armed: list[_Armed] = field(default_factory=list)
    _hits: list[Hit] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, fault: Fault) -> None:
        """Plan one more fault; the first planned that matches wins."""
        with self._changed:
            self._armed.append(_Armed(fault))

    def plan(
        self,
        operation: str,
        effect: Effect,
        subject: str = "*",
        *,
        skip: int = 0,
        times: int = 1,
        body_bytes: int = 0,
        status: int = 500,
    ) -> None:
        """Shorthand for `add(Fault(...))`."""
        self.add(Fault(operation, effect, subject, skip, times, body_bytes, status))

    def clear(self) -> None:
        """Forget every planned fault; the record of hits stays."""
        with self._changed:
            self._armed.clear()

    def take(self, operation: str, subject: str) -> Fault | None:
        """The fault that this one call suffers, if any. Simulators ask once for each call."""
        with self._changed:
            for armed in self._armed:
                if armed.meets(operation, subject) and armed.strikes():
                    self._record(Hit(operation, subject, armed.fault.effect))
                    return armed.fault
        return None

    def hits(self) -> tuple[Hit, ...]:
        """What has been committed so far, oldest first."""
        with self._changed:
            return tuple(self._hits)

    def wait_for_hits(self, count: int, timeout: float = 30.0) -> bool:
        """Wait until at least `count` faults were committed; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._hits) >= count, timeout)

    def _record(self, hit: Hit) -> None:
        self._hits.append(hit)
        self._changed.notify_all()
