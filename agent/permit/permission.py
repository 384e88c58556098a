"""PORT: whether the device may go on with an update now. Declared by the engine, which asks at three moments.

A power cut or a kill between question and answer costs nothing: the question is put again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bridge.release.errors import FailureCode, OtabridgeError

MAX_BY = 64
MAX_REASON = 300
"""Characters; what is longer is cut."""
LEAST_SECONDS = 1.0
MOST_SECONDS = 900.0
"""Within these a question is put again: a cloud that takes the offer back must be heard in between."""


class Moment(StrEnum):
    """When permission is asked."""

    DOWNLOAD = "download"
    """Before the first byte is fetched, and again when the agent goes on after an interruption."""
    INSTALL = "install"
    """The slot holds the release; before the boot loader is told of it and the machine restarts."""
    COMMIT = "commit"
    """The trial boot is healthy; before it is made the default. A refusal falls back."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is asked about. `digest` is the sha256 of release.json, `running` and `target` are slots, `image_bytes` the
    length of the image. `ordered`: a person at the device ordered it, by `otabridge-agent install`."""

    offer: str
    digest: str
    release: str
    version: str
    sequence: int
    running: str
    target: str
    image_bytes: int = 0
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Allowed:
    """Go on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """This release ends here, with a report. `by` names who refused, the same each time; `reason` is for people."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: ask again after `seconds`, which are held to LEAST_SECONDS..MOST_SECONDS."""

    by: str
    reason: str
    seconds: float = MOST_SECONDS


Answer = Allowed | Refused | Later
ALLOWED = Allowed()


class Permission(Protocol):
    """Who decides on this device."""

    def ask(self, moment: Moment, facts: Facts) -> Answer:
        """May the device go on? Asked any number of times about the same; takes bounded time."""


class AlwaysAllowed:
    """Nobody is in the way."""

    def ask(self, moment: Moment, facts: Facts) -> Answer:  # noqa: ARG002 - the port's face
        """See Permission."""
        return ALLOWED


ALWAYS_ALLOWED = AlwaysAllowed()


class Vetoed(OtabridgeError):
    """Somebody on the device refused the release."""

    code = FailureCode.VETOED

    def __init__(self, refusal: Refused) -> None:
        super().__init__(f"{refusal.by[:MAX_BY]}: {refusal.reason[:MAX_REASON]}")


class NotNow(OtabridgeError):
    """The update waits. It is no failure, and ends nothing."""

    def __init__(self, moment: Moment, later: Later) -> None:
        super().__init__(f"{later.by[:MAX_BY]}: {later.reason[:MAX_REASON]}")
        self.moment = moment
        self.seconds = max(LEAST_SECONDS, min(MOST_SECONDS, later.seconds))
