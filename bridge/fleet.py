"""PORT: one fleet, which is one cloud scope. Declared by its consumers, the controller and the publisher.

Every act is idempotent under the names it is given: doing it twice, also after a crash half-way, is doing it once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bridge.planning.planned import Facts
from bridge.release.bucket import Buckets
from bridge.release.errors import FailureCode, OtabridgeError
from bridge.release.manifest import Artifact, Release
from bridge.release.report import Outcome
from bridge.rollout.model import FleetPart
from bridge.tally import Tally

EVERYTHING = FleetPart("")
"""The whole fleet, whatever its name."""


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
    """One stage for one fleet. `key` is the same for the same order of the same rollout, for ever.

    `release` is the whole `release.json`, `roots` the root versions after the first, in order; its artifacts were put
    before. It is for `devices`, or, where there are `buckets`, for every device of `part` (and of `models`, unless
    empty) whose bucket is in one of them; `size` is how many were counted. `timeout_minutes` bounds one device, `pace`
    the devices that are offered it a minute (None: no bound). `admitted` is how many of its devices may have been
    offered it by now, and grows from call to call of `start` in fleets that do not pace by themselves (None: all).
    """

    key: str
    release: bytes
    roots: tuple[bytes, ...]
    devices: tuple[str, ...]
    timeout_minutes: int
    comment: str = ""
    buckets: tuple[Buckets, ...] = ()
    part: FleetPart = EVERYTHING
    models: tuple[str, ...] = ()
    size: int = 0
    pace: int | None = None
    admitted: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """How one device of a stage order ended; `outcome` None where the cloud alone ended it (timed out).

    `artifact` is the one that it took ("" none, or not told), `saved` the bytes that this saved against the full one.
    """

    device: str
    outcome: Outcome | None
    code: FailureCode | None
    detail: str
    slot: str = ""
    artifact: str = ""
    saved: int = 0


@dataclass(frozen=True, slots=True)
class Device:
    """A device of a fleet. `model` is its hardware model, "" where the cloud does not know it."""

    id: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class Census:
    """How many devices of each hardware model ("" unknown); `unplaced` ones report no bucket and are not among them."""

    models: Mapping[str, int]
    unplaced: int = 0


@dataclass(frozen=True, slots=True)
class HealthCount:
    """How many devices meet a condition: among those that an order has updated, and among those of the fleet that no
    order of the rollout has reached.
    """

    updated_bad: int
    updated: int
    others_bad: int
    others: int


@dataclass(frozen=True, slots=True)
class Savings:
    """How many devices took a delta in place of the full artifact, and the bytes that they saved, all together."""

    devices: int = 0
    saved: int = 0


@dataclass(frozen=True, slots=True)
class Adopted:
    """A job or deployment that was made without otabridge. `key` is what `tally`, `reports` and `stop` know it by."""

    key: str
    native: str
    size: int
    version: str
    created: datetime


Sent = Callable[[int], None]
"""Called with the number of bytes sent since the last call, from any thread."""


class Fleet(Protocol):
    """One account and region of AWS, or one hub and Device Update instance of Azure. All methods: FleetError."""

    @property
    def name(self) -> str:
        """The fleet's name in the configuration."""

    def facts(self) -> Facts:
        """What this cloud and the fleet's settings give; may ask the cloud once."""

    def census(self, part: FleetPart, buckets: tuple[Buckets, ...] = (), models: tuple[str, ...] = ()) -> Census:
        """Counts of the devices of `part`, and of `buckets` and `models` unless empty. Where the facts say
        `by_bucket`, the number of calls does not grow with the fleet.
        """

    def devices(self, part: FleetPart, buckets: tuple[Buckets, ...] = ()) -> Iterator[Device]:
        """The devices of `part`, and of `buckets` unless empty, in any order, each once."""

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

    def health(self, keys: Sequence[str], condition: str) -> HealthCount:
        """How many devices meet `condition`, in the cloud's own query language: of those that the orders `keys` have
        updated, and of the others. Two or four calls, however many devices. Raises: LimitError where the fleet has no
        such query.
        """

    def watchdog_resets(self, keys: Sequence[str]) -> int:
        """How many devices that the orders `keys` have updated report a reset by a watchdog since. Raises: LimitError
        where the fleet cannot be asked.
        """

    def saved(self, keys: Sequence[str], release: Release) -> Savings:
        """What deltas have saved the devices that the orders `keys`, all started, have updated to `release` and that
        run it still, as they report. Who says to have saved more than `bridge.release.savings.most_saved` is left out.
        One call, however many devices. Raises: LimitError where the fleet cannot be asked.
        """

    def adopt(self, native: str) -> Adopted:
        """The job or deployment with the cloud's own id `native`, to be watched and stopped as one of ours.

        Raises: FleetError when there is none.
        """

    def stop(self, key: str, reason: str) -> None:
        """Withdraw the offer from devices that have not begun; those in the middle finish. Unknown key: nothing.

        Once nobody is in the middle, what the order took from the cloud (group, job, tags) is given back; where
        somebody is, that follows at the next call of `stop` or `start`.
        """
