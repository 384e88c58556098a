"""PORT: what installs a step of a release that is not the agent's own image. One implementation a kind of handler.

A device dies at any line. So each verb is repeated after a restart until it has ended, and has to bear that: `install`
may find its own half-done work, `undo` may find that nothing was ever done, or all undone already. The engine journals
before it calls, and keeps the file and the folder of a step until the release has come to its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.slots import Slot
from bridge.release.errors import FailureCode, OtabridgeError
from bridge.release.step import Step


class StepError(OtabridgeError):
    """A step could not be installed or undone; the message names the step and says what its handler said."""

    code = FailureCode.STEP


@dataclass(frozen=True, slots=True)
class Work:
    """One step on this device.

    `file` is its artifact, before an install held against its signed length and sha256 just now; `folder` belongs to
    this step of this release alone, is durable, and is where its way back is kept. `target` is the slot that does not
    run, and `device` what holds it, where the step is of the slot; both None elsewhere. `version` and `sequence` are
    the release's.
    """

    step: Step
    file: Path
    folder: Path
    version: str
    sequence: int
    target: Slot | None = None
    device: Path | None = None


class Handler(Protocol):
    """How one kind of step is done. Every method raises StepError."""

    def require_ready(self, step: Step) -> None:
        """Whether this handler can do `step` here, and undo it: asked before anything is fetched. Changes nothing."""

    def install(self, work: Work) -> None:
        """Bring what is in the file into effect, or, where `restart` is set, into effect at the next boot. Durable."""

    def undo(self, work: Work) -> None:
        """Bring back what was there before `install`, which may not have been called, or not have ended. Durable."""

    def settle(self, work: Work) -> None:
        """The release is committed: the way back may be dropped."""
