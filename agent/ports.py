"""PORTS: what the engine needs of its surroundings, and the few values it exchanges with whoever runs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agent.channel import Offer
from agent.disk import Disk
from agent.slots import BootLoader, Slot
from bridge.release.manifest import Artifact
from bridge.release.report import Report


class Download(Protocol):
    """How an artifact gets here."""

    def stream(self, offer: Offer, artifact: Artifact, offset: int, renew: Callable[[], Offer]) -> Iterator[bytes]:
        """The bytes of `artifact` from byte `offset` to its end, over dropped links and expired URLs.

        `renew` gives the same offer with fresh URLs.

        Raises:
            DownloadError: it gave up.
            OfferWithdrawn, ChannelError: `renew` raised it.
        """


class Health(Protocol):
    """How a trial boot is proved."""

    def prove(self, names: Sequence[str]) -> str | None:
        """Run the checks `names` (empty: all); None when healthy, else what failed, for people."""


def unmetered() -> bool:
    """A link that costs nothing by the byte."""
    return False


class Board(Protocol):
    """The machine that the agent runs on."""

    def boot_id(self) -> str:
        """A name of this boot; differs after every restart of the machine. Raises: SlotError."""

    def caused_by_watchdog(self) -> bool:
        """Whether a hardware watchdog caused this boot, as far as the machine can tell."""

    def reboot(self) -> None:
        """Ask for a restart. May return before the machine goes down, or never. Raises: SlotError."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device is from birth. `root` is the pinned root; `version` what ran before the first release, if known."""

    model: str
    hardware: str
    root: bytes
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Ports:
    """The engine's surroundings. `clock` gives the time of day, UTC, aware; `ticks` seconds that never go back;
    `metered` whether each byte over the link as it is now costs money."""

    disk: Disk
    boots: BootLoader
    download: Download
    health: Health
    board: Board
    clock: Callable[[], datetime]
    ticks: Callable[[], float] = time.monotonic
    metered: Callable[[], bool] = unmetered


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do before the next offer. An update that an outage interrupted waits for its offer, too."""


@dataclass(frozen=True, slots=True)
class Suspended:
    """The cloud could not be asked in the middle of it; hand the same offer over later. `reason` is for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rebooting:
    """A restart of the machine was asked for; after it, or when it does not come, call `Engine.resume`."""


@dataclass(frozen=True, slots=True)
class Concluded:
    """An update ended. Not `delivered`: the report stays in the journal and the next `Engine.resume` tries again."""

    report: Report
    delivered: bool


Step = Idle | Suspended | Rebooting | Concluded


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """What a slot is known to hold; "" and 0 when unknown. `committed` is true once a trial boot of it was proved."""

    slot: Slot
    release: str = ""
    version: str = ""
    sequence: int = 0
    sha256: str = ""
    committed: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """The truth about a device from its three sources: the slot that runs, the boot loader, the journal.

    `expected` is the slot that the agent last committed (None before it ever saw one); it differs from `booted` during
    a trial, and after the boot loader fell back. `state` is a name of `agent.machine.State`, `offer` the update that is
    under way ("" when none), `unsent` counts ends that the cloud has not heard of, `trouble` says why the journal could
    not be read ("" when it could).
    """

    booted: Slot
    default: Slot
    trial: Slot | None
    expected: Slot | None
    slots: tuple[SlotStatus, SlotStatus]
    version: str
    state: str
    offer: str
    floor: int
    root_version: int
    fallbacks: int
    last: Report | None
    unsent: int = 0
    trouble: str = ""
