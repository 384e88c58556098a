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


class FleetError(OtabridgeError):
    """The cloud refused a call or could not be reached. `retryable` says whether waiting may help."""

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
class Tally:
    """Counts of devices of one stage order, as the cloud holds them. They add up to the order's devices.

    `waiting` have not taken the offer, `running` have, the others ended: `failed` and `rejected` as the device said,
    `timed_out` by the cloud's clock, `withdrawn` because the stage was stopped. `open` says that the cloud may still
    hand the offer to devices.
    """

    waiting: int = 0
    running: int = 0
    installed: int = 0
    failed: int = 0
    rejected: int = 0
    timed_out: int = 0
    withdrawn: int = 0
    open: bool = True

    @property
    def bad(self) -> int:
        """Devices that spent budget: failed (fallbacks among them), rejected, timed out."""
        return self.failed + self.rejected + self.timed_out

    @property
    def ended(self) -> int:
        """Devices of which no more is expected."""
        return self.installed + self.bad + self.withdrawn


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

    def start(self, order: StageOrder) -> None:
        """Create the stage's native group and job. Raises: LimitError before any call."""

    def tally(self, key: str) -> Tally | None:
        """Counts of the stage order `key`; None when it was never started here."""

    def reports(self, key: str) -> Iterator[DeviceReport]:
        """How the devices that did not install ended; the cloud pages, so may be slow."""

    def stop(self, key: str, reason: str) -> None:
        """Withdraw the offer from devices that have not begun; those in the middle finish. Unknown key: nothing."""
