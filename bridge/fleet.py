"""PORT: one fleet, which is one cloud scope. Declared by its consumers, the controller and the publisher.

Every act is idempotent under the names it is given: doing it twice, also after a crash half-way, is doing it once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bridge.release.errors import FailureCode, OtabridgeError
from bridge.release.manifest import Artifact
from bridge.release.report import Outcome
from bridge.tally import Tally


class FleetError(OtabridgeError):
    """The cloud refused a call or could not be reached; the message names the fleet.

    `retryable` says whether waiting may help.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class LimitError(FleetError):
    """A value breaks a limit of the cloud; nothing was called. The message names the field, value and limit."""


@dataclass(frozen=True, slots=True)
class StageOrder:
    """One stage for one fleet. `key` is the same for the same stage of the same rollout, for ever.

    `release` is the whole `release.json`, `roots` the root versions after the first, in order; its artifacts were put
    before. `timeout_minutes` bounds one device.
    """

    key: str
    release: bytes
    roots: tuple[bytes, ...]
    devices: tuple[str, ...]
    timeout_minutes: int
    comment: str = ""


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """How one device of a stage order ended; `outcome` None where the cloud alone ended it (timed out)."""

    device: str
    outcome: Outcome | None
    code: FailureCode | None
    detail: str
    slot: str = ""


Sent = Callable[[int], None]
"""Called with the number of bytes sent since the last call, from any thread."""


class Fleet(Protocol):
    """One account and region of AWS, or one hub and Device Update instance of Azure. All methods: FleetError."""

    @property
    def name(self) -> str:
        """The fleet's name in the configuration."""

    def devices(self, group: str | None) -> Iterator[str]:
        """Ids of all devices, or of those in the cloud's own `group`, in any order, each once."""

    def put_artifact(self, artifact: Artifact, source: Path, sent: Sent) -> None:
        """Store the artifact under a name made from its sha256, unless it is there already with that length."""

    def check(self, order: StageOrder) -> None:
        """Hold the order against the cloud's limits; nothing is called. Raises: LimitError, ReleaseError."""

    def start(self, order: StageOrder) -> None:
        """Create the stage's native group and job. Raises: LimitError before any call."""

    def tally(self, key: str) -> Tally | None:
        """Counts of the stage order `key`; None when it was never started here."""

    def reports(self, key: str) -> Iterator[DeviceReport]:
        """How the devices that did not install ended; the cloud pages, so may be slow."""

    def stop(self, key: str, reason: str) -> None:
        """Withdraw the offer from devices that have not begun; those in the middle finish. Unknown key: nothing.

        Once nobody is in the middle, what the order took from the cloud (group, job, tags) is given back; where
        somebody is, that follows at the next call of `stop` or `start`.
        """
