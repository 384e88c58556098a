"""What a device tells its cloud: where it is, and how it ended. The same words on every wire."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bridge.release.errors import FailureCode

MAX_DETAIL = 512
"""Characters of a report's detail; both clouds bound such strings (AWS: 1024 a value)."""


class Phase(StrEnum):
    """Where an installation stands, in order."""

    ACCEPTED = "accepted"
    DOWNLOADING = "downloading"
    CHECKING = "checking"
    SWITCHING = "switching"
    PROVING = "proving"
    WAITING = "waiting"
    """For permission to go on, given on the device: before the download, or before the switch."""


class Outcome(StrEnum):
    """How an installation ended."""

    INSTALLED = "installed"
    """Committed once it proved healthy, with every step; or found committed already, without a download."""
    REJECTED = "rejected"
    """The release is not for this device: nothing was written, no retry can help."""
    FAILED = "failed"
    """Something went wrong before the switch; the old slot never stopped running."""
    FELL_BACK = "fell-back"
    """The trial boot did not prove healthy; the old slot runs again."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A sparse sign of life: `percent` (0..100) of the phase; `detail` says what is waited for, else ""."""

    phase: Phase
    percent: int = 0
    detail: str = ""

    @property
    def words(self) -> str:
        """For people: the phase, and how much of it is done or what is waited for."""
        return f"{self.phase} ({self.detail or f'{self.percent} %'})"


@dataclass(frozen=True, slots=True)
class Report:
    """The end of one installation, and what the slots hold then.

    `slot` is the slot that runs, `version` the release version in it ("" when unknown); `code` is None exactly when
    the outcome is INSTALLED; `detail` is for people, at most `MAX_DETAIL` characters; `fallbacks` counts
    every fallback in this device's life. `artifact` is the name of the artifact taken for the slot, or of the first
    file where no step is of the slot ("" when none was), `saved` the bytes that did not have to be fetched: those of
    the release's full artifact beyond those of the one taken.
    """

    outcome: Outcome
    slot: str
    version: str
    code: FailureCode | None = None
    detail: str = ""
    fallbacks: int = 0
    artifact: str = ""
    saved: int = 0

    def __post_init__(self) -> None:
        if (self.code is None) != (self.outcome is Outcome.INSTALLED):
            raise ValueError(f"{self.outcome} with code {self.code}")
